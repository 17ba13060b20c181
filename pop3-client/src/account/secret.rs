//! Where a secret is, and how it is fetched from there. Never from the command line, where everybody on
//! the machine could read it; never into a log.

use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr;

use pop3_proto::secret::Secret;
use zeroize::Zeroizing;

use super::{home, prompt_secret};

/// The most octets of a secret; tokens take a few thousand.
const MAX_LEN: u64 = 64 * 1024;

/// Where a secret is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The user at the terminal knows it.
    #[default]
    Prompt,
    /// The environment variable of this name.
    Environment(String),
    /// The first line of this file, which only its owner may read.
    File(PathBuf),
    /// The same, but others may read it: secrets of containers have the mode 0444.
    SharedFile(PathBuf),
    /// The first line of this entry of the password store.
    Pass(String),
    /// The system's keyring (`secret-tool`), where it is filed under this service, the user and the host.
    Keyring(String),
    /// The first line that this shell command prints.
    Command(String),
}

/// Why a secret could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set.
    #[error("the environment variable {0} is not set")]
    Environment(String),
    /// The file cannot be read.
    #[error("cannot read the secret in {}: {cause}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Everybody may read the file.
    #[error(
        "others may read {}: 'chmod 600' it, and think of the secret as known; if its mode cannot be changed and \
         nobody else is on this machine (a secret of a container), say 'shared-file:{}'",
        .0.display(), .0.display()
    )]
    Exposed(PathBuf),
    /// The file has NUL octets.
    #[error("the secret in {} has a NUL octet; if the file is UTF-16, save it as UTF-8", .0.display())]
    Encoding(PathBuf),
    /// The command cannot be run or fails.
    #[error("'{command}' does not give the secret: {cause}")]
    Command {
        /// Which program.
        command: String,
        /// What happened.
        cause: String,
    },
    /// There is nothing in it.
    #[error("the secret from {0} is empty")]
    Empty(Source),
    /// There is no terminal to ask at.
    #[error("cannot ask for the password: {0}; say where it is with --password-from")]
    Prompt(#[source] io::Error),
}

impl Source {
    /// Fetches the secret.
    pub fn fetch(&self, user: &str, host: &str) -> Result<Secret, SecretError> {
        let octets = match self {
            Self::Prompt => {
                let question = format!("Password of {user} at {host}: ");
                return prompt_secret(&question).map_err(SecretError::Prompt);
            }
            Self::Environment(name) => {
                use std::os::unix::ffi::OsStringExt as _;
                let value = std::env::var_os(name);
                let value = value.ok_or_else(|| SecretError::Environment(name.clone()))?;
                Zeroizing::new(value.into_vec())
            }
            Self::File(file) => read_file(&home(file), false)?,
            Self::SharedFile(file) => read_file(&home(file), true)?,
            Self::Pass(name) => output(Command::new("pass").args(["show", "--", name]))?,
            Self::Keyring(service) => output(
                Command::new("secret-tool")
                    .args(["lookup", "service", service, "user", user, "server", host]),
            )?,
            Self::Command(command) => output(Command::new("sh").args(["-c", command]))?,
        };
        let line = first_line(&octets);
        if line.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        Ok(Secret::from(line))
    }
}

fn read_file(file: &std::path::Path, shared: bool) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let failure = |cause| SecretError::File {
        file: file.into(),
        cause,
    };
    let opened = std::fs::File::open(file).map_err(failure)?;
    let facts = opened.metadata().map_err(failure)?;
    if !shared && facts.is_file() && facts.permissions().mode() & 0o007 != 0 {
        return Err(SecretError::Exposed(file.into()));
    }
    let mut octets = read(opened).map_err(failure)?;
    // the byte order mark of some editors is not part of a secret
    if octets.starts_with(b"\xEF\xBB\xBF") {
        octets.drain(..3);
    }
    if first_line(&octets).contains(&0) {
        return Err(SecretError::Encoding(file.into()));
    }
    Ok(octets)
}

fn output(command: &mut Command) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failure = |cause: String| SecretError::Command {
        command: name.clone(),
        cause,
    };
    // it may ask for a passphrase itself, so it keeps the terminal and the error output
    let mut child = command
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failure(error.to_string()))?;
    let read = match child.stdout.take() {
        Some(stdout) => read(stdout).map_err(|error| failure(error.to_string())),
        None => Ok(Zeroizing::default()),
    };
    let status = child.wait().map_err(|error| failure(error.to_string()))?;
    if status.success() {
        read
    } else {
        Err(failure(status.to_string()))
    }
}

