//! Status lines and their response codes (RFC 1939 section 3, RFC 2449 section 8, RFC 3206): written
//! and read.
//!
//! What is written here consists of our own words and numbers, never of a client's or an
//! upstream's octets. That keeps a first line within 512 octets and harmless (P005, V37).
//!
//! # Examples
//!
//! ```
//! use pop3_proto::response::ResponseCode;
//!
//! assert_eq!(ResponseCode::read("sys/temp"), Some(ResponseCode::SysTemp));
//! assert_eq!(ResponseCode::InUse.to_string(), "[IN-USE]");
//! ```

use alloc::format;
use alloc::string::String;
use core::fmt;

/// The code in square brackets at the start of a status line's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseCode {
    /// `[AUTH]`: the credentials are wrong (RFC 3206 section 5).
    Auth,
    /// `[IN-USE]`: another session holds the maildrop (RFC 2449 section 8.1.2).
    InUse,
    /// `[LOGIN-DELAY]`: too soon after the last login (RFC 2449 section 8.1.1).
    LoginDelay,
    /// `[SYS/PERM]`: somebody has to do something about it (RFC 3206 section 4).
    SysPerm,
    /// `[SYS/TEMP]`: it will probably pass (RFC 3206 section 4).
    SysTemp,
    /// `[UTF8]`: the message needs UTF8 mode (RFC 6856 section 5).
    Utf8,
    /// `[X-POP3SF-READ-ONLY]`: the maildrop is open for reading only, or not available so.
    ReadOnly,
}

impl ResponseCode {
    /// The code without its brackets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "AUTH",
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysPerm => "SYS/PERM",
            Self::SysTemp => "SYS/TEMP",
            Self::Utf8 => "UTF8",
            Self::ReadOnly => "X-POP3SF-READ-ONLY",
        }
    }

    /// Reads a code in any case. A code below a known one counts as that (`SYS/TEMP/DISK` is
    /// `SYS/TEMP`): RFC 2449 section 8.
    pub fn read(code: &str) -> Option<Self> {
        let all = [
            Self::Auth,
            Self::InUse,
            Self::LoginDelay,
            Self::SysPerm,
            Self::SysTemp,
            Self::Utf8,
            Self::ReadOnly,
        ];
        all.into_iter().find(|known| {
            let known = known.as_str();
            code.get(..known.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(known))
                && matches!(code.as_bytes().get(known.len()), None | Some(b'/'))
        })
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.as_str())
    }
}

/// `+OK text`, without line end.
pub(crate) fn ok(text: fmt::Arguments<'_>) -> String {
    format!("+OK {text}")
}

/// `-ERR [code] text`, without line end.
pub(crate) fn err(code: Option<ResponseCode>, text: fmt::Arguments<'_>) -> String {
    match code {
        Some(code) => format!("-ERR {code} {text}"),
        None => format!("-ERR {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x020_codes_are_read_in_any_case_and_at_any_depth() {
        assert_eq!(ResponseCode::read("in-use"), Some(ResponseCode::InUse));
        assert_eq!(
            ResponseCode::read("SYS/TEMP/DISK"),
            Some(ResponseCode::SysTemp)
        );
        assert_eq!(ResponseCode::read("SYS"), None);
        assert_eq!(ResponseCode::read("AUTHENTIC"), None);
    }
}
