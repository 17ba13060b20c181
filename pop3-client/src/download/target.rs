//! What the destinations have in common: collect, decide, carry out.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How messages get from the place where they were collected to their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Work {
    /// These files get these names, in the destination's folder.
    Moves(Vec<(String, String)>),
    /// This file's octets go after the first `offset` octets of the mbox.
    Append { staged: String, offset: u64 },
}

/// A destination that is written to.
pub(super) trait Target {
    /// A message begins.
    fn begin(&mut self, id: &str) -> io::Result<()>;
    /// More of it.
    fn write(&mut self, octets: &[u8]) -> io::Result<()>;
    /// It is whole.
    fn end(&mut self) -> io::Result<()>;
    /// It is not kept after all, and nothing of it stays; or no message is coming.
    fn discard(&mut self) -> io::Result<()>;
    /// Makes the collected messages durable and returns the plan for them; `None` if no message
    /// ended since the last time.
    fn seal(&mut self) -> io::Result<Option<Work>>;
    /// Carries out that plan, right after it was made.
    fn carry_out(&mut self, work: &Work) -> io::Result<()>;
    /// Carries out the rest of a plan, in a later run.
    fn recover(&mut self, work: &Work) -> io::Result<()>;
    /// Removes what interrupted runs left over.
    fn clean(&mut self) -> io::Result<()>;
}

/// Distinguishes the files of one state file from those of another that downloads to the same place, maybe
/// at the same time. The lock of the state file is also a lock on these files.
pub(super) fn mark(account: &str, state: &Path) -> io::Result<String> {
    let digest = Sha256::new()
        .chain_update(account)
        .chain_update([0])
        .chain_update(std::path::absolute(state)?.as_os_str().as_encoded_bytes())
        .finalize();
    let digits: String = digest
        .iter()
        .take(6)
        .map(|octet| format!("{octet:02x}"))
        .collect();
    Ok(format!("pop3-client-{digits}"))
}

/// An account as older versions named it, which did not distinguish ports.
pub(super) fn without_port(account: &str) -> &str {
    match account.rsplit_once(" port ") {
        Some((base, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => base,
        Some(_) | None => account,
    }
}

/// How files are opened: what is created is for its owner alone.
pub(super) fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes the name of a file durable.
pub(super) fn sync_folder_of(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync_folder(folder),
        Some(_) | None => sync_folder(Path::new(".")),
    }
}

/// Renames these files of a folder. If another program took a name meanwhile, the file gets the next free
/// one.
pub(super) fn move_all(folder: &Path, work: &Work, again: bool) -> io::Result<()> {
    let Work::Moves(moves) = work else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    for (from, to) in moves {
        let mut taken = 1;
        let moved = loop {
            match rename_alone(&folder.join(from), &folder.join(numbered(to, taken))) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken += 1,
                moved => break moved,
            }
        };
        match moved {
            // the file was durable before its plan, so it was moved; its reader may have moved it on
            Err(error) if again && error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// The name of a file, or of the second, third and so on with the same name.
pub(super) fn numbered(name: &str, number: u64) -> String {
    if number < 2 {
        return name.into();
    }
    let (stem, end) = match name.rsplit_once('.') {
        Some((stem, "eml")) => (stem, ".eml"),
        Some(_) | None => (name, ""),
    };
    format!("{stem}-{number}{end}")
}

/// Renames a file unless there is one of that name.
fn rename_alone(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // a file system that cannot do this in one step
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            renamed => return Ok(renamed?),
        }
    }
    if to.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(from, to)
}

/// Removes the files of a folder whose names contain this mark.
pub(super) fn sweep(folder: &Path, is_ours: &dyn Fn(&str) -> bool) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_ours) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// CRLF becomes LF; the state is whether a CR is held back.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    held: bool,
}

impl LineEnds {
    /// Appends the octets that are settled to `out`.
    pub(super) fn convert(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for &octet in octets {
            if std::mem::take(&mut self.held) && octet != b'\n' {
                out.push(b'\r');
            }
            if octet == b'\r' {
                self.held = true;
            } else {
                out.push(octet);
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            out.push(b'\r');
        }
    }
}
