//! Whole files in memory, up to a length that the format never needs to exceed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// [`Error::Data`] for a longer one, and for what is not a file, whose end may never come; [`Error::Io`].
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let known = std::fs::metadata(path).map_err(Error::io("read", path))?;
    if !known.is_file() {
        return Err(Error::data(path, "path", "not a file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    // The length on record may be wrong, or grow meanwhile.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > most {
        return Err(too_long(path, most));
    }
    Ok(bytes)
}

/// The error of a file longer than `most` bytes.
pub(super) fn too_long(path: &Path, most: u64) -> Error {
    let what = match most >> 20 {
        0 => format!("longer than {most} bytes"),
        mebibytes => format!("longer than {mebibytes} MiB"),
    };
    Error::data(path, "length", format!("{what}: no such file of a data set is"))
}

/// A text without the mark that some editors put before it.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_length_costs_no_more_than_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(read(&path, 4).unwrap_err().to_string().contains("longer than 4 bytes"));
        assert!(read(folder.path(), 4).unwrap_err().to_string().contains("not a file"));
        #[cfg(unix)]
        assert!(read(Path::new("/dev/zero"), 4).unwrap_err().to_string().contains("not a file"));
    }
}
