//! Text inside the page in a fifth of its room: gzip, as letters. The page's script unpacks what is looked at.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::{Error, Result};

/// The packed text. Nothing in it can end the element it stands in.
///
/// # Errors
/// [`Error::Internal`], which does not happen in memory.
pub(super) fn pack(text: &str) -> Result<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    let packed = packed.map_err(|e| Error::Internal(format!("packing the page's text: {e}")))?;
    Ok(STANDARD.encode(packed))
}

/// What [`pack`] made of a text.
#[cfg(test)]
pub(super) fn unpacked(packed: &str) -> String {
    use std::io::Read;

    let bytes = STANDARD.decode(packed).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}
