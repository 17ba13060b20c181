//! Writes the corpus as files `NNN-name.eml`, for interoperability scripts.
//!
//! `cargo run -p testkit --example write_corpus -- DIR [--no-nul] [--no-bare-line-ends] [--no-large]`

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use testkit::mails::corpus;

const USAGE: &str = "usage: write_corpus DIR [--no-nul] [--no-bare-line-ends] [--no-large]";

fn main() -> io::Result<()> {
    let mut mails = corpus();
    let mut folder = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--no-nul" => mails.retain(|mail| !mail.has_nul()),
            "--no-bare-line-ends" => mails.retain(|mail| !mail.has_bare_line_end()),
            "--no-large" => mails.retain(|mail| !mail.is_large()),
            _ if argument.starts_with('-') || folder.is_some() => return Err(usage()),
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    let folder = folder.ok_or_else(usage)?;
    fs::create_dir_all(&folder)?;
    for (number, mail) in (1..).zip(&mails) {
        let path = folder.join(format!("{number:03}-{}.eml", mail.name));
        let mut file = BufWriter::new(File::create(path)?);
        mail.content
            .chunks()
            .try_for_each(|chunk| file.write_all(chunk))?;
        file.flush()?;
    }
    println!("{} mails", mails.len());
    Ok(())
}

fn usage() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, USAGE)
}
