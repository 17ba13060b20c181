//! How errors name the settings that would help.

/// How a program calls the settings that a remedy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Words {
    /// The settings of connections and TLS.
    pub remedies: pop3_proto::trouble::Words,
    /// What turns TLS off.
    pub no_tls: &'static str,
    /// What allows a password in clear.
    pub clear_password: &'static str,
    /// What names a file of certificates, and has named this one.
    pub named_by: &'static str,
}

impl Words {
    /// The names of this library.
    pub const LIBRARY: Self = Self {
        remedies: pop3_proto::trouble::Words {
            place: "endpoint",
            implicit: "TlsMode::Implicit",
            upgrade: "TlsMode::Starttls",
            upgrade_command: "STLS",
            authorities: "Trust::File",
            fingerprint: "Trust::Pin",
            not_named: "not the one that was pinned (was it renewed?); if it is the right one, name exactly \
                        this one with Trust::File or Trust::Pin",
            name: "host",
            patience: "Endpoint::patience",
        },
        no_tls: "TlsMode::None",
        clear_password: "Identity::allow_clear",
        named_by: "Trust::File",
    };

    /// The flags of the program `pop3-client`.
    pub const COMMAND_LINE: Self = Self {
        remedies: pop3_proto::trouble::Words::COMMAND_LINE,
        no_tls: "--tls none",
        clear_password: "--allow-clear-password",
        named_by: "--ca-file",
    };
}
