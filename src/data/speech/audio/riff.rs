//! RIFF files of 16-bit PCM (WAVE): chunk by chunk, as the form is defined and as programs write it.
//!
//! The hound crate, which writes them here, refuses the padding byte of a chunk of odd length and the lengths of
//! files that were written into a pipe.

use std::path::Path;

use crate::error::{Error, Result};

use super::RATE;

/// Where errors of such a header are.
const HEADER: &str = "RIFF header";

/// From here on a length is one that a program which writes into a pipe makes up.
const UNKNOWN: u32 = 0x7fff_f000;

/// The samples of a file that starts with `RIFF`.
pub(super) fn samples(path: &Path, bytes: &[u8]) -> Result<Vec<i16>> {
    let bad = |what: String| Error::data(path, HEADER, what);
    let truncated = || bad(format!("truncated after {} bytes", bytes.len()));
    if bytes.get(8..12).ok_or_else(truncated)? != b"WAVE" {
        return Err(bad("not a WAVE file".into()));
    }
    let whole = number(bytes, 4).ok_or_else(truncated)?;
    let (mut at, mut is_pcm) = (12, false);
    loop {
        let (Some(name), Some(length)) = (bytes.get(at..at + 4), number(bytes, at + 4)) else {
            return Err(match is_pcm {
                true if at >= bytes.len() => bad("no data chunk: there are no samples".into()),
                _ => truncated(),
            });
        };
        let start = at + 8;
        let rest = &bytes[start..];
        match name {
            b"fmt " => {
                let format = rest.get(..length as usize).ok_or_else(truncated)?;
                check(format).map_err(bad)?;
                is_pcm = true;
            }
            b"data" if !is_pcm => return Err(bad("no fmt chunk before the samples".into())),
            b"data" => {
                // What follows belongs to the samples unless the file says that it has other chunks.
                let known = whole > 0 && whole < UNKNOWN && whole as usize + 8 > start;
                let unknown = if length == 0 { !known } else { length >= UNKNOWN };
                let data = if unknown && rest.len() < UNKNOWN as usize {
                    rest
                } else {
                    rest.get(..length as usize).ok_or_else(|| {
                        let what = format!(
                            "the file ends after {} bytes of samples: expected {length}",
                            rest.len()
                        );
                        Error::data(path, format!("byte {start}"), what)
                    })?
                };
                let (pairs, odd) = data.as_chunks();
                if !odd.is_empty() {
                    let place = format!("byte {}", start + data.len() - 1);
                    return Err(Error::data(path, place, "half a sample: expected 16-bit PCM"));
                }
                return Ok(pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect());
            }
            _ => {}
        }
        at = next(bytes, start, length as usize);
    }
}

/// Where the chunk after one starts: at an even place, unless the program forgot that.
fn next(bytes: &[u8], start: usize, length: usize) -> usize {
    let end = start.saturating_add(length).min(bytes.len());
    let named = |at: usize| {
        let letter = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        bytes.get(at..at + 4).is_some_and(|name| name.iter().all(letter))
    };
    let unpadded = length % 2 == 1 && named(end) && !named(end + 1);
    (end + usize::from(length % 2 == 1 && !unpadded)).min(bytes.len())
}

/// Whether samples are what the front end takes.
fn check(format: &[u8]) -> Result<(), String> {
    let two = |at: usize| {
        let bytes = format.get(at..at + 2).and_then(|two| two.try_into().ok());
        bytes.map_or(0, u16::from_le_bytes)
    };
    let rate = number(format, 4).unwrap_or(0);
    // An extensible format has the same numbers, and its kind after them.
    let kind = if two(0) == 0xfffe { two(24) } else { two(0) };
    let (channels, bits) = (two(2), two(14));
    if (kind, channels, rate, bits) == (1, 1, RATE, 16) {
        return Ok(());
    }
    let coding = if kind == 1 { "PCM" } else { "another coding than PCM" };
    let plural = if channels == 1 { "" } else { "s" };
    Err(format!(
        "{channels} channel{plural}, {rate} Hz, {bits} bits, {coding}: expected 1 channel of 16-bit PCM at {RATE} Hz"
    ))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_le_bytes)
}
