//! What a driver's errors mean for a cluster: the thing, the cause, the remedy.

use std::io;

use super::super::Trouble;

pub(super) const READ_ONLY: &str =
    "it is a replica that can only be read: name the primary, or what leads to it";

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "sqlx::Error is non-exhaustive"
)]
pub(super) fn of(place: &str, error: sqlx::Error) -> Trouble {
    let error = match error {
        sqlx::Error::Database(error) => error,
        // rustls puts what it thinks of a certificate into one
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Trouble::lasting(format!(
                "{place}: its certificate is not one for this name, or of no authority that is trusted ({error})"
            ));
        }
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Trouble::new(format!(
                "{place}: nothing listens there: start the server, or correct the address"
            ));
        }
        error @ sqlx::Error::Tls(_) => return Trouble::lasting(format!("{place}: {error}")),
        error => return Trouble::new(format!("{place}: {error}")),
    };
    let code = error.code().unwrap_or_default();
    let words = error.message();
    match code.as_ref() {
        "28P01" | "28000" => Trouble::lasting(format!(
            "{place}: it refuses the user or the password: correct them in the address or beside it ({words})"
        )),
        "3D000" => Trouble::lasting(format!(
            "{place}: there is no such database: make it ({words})"
        )),
        "42501" => Trouble::lasting(format!(
            "{place}: the user may not do what a cluster needs: GRANT CREATE ON SCHEMA public, or make its tables for it \
             ({words})"
        )),
        "25006" | "0A000" => Trouble::lasting(format!("{place}: {READ_ONLY} ({words})")),
        "55P03" => Trouble::new(format!(
            "{place}: other nodes have the cluster's lock for too long"
        )),
        _ => Trouble::new(format!("{place}: {words} ({code})")),
    }
}
