//! The IDX files of MNIST: 28x28 grey images and their labels, plain or gzipped.
//!
//! Owns the format alone; which files make a data set is `data::digits`. An IDX file is a
//! big-endian header (the magic number `0x0000TTDD` with the element type TT = 08 for u8 and the
//! number of dimensions DD, then one u32 a dimension) followed by the elements. See
//! <https://yann.lecun.com/exdb/mnist/>.
//!
//! A file gives exactly the samples its header promises, or an error.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::data::bounded;
use crate::data::gzip::{self, Unpacked};
use crate::error::{Error, Result};
use crate::host::{HAS_FILES, check_file};

/// Height and width of an image, in pixels.
pub const SIDE: usize = 28;
/// Pixels of an image.
pub const PIXELS: usize = SIDE * SIDE;
/// One image, row by row from the top left; 0 is paper, 255 is ink.
pub type Image = [u8; PIXELS];

const IMAGES: u32 = 0x0000_0803;
const LABELS: u32 = 0x0000_0801;

/// Samples of a file at most, whatever its header says: EMNIST has 814,255.
const MOST: u32 = 1 << 20;

/// Reads the images of a file, at least one; gzip is recognised by its first bytes, not by the name.
///
/// # Errors
/// As [`parse_images`], and if the file is missing or cannot be read.
pub fn read_images(file: &Path) -> Result<Vec<Image>> {
    parse_images(open(file)?, file)
}

/// Reads the labels of a file, at least one: see [`read_images`].
///
/// # Errors
/// As [`parse_labels`], and if the file is missing or cannot be read.
pub fn read_labels(file: &Path) -> Result<Vec<u8>> {
    parse_labels(open(file)?, file)
}

/// Reads images from a stream that errors call `file`.
///
/// # Errors
/// [`Error::Data`] if the stream is empty, of another kind, of another image size, corrupt, or
/// shorter or longer than its header says; [`Error::Io`] if it cannot be read.
pub fn parse_images(input: impl Read, file: &Path) -> Result<Vec<Image>> {
    let mut source = Source::new(input, file)?;
    let [count, rows, cols] = source.header(IMAGES)?;
    for (at, name, size) in [(8, "rows", rows), (12, "columns", cols)] {
        if size as usize != SIDE {
            let what =
                format!("{size} pixels, expected {SIDE}: the model takes {SIDE}x{SIDE} images");
            return Err(source.fault(format!("header, byte {at} ({name})"), what));
        }
    }
    source.elements(count)
}

/// Reads labels from a stream that errors call `file`.
///
/// # Errors
/// As [`parse_images`].
pub fn parse_labels(input: impl Read, file: &Path) -> Result<Vec<u8>> {
    let mut source = Source::new(input, file)?;
    let [count] = source.header(LABELS)?;
    Ok(source.elements::<1>(count)?.into_flattened())
}

/// Writes images as IDX; for a `.gz` file, let `out` be a gzip encoder.
///
/// # Errors
/// What `out` reports, and more images than a u32 can count.
pub fn write_images(out: impl Write, images: &[Image]) -> io::Result<()> {
    let dims = [images.len(), SIDE, SIDE];
    write(out, IMAGES, &dims, images.as_flattened())
}

/// Writes labels as IDX.
///
/// # Errors
/// As [`write_images`].
pub fn write_labels(out: impl Write, labels: &[u8]) -> io::Result<()> {
    write(out, LABELS, &[labels.len()], labels)
}

fn write(mut out: impl Write, magic: u32, dims: &[usize], body: &[u8]) -> io::Result<()> {
    out.write_all(&magic.to_be_bytes())?;
    for &size in dims {
        let size = u32::try_from(size).map_err(io::Error::other)?;
        out.write_all(&size.to_be_bytes())?;
    }
    out.write_all(body)
}

fn open(file: &Path) -> Result<File> {
    let what = "no such file, expected an MNIST IDX file, plain or gz";
    let opened = check_file(file).and_then(|()| File::open(file).map_err(Error::io("read", file)));
    opened.map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Error::data(file, "path", what)
        }
        other => other,
    })
}

/// Samples that are read at once.
const PIECE: usize = 1024;

/// The unpacked bytes of a file, and how many of them were read.
struct Source<'a> {
    input: Box<dyn Read + 'a>,
    file: &'a Path,
    packed: bool,
    at: u64,
}