fn read(from: impl io::Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // the whole length at once: growing would leave copies behind
    let mut octets = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_LEN).unwrap_or(0)));
    from.take(MAX_LEN).read_to_end(&mut octets)?;
    Ok(octets)
}

fn first_line(octets: &[u8]) -> &[u8] {
    let line = octets
        .split(|octet| *octet == b'\n')
        .next()
        .unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let needs = |source: fn(String) -> Self| {
            if rest.is_empty() {
                Err(format!("'{kind}:' needs a name or path after it"))
            } else {
                Ok(source(rest.into()))
            }
        };
        match kind {
            "prompt" => Ok(Self::Prompt),
            "env" => needs(Self::Environment),
            "file" => needs(|path| Self::File(path.into())),
            "shared-file" => needs(|path| Self::SharedFile(path.into())),
            "pass" => needs(Self::Pass),
            "keyring" if rest.is_empty() => Ok(Self::Keyring("pop3".into())),
            "keyring" => needs(Self::Keyring),
            "command" => needs(Self::Command),
            // the text may be the secret itself, so it is not repeated
            _ => Err(
                "a secret comes from prompt, env:NAME, file:PATH, shared-file:PATH, pass:NAME, \
                 keyring[:SERVICE] or command:COMMAND, and is never given itself"
                    .into(),
            ),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prompt => f.write_str("the prompt"),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::File(file) | Self::SharedFile(file) => write!(f, "{}", file.display()),
            Self::Pass(name) => write!(f, "the password store's {name}"),
            Self::Keyring(service) => write!(f, "the keyring's {service}"),
            Self::Command(_) => f.write_str("the command"),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn sources_are_read_and_a_bare_secret_is_not_repeated() {
        assert_eq!("prompt".parse(), Ok(Source::Prompt));
        assert_eq!("env:X".parse(), Ok(Source::Environment("X".into())));
        assert_eq!(
            "command:echo a:b".parse(),
            Ok(Source::Command("echo a:b".into()))
        );
        assert_eq!("keyring".parse(), Ok(Source::Keyring("pop3".into())));
        let error = "hunter2".parse::<Source>().unwrap_err();
        assert!(!error.contains("hunter2"));
        assert!("env:".parse::<Source>().is_err());
    }

    #[test]
    fn only_the_first_line_counts() {
        let source = Source::Command("printf 'two words\\r\\nurl: x\\n'".into());
        assert_eq!(source.fetch("u", "h").unwrap().expose(), b"two words");
        let failing = Source::Command("exit 3".into());
        assert!(matches!(
            failing.fetch("u", "h"),
            Err(SecretError::Command { .. })
        ));
        let empty = Source::Command("echo".into());
        assert!(matches!(empty.fetch("u", "h"), Err(SecretError::Empty(_))));
    }

    #[test]
    fn a_file_that_others_may_read_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let source = Source::File(path.clone());
        assert!(matches!(
            source.fetch("u", "h"),
            Err(SecretError::Exposed(_))
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(source.fetch("u", "h").unwrap().expose(), b"s3cret");
    }

    #[test]
    fn w079_a_secret_of_a_container_has_a_way_and_the_error_says_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
        let error = Source::File(path.clone()).fetch("u", "h").err().unwrap();
        let way = format!("shared-file:{}", path.display());
        assert!(error.to_string().contains(&way), "{error}");
        let source: Source = way.parse().unwrap();
        assert_eq!(source.fetch("u", "h").unwrap().expose(), b"s3cret");
    }

    #[test]
    fn w054_marks_of_editors_are_no_part_of_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let fetch = |octets: &[u8]| {
            std::fs::write(&path, octets).unwrap();
            Source::SharedFile(path.clone()).fetch("u", "h")
        };
        assert_eq!(
            fetch(b"\xEF\xBB\xBFs3cret\r\n").unwrap().expose(),
            b"s3cret"
        );
        let error = fetch(b"\xFF\xFEs\0e\0\r\0\n\0").err().unwrap().to_string();
        assert!(error.contains("UTF-16"), "{error}");
    }
}
