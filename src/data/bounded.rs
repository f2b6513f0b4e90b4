//! Whole files in memory, up to a length that the format never needs to exceed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::host;

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// [`Error::Data`] for a longer one, and for what is not a file; [`Error::Io`].
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    host::check_file(path)?;
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
    Error::data(path, "length", format!("{what}: no file of a data set is as long"))
}

/// Whether what comes first in a file is that of a zip archive.
pub(super) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
}

/// A text without the mark that some editors put before it.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// What to do about a file that [`ends_in_returns`].
pub(super) const RETURNS: &str = "its lines end in CR alone, as on old Macs: convert it first, for example with \
                                  `tr '\\r' '\\n'`";

/// Whether what comes first in a file has no line ends but those of old Macs, which are not read.
pub(super) fn ends_in_returns(start: &[u8]) -> bool {
    start.trim_ascii_end().contains(&b'\r') && !start.contains(&b'\n')
}

/// The text of a line or of a file.
///
/// # Errors
/// What it is instead, in words: bytes of zero are in no text, but in one that is written in 16 bits a letter.
pub(super) fn text(line: &[u8]) -> Result<&str, &'static str> {
    if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
        return Err(
            "not UTF-8 but, as it seems, UTF-16: convert it first, for example with `iconv -f UTF-16 -t UTF-8`",
        );
    }
    if line.contains(&0) {
        return Err(
            "bytes of zero: not a text, or one in UTF-16, which has to be converted to UTF-8 first",
        );
    }
    std::str::from_utf8(line).map_err(|_| "not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_another_coding_is_called_so() {
        assert_eq!(text("né".as_bytes()), Ok("né"));
        assert_eq!(text(b"n\xe9"), Err("not UTF-8"));
        for line in [&b"\xff\xfea\0"[..], b"a\0b\0", b"\0"] {
            assert!(text(line).unwrap_err().contains("UTF-16"));
        }
    }

    #[test]
    fn line_ends_of_old_macs_are_told_from_others() {
        assert!(ends_in_returns(b"a\rb\r") && ends_in_returns(b"a\rb"));
        for other in [&b"a\r\nb\r\n"[..], b"a\nb\rc", b"a\r", b"a", b""] {
            assert!(!ends_in_returns(other));
        }
    }

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