impl<'a> Source<'a> {
    fn new(mut input: impl Read + 'a, file: &'a Path) -> Result<Self> {
        let mut start = Vec::new();
        let read = input.by_ref().take(2).read_to_end(&mut start);
        read.map_err(Error::io("read", file))?;
        // What a page reads is what it made.
        let packed = HAS_FILES && gzip::is_packed(&start);
        let whole = io::Cursor::new(start).chain(input);
        let input: Box<dyn Read + 'a> = match packed {
            true => Box::new(Unpacked::new(io::BufReader::new(whole))),
            false => Box::new(whole),
        };
        Ok(Self { input, file, packed, at: 0 })
    }

    /// The dimensions after the magic number `expected`.
    fn header<const DIMS: usize>(&mut self, expected: u32) -> Result<[u32; DIMS]> {
        let length = 4 * (1 + DIMS);
        let bytes = self.up_to(length as u64)?;
        let (words, _) = bytes.as_chunks();
        let mut words = words.iter().map(|&word| u32::from_be_bytes(word));
        let magic = words.next();
        if magic.is_some_and(|magic| magic != expected) || bytes.is_empty() {
            let content = match magic {
                None => "empty".to_owned(),
                Some(IMAGES) => "an IDX file of images".to_owned(),
                Some(LABELS) => "an IDX file of labels".to_owned(),
                Some(_) if bounded::is_zip(&bytes) => {
                    "a zip archive, which has to be unpacked".to_owned()
                }
                Some(magic) => format!("magic number {magic:#010x}"),
            };
            let kind = if expected == IMAGES { "images" } else { "labels" };
            let what = format!("{content}, expected IDX {kind}, which start with {expected:#010x}");
            return Err(self.fault("header, byte 0 (magic number)", what));
        }
        if bytes.len() < length {
            let what = format!("the file ends inside the header, which takes {length} bytes");
            return Err(self.fault(format!("byte {}", bytes.len()), what));
        }
        // The length was just checked: there is a word for each dimension.
        Ok(std::array::from_fn(|_| words.next().unwrap_or(0)))
    }

    /// All that is left: `count` elements of SIZE bytes, no more and no fewer. Memory follows what is really there,
    /// so that a header with an absurd count costs nothing, and holds it once.
    fn elements<const SIZE: usize>(&mut self, count: u32) -> Result<Vec<[u8; SIZE]>> {
        if count == 0 {
            let what = "0 samples, expected at least 1";
            return Err(self.fault("header, byte 4 (count)", what));
        }
        if count > MOST {
            let what = format!("{count} samples: at most {MOST} are read");
            return Err(self.fault("header, byte 4 (count)", what));
        }
        let start = self.at;
        let promised = u64::from(count) * SIZE as u64;
        let mut elements = Vec::new();
        while elements.len() < count as usize {
            let asked = (count as usize - elements.len()).min(PIECE) * SIZE;
            let piece = self.up_to(asked as u64)?;
            elements.extend_from_slice(piece.as_chunks().0);
            if piece.len() < asked {
                break;
            }
        }
        if self.at == start + promised {
            // One byte more than promised shows an over-long file, and makes gzip check its sum.
            self.up_to(1)?;
        }
        let length = self.at - start;
        if length == promised {
            return Ok(elements);
        }
        let unpacked = if self.packed { " when unpacked" } else { "" };
        let needs = format!(
            "the header promises {count} samples of {SIZE} bytes: {} bytes in total{unpacked}",
            start + promised
        );
        Err(if length < promised {
            let what = format!(
                "the file ends inside sample {} of {count}; {needs}",
                length / SIZE as u64 + 1
            );
            self.fault(format!("byte {}", start + length), what)
        } else {
            let what = format!("the file goes on after the last sample; {needs}");
            self.fault(format!("byte {}", start + promised), what)
        })
    }

    /// The next `n` bytes, or all that are left where those are fewer.
    fn up_to(&mut self, n: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(n).read_to_end(&mut bytes);
        self.at += bytes.len() as u64;
        let fault = |e| match gzip::damage(&e).filter(|_| self.packed) {
            Some(what) => self.fault(format!("byte {} of the unpacked data", self.at), what),
            None => Error::io("read", self.file)(e),
        };
        read.map(|_| bytes).map_err(fault)
    }

    fn fault(&self, place: impl Into<String>, what: impl Into<String>) -> Error {
        Error::data(self.file, place, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn what_is_no_file_is_not_waited_for() {
        let error = read_images(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero: path: not a file");
    }
    use flate2::{Compression, write::GzEncoder};

    fn images(count: usize) -> Vec<Image> {
        let image = |i| std::array::from_fn(|p| ((i * 31 + p * 7) % 256) as u8);
        (0..count).map(image).collect()
    }

    fn plain(count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_images(&mut bytes, &images(count)).unwrap();
        bytes
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    /// The error of parsing `bytes` as images.
    fn fault(bytes: &[u8]) -> String {
        let error = parse_images(bytes, Path::new("f")).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{error:?}");
        error.to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(&plain(1)[..8], [0, 0, 8, 3, 0, 0, 0, 1]);
        for bytes in [plain(3), gz(&plain(3))] {
            assert_eq!(parse_images(&bytes[..], Path::new("f")).unwrap(), images(3));
        }
        let mut labels = Vec::new();
        write_labels(&mut labels, &[7, 2, 1]).unwrap();
        for bytes in [labels.clone(), gz(&labels)] {
            assert_eq!(parse_labels(&bytes[..], Path::new("f")).unwrap(), [7, 2, 1]);
        }
    }

    #[test]
    fn gzip_is_told_by_content_not_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("plain.gz", plain(2)), ("packed", gz(&plain(2)))] {
            let file = folder.path().join(name);
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(read_images(&file).unwrap(), images(2));
        }
    }

    #[test]
    fn missing_file() {
        let file = Path::new("/nowhere/train");
        let error = read_images(file).unwrap_err();
        let text = "no such file, expected an MNIST IDX file, plain or gz";
        assert_eq!(error.to_string(), format!("/nowhere/train: path: {text}"));
        assert_eq!(read_labels(file).unwrap_err().exit_code(), 10);
    }

    #[test]
    fn empty_file() {
        let text = "f: header, byte 0 (magic number): empty, expected IDX images, which start \
                    with 0x00000803";
        assert_eq!(fault(&[]), text);
        assert_eq!(fault(&gz(&[])), text);
    }

    #[test]
    fn cut_inside_the_header() {
        for length in [1, 3, 4, 15] {
            let text =
                format!("f: byte {length}: the file ends inside the header, which takes 16 bytes");
            assert_eq!(fault(&plain(1)[..length]), text);
        }
    }

    #[test]
    fn wrong_magic() {
        let mut labels = Vec::new();
        write_labels(&mut labels, &[1; 20]).unwrap();
        assert!(fault(&labels).contains("an IDX file of labels, expected IDX images"));
        assert!(fault(b"\x89PNG\r\n").contains("magic number 0x89504e47, expected IDX images"));
        let error = parse_labels(&plain(1)[..], Path::new("f")).unwrap_err();
        assert!(error.to_string().contains("an IDX file of images, expected IDX labels"));
    }

    #[test]
    fn wrong_image_size() {
        for (at, name) in [(8, "rows"), (12, "columns")] {
            let mut bytes = plain(1);
            bytes[at + 3] = 32;
            let place = format!("f: header, byte {at} ({name}): 32 pixels, expected 28");
            assert!(fault(&bytes).starts_with(&place), "{}", fault(&bytes));
        }
    }

    #[test]
    fn no_samples() {
        assert_eq!(fault(&plain(0)), "f: header, byte 4 (count): 0 samples, expected at least 1");
    }

    #[test]
    fn fewer_or_more_bytes_than_promised() {
        let whole = plain(3);
        let needs = "the header promises 3 samples of 784 bytes: 2368 bytes in total";
        let cut = &whole[..whole.len() - 1];
        assert_eq!(
            fault(cut),
            format!("f: byte 2367: the file ends inside sample 3 of 3; {needs}")
        );
        assert_eq!(
            fault(&gz(cut)),
            format!("f: byte 2367: the file ends inside sample 3 of 3; {needs} when unpacked")
        );
        let long = [&whole[..], b"x"].concat();
        assert_eq!(
            fault(&long),
            format!("f: byte 2368: the file goes on after the last sample; {needs}")
        );
        let labels = [0, 0, 8, 1, 0, 0, 0, 2, 9];
        let error = parse_labels(&labels[..], Path::new("f")).unwrap_err();
        assert!(
            error.to_string().contains("byte 9: the file ends inside sample 2 of 2"),
            "{error}"
        );
    }

    #[test]
    fn absurd_count_costs_no_memory() {
        let mut bytes = plain(1);
        bytes[4..8].fill(0xff);
        for bytes in [gz(&bytes), bytes] {
            let text = fault(&bytes);
            assert!(text.contains("4294967295 samples: at most 1048576 are read"), "{text}");
        }
        let mut bytes = plain(1);
        bytes[4..8].copy_from_slice(&MOST.to_be_bytes());
        let text = fault(&bytes);
        assert!(text.contains("byte 800: the file ends inside sample 2 of 1048576"), "{text}");
    }

    #[test]
    fn corrupt_gzip() {
        let whole = gz(&plain(3));
        let mut bad_sum = whole.clone();
        let sum = whole.len() - 8;
        bad_sum[sum] ^= 1;
        let mut bad_block = whole.clone();
        bad_block[10] = 0xff;
        let trailing = [&whole[..], b"junk"].concat();
        for bytes in [&bad_sum, &bad_block, &whole[..40], &whole[..2], &trailing] {
            let text = fault(bytes);
            assert!(text.contains("of the unpacked data: the gzip stream is truncated"), "{text}");
        }
    }

    proptest::proptest! {
        /// Whatever the bytes, the answer is samples or an error, never a panic.
        #[test]
        fn any_bytes(mut bytes: Vec<u8>, gzip: bool) {
            if gzip {
                bytes.splice(0..0, [0x1f, 0x8b]);
            }
            let _ = parse_images(&bytes[..], Path::new("f"));
            let _ = parse_labels(&bytes[..], Path::new("f"));
        }
    }
}
