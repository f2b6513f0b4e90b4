//! One stored image: where it is, and its pixels.

use std::error::Error as _;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::data::bounded;
use crate::data::order::mix;
use crate::error::{Error, Result};

use super::gate::Gate;
use super::jpeg;

/// Pixels of an image at most: the largest of ImageNet's has 61 million.
const MOST_PIXELS: u64 = 1 << 26;

/// Bytes of an encoded image at most.
const MOST_BYTES: u64 = 1 << 26;

/// What decoding takes for each pixel: three colours of eight bytes, or coefficients, and the result.
const PER_PIXEL: u64 = 12;

/// Bytes that a PNG's profile and texts take when they are unpacked, besides three times the file's length.
const MOST_NOTES: u64 = 1 << 21;

/// Encoded images in memory at once, what is said in them besides pixels, and what decoding takes. Whoever waits at
/// one holds passes of those before it alone, so that nobody waits in a circle.
static ENCODED: Gate = Gate::new(1 << 28);
static NOTES: Gate = Gate::new(1 << 28);
static DECODED: Gate = Gate::new(1 << 30);

/// What names of JPEGs and PNGs end in.
const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "jpe", "jfif", "png"];

/// Whether a file is taken for an image, by its name; what the bytes are is seen when they are decoded.
pub(super) fn is_named_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// What a set holds.
#[derive(Debug, Default)]
pub(super) struct ImageList {
    /// Names, sorted: a class's label is its place.
    pub(super) classes: Vec<String>,
    /// To learn from; all, where the set has no split of its own.
    pub(super) train: Vec<Stored>,
    /// Held out.
    pub(super) test: Vec<Stored>,
    /// Whether the set has a split of its own, even where nothing is held out in it.
    pub(super) is_split: bool,
}

/// An image in a file, or in a part of one.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// The file.
    pub(super) file: Arc<PathBuf>,
    /// Its first byte, where it is a member of an archive.
    pub(super) start: Option<u64>,
    /// Bytes, as they were when it was listed.
    pub(super) length: u64,
    /// For messages: the member of the archive.
    pub(super) name: String,
    /// Its class.
    pub(super) label: u32,
}

/// What to do about an image that cannot be read.
const ADVICE: &str = "download it again, or pass such images over with --skip-bad";

impl Stored {
    /// The same number for the same name, on every machine.
    pub(super) fn key(&self) -> u64 {
        let bytes = self.name.bytes();
        bytes.fold(u64::from(self.label), |sum, byte| mix(sum ^ u64::from(byte)))
    }

    /// Its pixels as RGB. Grey, transparent and 16-bit images are converted; a camera's note on its
    /// orientation (EXIF) is not heeded.
    pub(super) fn decode(&self) -> Result<RgbImage> {
        let _encoded = ENCODED.enter(self.length.min(MOST_BYTES));
        let bytes = self.bytes()?;
        let format = match image::guess_format(&bytes) {
            Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => format,
            Ok(other) => {
                let name = other.extensions_str().first().unwrap_or(&"another form");
                let what = format!("neither a JPEG nor a PNG, but {name} by its first bytes");
                return Err(self.fault(what));
            }
            Err(_) => return Err(self.fault("neither a JPEG nor a PNG")),
        };
        // Limits first: what a header promises costs nothing before it is decoded.
        self.check_size(png_size(&bytes))?;
        let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
        let mut limits = Limits::no_limits();
        let notes = MOST_NOTES + 3 * bytes.len() as u64;
        limits.max_alloc = Some(notes);
        let _notes = (format == ImageFormat::Png).then(|| NOTES.enter(notes));
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(|e| self.fault(plain_words(&e)))?;
        let pixels = self.check_size(Some(decoder.dimensions()))?;
        let _decoded = DECODED.enter(pixels * PER_PIXEL);
        if format == ImageFormat::Jpeg {
            jpeg::check_whole(&bytes).map_err(|what| self.fault(what))?;
        }
        let image = DynamicImage::from_decoder(decoder).map_err(|e| self.fault(plain_words(&e)))?;
        Ok(image.into_rgb8())
    }

    /// How many pixels there are, where that is known.
    fn check_size(&self, size: Option<(u32, u32)>) -> Result<u64> {
        let Some((width, height)) = size else { return Ok(0) };
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 {
            return Err(self.fault("it has no pixels"));
        }
        if pixels > MOST_PIXELS {
            let what = format!("{width} x {height} pixels: at most {MOST_PIXELS} are decoded");
            return Err(self.fault(what));
        }
        Ok(pixels)
    }

