//! The private parts that the fuzz targets use. Compiled only with `cfg(fuzzing)`.

use std::ffi::OsStr;
use std::io::{self, Read};

use pop3_proto::backend::store::StoreError;

use crate::packed;
use crate::template::Template;

/// The message in a packed file, `limit` octets at most; `None` if the file is not packed.
///
/// # Errors
///
/// If it is packed in a way that cannot be read here.
pub fn unpack(file: &[u8], limit: u64) -> io::Result<Option<impl Read>> {
    let packing = packed::named(&file[..file.len().min(16)])?;
    Ok(packing.map(|packing| packed::unpack(packing, file, limit)))
}

/// The folders of an account.
///
/// # Errors
///
/// If its name cannot be part of a path.
pub fn folders(template: &Template, account: &str) -> Result<Vec<Box<OsStr>>, StoreError> {
    let parts = template.fill(account)?;
    Ok(parts.into_iter().map(|part| part.name).collect())
}
