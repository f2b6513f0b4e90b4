//! One stored image: where it is, and its pixels.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use image::{ImageFormat, RgbImage};

use crate::data::order::mix;
use crate::error::{Error, Result};

/// What a set holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Names, sorted: a class's label is its place.
    pub(super) classes: Vec<String>,
    /// To learn from; all, where the set has no split of its own.
    pub(super) train: Vec<Stored>,
    /// Held out.
    pub(super) test: Vec<Stored>,
}

/// An image in a file, or in a part of one.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// The file.
    pub(super) file: Arc<PathBuf>,
    /// First byte and length, where it is a member of an archive.
    pub(super) part: Option<(u64, u64)>,
    /// For messages: the member of the archive.
    pub(super) name: String,
    /// Its class.
    pub(super) label: u32,
}

/// What to do about an image that cannot be read.
const ADVICE: &str = "repair or remove it, or skip such files with --skip-bad";

impl Stored {
    /// The same number for the same name, on every machine.
    pub(super) fn key(&self) -> u64 {
        let bytes = self.name.bytes();
        bytes.fold(u64::from(self.label), |sum, byte| mix(sum ^ u64::from(byte)))
    }

    /// Its pixels as RGB. Grey, transparent and 16-bit images are converted; a camera's note on its
    /// orientation (EXIF) is not heeded.
    pub(super) fn decode(&self) -> Result<RgbImage> {
        let bytes = self.bytes()?;
        let place = match self.part {
            Some((start, _)) => format!("{} at byte {start}", self.name),
            None => "image data".into(),
        };
        let bad = |what: String| Error::data(self.file.as_ref(), place.clone(), what);
        let format = image::guess_format(&bytes).ok();
        let format = format.filter(|f| matches!(f, ImageFormat::Jpeg | ImageFormat::Png));
        let Some(format) = format else {
            return Err(bad(format!("neither a JPEG nor a PNG: {ADVICE}")));
        };
        // The decoder fills what is missing of a JPEG with grey, and says nothing.
        let ends = |tail: &[u8]| tail.windows(2).any(|pair| pair == [0xff, 0xd9]);
        if format == ImageFormat::Jpeg && !ends(&bytes[bytes.len().saturating_sub(1024)..]) {
            return Err(bad(format!(
                "truncated after {} bytes, before the end of the JPEG: {ADVICE}",
                bytes.len()
            )));
        }
        match image::load_from_memory_with_format(&bytes, format) {
            Ok(image) if image.width() > 0 && image.height() > 0 => Ok(image.to_rgb8()),
            Ok(_) => Err(bad(format!("it has no pixels: {ADVICE}"))),
            Err(error) => Err(bad(format!("{error}: {ADVICE}"))),
        }
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let file = self.file.as_path();
        let Some((start, length)) = self.part else {
            return std::fs::read(file).map_err(Error::io("read", file));
        };
        let mut archive = File::open(file).map_err(Error::io("open", file))?;
        let mut bytes = vec![0; length as usize];
        archive
            .seek(SeekFrom::Start(start))
            .and_then(|_| archive.read_exact(&mut bytes))
            .map_err(Error::io("read", file))?;
        Ok(bytes)
    }
}