    /// As they are stored.
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        let file = self.file.as_path();
        let Some(start) = self.start else {
            return bounded::read(file, MOST_BYTES);
        };
        self.check_length()?;
        let mut archive = File::open(file).map_err(Error::io("open", file))?;
        let mut bytes = vec![0; self.length as usize];
        archive
            .seek(SeekFrom::Start(start))
            .and_then(|_| archive.read_exact(&mut bytes))
            .map_err(Error::io("read", file))?;
        Ok(bytes)
    }

    /// Refuses what is no image by its length alone.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub(super) fn check_length(&self) -> Result<()> {
        match self.length {
            0 => Err(self.fault("it is empty")),
            1..=MOST_BYTES => Ok(()),
            _ => Err(self.fault(format!("longer than {} MiB", MOST_BYTES >> 20))),
        }
    }

    pub(super) fn fault(&self, what: impl std::fmt::Display) -> Error {
        let place = self.member().unwrap_or_else(|| "image data".into());
        Error::data(self.file.as_ref(), place, format!("{what}: {ADVICE}"))
    }

    /// Where it is in its archive, if it is in one.
    pub(super) fn member(&self) -> Option<String> {
        self.start.map(|start| format!("{} at byte {start}", self.name))
    }
}

/// Width and height of a PNG by its header, which a decoder may take for too much before it says them.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(four))
    };
    let is_header = bytes.get(12..16) == Some(b"IHDR");
    if is_header { number(16).zip(number(20)) } else { None }
}

/// What a decoder says, without the values of Rust's that it quotes.
fn plain_words(error: &ImageError) -> String {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let corrupt = "Corrupt deflate stream";
    let text = if text.starts_with(corrupt) { corrupt } else { &text };
    let text = chunks_by_name(text);
    text.trim_matches(|c: char| c == '"' || c == '.' || c.is_whitespace()).to_string()
}

/// A text in which each `ChunkType { type: IHDR, critical: true, .. }` is `IHDR`.
fn chunks_by_name(text: &str) -> String {
    let mut pieces = text.split("ChunkType { type: ");
    let mut plain = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (chunk, rest) = piece.split_once('}').unwrap_or((piece, ""));
        plain += chunk.split(',').next().unwrap_or_default();
        plain += rest;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of an image, without its name and the advice.
    fn fault(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, bytes).unwrap();
        let (file, name, length) = (Arc::new(path), String::new(), bytes.len() as u64);
        let error = Stored { file, start: None, length, name, label: 0 }.decode().unwrap_err();
        let text = error.to_string();
        let what = text.split("image data: ").nth(1).unwrap_or_default();
        what.strip_suffix(&format!(": {ADVICE}")).expect("the advice").to_string()
    }

    #[test]
    fn what_a_decoder_says_is_said_in_plain_words() {
        let mut png = Vec::new();
        let image = RgbImage::from_fn(9, 9, |x, y| image::Rgb([x as u8, y as u8, 7]));
        image.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).unwrap();
        let mut damaged = png.clone();
        // Its width, which its sum shows.
        damaged[19] ^= 1;
        let mut corrupt = png.clone();
        corrupt[45] ^= 1;
        let mut huge = png.clone();
        huge[16..24].fill(0x7f);
        let mut empty = png.clone();
        empty[16..20].fill(0);
        let jpeg = include_bytes!("tests/grey.jpg");
        // What Apple's tools make of a PNG for a telephone, and one without its palette.
        let mut telephone = png.clone();
        telephone.splice(8..8, *b"\0\0\0\x04CgBI\x50\0\x20\x02\x2b\xd5\xb3\x7f");
        let mut no_data = png.clone();
        no_data.drain(33..png.len() - 12);
        for (bytes, expected) in [
            (&telephone[..], "CgBI chunk appeared before IHDR chunk"),
            (&no_data, "IDAT"),
            (
                b"RIFF\x24\0\0\0WEBPVP8 \0\0\0\0",
                "neither a JPEG nor a PNG, but webp by its first bytes",
            ),
            (b"<html>", "neither a JPEG nor a PNG"),
            (&damaged, "CRC error: expected 0x"),
            (&corrupt, ""),
            (&huge, "2139062143 x 2139062143 pixels: at most 67108864 are decoded"),
            (&empty, "it has no pixels"),
            (&png[..png.len() / 2], ""),
            (&jpeg[..jpeg.len() / 4], ""),
        ] {
            let what = fault(bytes);
            assert!(what.contains(expected), "{what}");
            let debris = what.contains(['{', '"', '\u{fffd}', '\n']) || what.ends_with('.');
            assert!(!debris && !what.is_empty(), "{what}");
        }
    }
}
