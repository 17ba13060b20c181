//! Asking for a secret at the terminal, without showing it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};

use pop3_proto::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The longest secret that can be typed.
const MAX_LEN: usize = 4096;

/// Asks at the terminal itself, whatever standard input and output are.
pub fn prompt_secret(question: &str) -> io::Result<Secret> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    // first of all: keys that were pressed earlier must not show either
    let silence = Silence::on(terminal.try_clone()?)?;
    write!(terminal, "{} ", crate::text::one_line(question))?;
    let secret = read(&mut terminal);
    drop(silence);
    writeln!(terminal)?;
    secret
}

/// Asks for something that is not secret.
pub fn prompt_name(question: &str) -> io::Result<String> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    write!(terminal, "{} ", crate::text::one_line(question))?;
    let mut typed = Vec::new();
    // octet by octet: what is typed after it belongs to the next question
    let mut octet = [0];
    while terminal.read(&mut octet)? == 1 && octet != *b"\n" && typed.len() < MAX_LEN {
        typed.push(octet[0]);
    }
    Ok(String::from_utf8_lossy(&typed).trim().into())
}

/// Reads keys until return. The terminal passes on every key, also those that would end the program
/// and leave the terminal without echo.
#[allow(
    clippy::unbuffered_bytes,
    reason = "what is typed after the secret belongs to the next reader"
)]
fn read(keys: &mut impl io::Read) -> io::Result<Secret> {
    // the whole length at once: growing would leave copies behind
    let mut typed = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    for key in keys.bytes() {
        match key? {
            b'\r' | b'\n' => return Ok(Secret::from(typed.as_slice())),
            // Ctrl-C
            0x03 => return Err(io::ErrorKind::Interrupted.into()),
            // Ctrl-D
            0x04 if typed.is_empty() => break,
            // Ctrl-U
            0x15 => typed.clear(),
            // backspace takes a character, not an octet
            0x08 | 0x7F => while typed.pop().is_some_and(|octet| octet & 0xC0 == 0x80) {},
            octet if typed.len() < MAX_LEN => typed.push(octet),
            _ => {}
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// A terminal that shows nothing and acts on no key while this lives.
struct Silence {
    terminal: File,
    before: Termios,
}

impl Silence {
    fn on(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn keys_become_a_secret() {
        let typed = |keys: &str| read(&mut keys.as_bytes());
        assert_eq!(typed("se cret\rmore").unwrap().expose(), b"se cret");
        assert_eq!(typed("xü\u{7f}y\n").unwrap().expose(), b"xy");
        assert_eq!(typed("wrong\u{15}right\r").unwrap().expose(), b"right");
        assert_eq!(typed("\u{7f}\r").unwrap().expose(), b"");
        assert_eq!(
            typed("x\u{3}").unwrap_err().kind(),
            io::ErrorKind::Interrupted
        );
        assert_eq!(
            typed("\u{4}").unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
