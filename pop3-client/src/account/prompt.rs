//! Asking for a secret at the terminal, without showing it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};

use pop3_proto::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Asks at the terminal itself, whatever standard input and output are.
pub fn prompt_secret(question: &str) -> io::Result<Secret> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let mut reader = BufReader::new(terminal.try_clone()?);
    let mut writer = terminal.try_clone()?;
    // first of all: what is typed ahead must not show either
    let silence = Silence::on(terminal)?;
    write!(writer, "{} ", crate::text::one_line(question))?;
    // the whole length at once: growing would leave copies behind
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    reader.read_until(b'\n', &mut line)?;
    drop(silence);
    writeln!(writer)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let end = line
        .iter()
        .position(|octet| matches!(octet, b'\r' | b'\n'))
        .unwrap_or(line.len());
    Ok(Secret::from(&line[..end]))
}

/// A terminal that does not echo, as long as this lives.
struct Silence {
    terminal: File,
    before: Termios,
}

impl Silence {
    fn on(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        quiet
            .local_modes
            .insert(LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
