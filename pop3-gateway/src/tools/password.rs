//! Asking for a new password, and what is stored of it.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};

use local_accounts::{Algorithm, HashError, MAX_PASSWORD, hash, stored_secret};
use pop3_proto::controls::dropped;
use pop3_proto::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::Failure;
use crate::cli::tools::NewPassword;

/// The credential of a new password; for messages, whose it is.
pub(super) fn credential(arguments: &NewPassword, user: &str) -> Result<String, Failure> {
    let password = match arguments.password_stdin {
        true => first_line(io::stdin())
            .map_err(|error| Failure::running(format!("standard input: {error}")))?,
        false => asked(user)?,
    };
    let made = match arguments.stored_secret {
        true => stored_secret(&password),
        false => arguments
            .algorithm
            .parse::<Algorithm>()
            .and_then(|algorithm| hash(&password, algorithm)),
    };
    made.map_err(|error| match error {
        HashError::Random | HashError::Failed => Failure::running(error),
        HashError::Empty
        | HashError::Unsendable
        | HashError::TooLong
        | HashError::TooLongForBcrypt
        | HashError::UnknownAlgorithm => Failure::configuration(error),
    })
}

/// A password that exists already: asked for once.
pub(super) fn known(user: &str, from_stdin: bool) -> Result<Secret, Failure> {
    if from_stdin {
        first_line(io::stdin())
            .map_err(|error| Failure::running(format!("standard input: {error}")))
    } else {
        prompt(&format!("Password for {user}:")).map_err(no_terminal)
    }
}

fn no_terminal(error: io::Error) -> Failure {
    Failure::running(format!(
        "cannot ask for a password at the terminal: {error}; --password-stdin reads it from standard input"
    ))
}

fn asked(user: &str) -> Result<Secret, Failure> {
    let whose = if user.is_empty() {
        String::new()
    } else {
        format!(" for {user}")
    };
    let password = prompt(&format!("New password{whose}:")).map_err(no_terminal)?;
    if prompt("Once more:").map_err(no_terminal)? != password {
        return Err(Failure::configuration("the two passwords differ"));
    }
    Ok(password)
}

/// Asks at the terminal itself, whatever standard input and output are, without showing what is typed.
fn prompt(question: &str) -> io::Result<Secret> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut quiet = before.clone();
    // Ctrl-C would leave the terminal without echo, so it is a key like others while this lasts
    quiet
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::ISIG);
    tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
    let question: String = dropped(question.chars()).collect();
    let answer = write!(terminal, "{question} ").and_then(|()| first_line(terminal.try_clone()?));
    let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    writeln!(terminal)?;
    match answer {
        Ok(secret) if secret.expose().contains(&3) => Err(io::ErrorKind::Interrupted.into()),
        answer => answer,
    }
}

/// The first line without its end. A longer line than any password is cut, but only where it is still too long.
fn first_line(input: impl io::Read) -> io::Result<Secret> {
    // the whole length at once: growing would leave copies in memory
    let mut line = Vec::with_capacity(MAX_PASSWORD + 3);
    let limit = u64::try_from(MAX_PASSWORD + 2).unwrap_or(u64::MAX);
    BufReader::new(input)
        .take(limit)
        .read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    Ok(Secret::new(line))
}
