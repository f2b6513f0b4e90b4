//! 16-bit PCM at 16 kHz, one channel: from RIFF files and from NIST SPHERE files, told apart by their
//! first bytes; TIMIT has both under the name .WAV.

use std::borrow::Cow;
use std::path::Path;

use crate::data::bounded;
use crate::error::{Error, Result, quoted};

mod riff;

/// Samples a second.
pub const RATE: u32 = 16_000;

/// Bytes of a file at most: two minutes of speech, where an utterance has seconds. Each core reads one at a time.
const MOST_BYTES: u64 = 1 << 22;

/// Where errors of such a header are.
const SPHERE_HEADER: &str = "SPHERE header";

/// Reads the samples of a file.
///
/// # Errors
/// [`Error::Data`] naming file, place and expectation; [`Error::Io`].
pub fn read(path: &Path) -> Result<Vec<i16>> {
    let bytes = bounded::read(path, MOST_BYTES)?;
    let bad = |place: &str, what: String| Error::data(path, place, what);
    match bytes.get(..4) {
        None => {
            Err(bad("byte 0", format!("{} bytes: expected RIFF or NIST SPHERE audio", bytes.len())))
        }
        Some(b"RIFF") => not_empty(path, riff::samples(path, &bytes)?),
        Some(b"NIST") => sphere(path, &bytes),
        Some(_) => {
            let what = "neither RIFF nor NIST SPHERE (NIST_1A) audio, by its first bytes";
            Err(bad("byte 0", what.into()))
        }
    }
}

/// The header of a NIST SPHERE file: text of fixed length, a field a line, as `sample_rate -i 16000`.
struct SphereHeader<'a> {
    path: &'a Path,
    /// Bytes before the samples.
    size: usize,
    text: Cow<'a, str>,
}

impl<'a> SphereHeader<'a> {
    fn read(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        // The second line is the header's length.
        let line = bytes.split(|byte| *byte == b'\n').nth(1);
        let size = line.and_then(|line| std::str::from_utf8(line).ok()?.trim().parse().ok());
        let text = size.and_then(|size: usize| bytes.get(..size));
        let (Some(size), Some(text)) = (size, text) else {
            let what = format!("truncated, or its length is missing: {} bytes", bytes.len());
            return Err(Error::data(path, SPHERE_HEADER, what));
        };
        Ok(Self { path, size, text: String::from_utf8_lossy(text) })
    }

    fn error(&self, what: String) -> Error {
        Error::data(self.path, SPHERE_HEADER, what)
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.lines().take_while(|line| line.trim() != "end_head");
        lines.find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(name)).then(|| words.nth(1).unwrap_or(""))
        })
    }

    fn number(&self, name: &str) -> Result<usize> {
        let value = self.field(name);
        let number = value.and_then(|value| value.parse().ok());
        number.ok_or_else(|| {
            let found = value.map_or("missing".to_string(), |value| format!("'{}'", quoted(value)));
            self.error(format!("{name} is {found}: expected a number"))
        })
    }
}

fn sphere(path: &Path, bytes: &[u8]) -> Result<Vec<i16>> {
    let header = SphereHeader::read(path, bytes)?;
    if let Some(coding) = header.field("sample_coding").filter(|coding| *coding != "pcm") {
        return Err(header.error(format!(
            "sample_coding is '{}': a compressed SPHERE file; decompress it first, for example with \
             `sph2pipe -p -f wav`",
            quoted(coding)
        )));
    }
    let count = header.number("sample_count")?;
    let bytes_of_samples = count
        .checked_mul(2)
        .ok_or_else(|| header.error(format!("sample_count is {count}: no file is that long")))?;
    for (name, expected) in
        [("channel_count", 1), ("sample_rate", RATE as usize), ("sample_n_bytes", 2)]
    {
        // TIMIT's own headers may leave the channel count out.
        let absent = expected == 1 && header.field(name).is_none();
        let number = if absent { 1 } else { header.number(name)? };
        if number != expected {
            return Err(header.error(format!("{name} is {number}: expected {expected}")));
        }
    }
    let sample: fn([u8; 2]) -> i16 = match header.field("sample_byte_format") {
        Some("10") => i16::from_be_bytes,
        Some("01") | None => i16::from_le_bytes,
        Some(other) => {
            let other = quoted(other);
            return Err(header.error(format!("sample_byte_format is '{other}': expected 01 or 10")));
        }
    };
    let data = &bytes[header.size..];
    if data.len() != bytes_of_samples {
        let what =
            format!("{} bytes follow: expected {bytes_of_samples} for {count} samples", data.len());
        return Err(Error::data(path, format!("byte {}", header.size), what));
    }
    let (pairs, _) = data.as_chunks();
    not_empty(path, pairs.iter().map(|&pair| sample(pair)).collect())
}

fn not_empty(path: &Path, samples: Vec<i16>) -> Result<Vec<i16>> {
    if samples.is_empty() {
        return Err(Error::data(path, "audio", "no samples"));
    }
    Ok(samples)
}

/// Writes samples as RIFF.
///
/// # Errors
/// [`Error::Io`].
pub fn write(path: &Path, samples: &[i16]) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let write = || -> hound::Result<()> {
        let mut writer = hound::WavWriter::create(path, spec)?;
        samples.iter().try_for_each(|&s| writer.write_sample(s))?;
        writer.finalize()
    };
    write().map_err(|e| Error::io("write", path)(std::io::Error::other(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sphere_file(fields: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = format!("NIST_1A\n   1024\n{fields}end_head\n").into_bytes();
        bytes.resize(1024, b' ');
        bytes.extend(data);
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<Vec<i16>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("SX1.WAV");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    const FIELDS: &str = "sample_count -i 2\nsample_rate -i 16000\nsample_n_bytes -i 2\n";

    #[test]
    fn both_forms_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        write(&path, &[1, -2, 300]).unwrap();
        assert_eq!(read(&path).unwrap(), [1, -2, 300]);
        let little =
            sphere_file(&format!("{FIELDS}sample_byte_format -s2 01\n"), &[1, 0, 254, 255]);
        assert_eq!(read_bytes(&little).unwrap(), [1, -2]);
        let big = sphere_file(&format!("{FIELDS}sample_byte_format -s2 10\n"), &[0, 1, 255, 254]);
        assert_eq!(read_bytes(&big).unwrap(), [1, -2]);
    }

    /// A RIFF file of these chunks, its own length as given.
    fn riff_file(length: u32, chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let mut bytes = [&b"RIFF"[..], &length.to_le_bytes(), b"WAVE"].concat();
        for (name, length, data) in chunks {
            bytes.extend([&name[..], &length.to_le_bytes(), data].concat());
        }
        bytes
    }

    /// One channel of 16-bit PCM at 16 kHz.
    const FORMAT: &[u8] = &[1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0];
    /// Samples 1 and 2.
    const DATA: &[u8] = &[1, 0, 2, 0];

    #[test]
    fn chunks_of_every_length_before_and_after_the_samples_are_stepped_over() {
        for (length, other) in [(4, &b"abcd"[..]), (5, b"abcde\0"), (0, b""), (1, b"a\0")] {
            let before = [(b"LIST", length, other), (b"fmt ", 16, FORMAT), (b"data", 4, DATA)];
            let after = [(b"fmt ", 16, FORMAT), (b"data", 4, DATA), (b"LIST", length, other)];
            for chunks in [before, after] {
                assert_eq!(read_bytes(&riff_file(100, &chunks)).unwrap(), [1, 2], "{length}");
            }
        }
        // Without the byte that makes an odd length even, as some programs write it.
        let unpadded = [(b"LIST", 5, &b"abcde"[..]), (b"fmt ", 16, FORMAT), (b"data", 4, DATA)];
        assert_eq!(read_bytes(&riff_file(100, &unpadded)).unwrap(), [1, 2]);
        let extensible =
            [FORMAT, &[22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0], &[0; 8]].concat();
        let extensible = [&[0xfe, 0xff], &extensible[2..]].concat();
        let chunks = [(b"fmt ", 40, &extensible[..]), (b"data", 4, DATA)];
        assert_eq!(read_bytes(&riff_file(100, &chunks)).unwrap(), [1, 2]);
    }

    #[test]
    fn a_length_that_a_pipe_could_not_know_is_that_of_the_file() {
        for (whole, length) in [(0, 0), (u32::MAX, u32::MAX), (36, 0), (0x7fff_f024, 0x7fff_f000)] {
            let chunks = [(b"fmt ", 16, FORMAT), (b"data", length, DATA)];
            assert_eq!(read_bytes(&riff_file(whole, &chunks)).unwrap(), [1, 2], "{length}");
        }
        // Here the length is known: there are no samples.
        let empty = [(b"fmt ", 16, FORMAT), (b"data", 0, &b""[..]), (b"LIST", 4, b"abcd")];
        let error = read_bytes(&riff_file(4 + 24 + 8 + 12, &empty)).unwrap_err().to_string();
        assert!(error.contains("no samples"), "{error}");
    }

    #[test]
    fn what_no_samples_can_be_had_from_is_refused_by_its_place() {
        let cut = [(b"fmt ", 16, FORMAT), (b"data", 400, DATA)];
        let odd = [(b"fmt ", 16, FORMAT), (b"data", 3, &[1, 0, 2][..])];
        let no_format = [(b"data", 4, DATA)];
        let wrong = [(b"fmt ", 16, &[3; 16][..]), (b"data", 4, DATA)];
        let no_data = [(b"fmt ", 16, FORMAT)];
        for (bytes, expected) in [
            (riff_file(100, &cut), "byte 44: the file ends after 4 bytes of samples: expected 400"),
            (riff_file(100, &odd), "half a sample"),
            (riff_file(100, &no_format), "no fmt chunk before the samples"),
            (riff_file(100, &wrong), "expected 1 channel of 16-bit PCM at 16000 Hz"),
            (riff_file(100, &no_data), "no data chunk"),
            (b"RIFF\0\0\0\0AVI ".to_vec(), "not a WAVE file"),
        ] {
            let error = read_bytes(&bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn every_broken_file_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        write(&path, &[7; 100]).unwrap();
        let riff = std::fs::read(&path).unwrap();
        let stereo = {
            let mut bytes = riff.clone();
            bytes[22] = 2;
            bytes
        };
        let compressed = format!("{FIELDS}sample_coding -s26 pcm,embedded-shorten-v2.00\n");
        let long = FIELDS.replace("sample_count -i 2", &format!("sample_count -i {}", usize::MAX));
        let cases: [(&str, Vec<u8>, &str); 11] = [
            ("empty", vec![], "0 bytes"),
            ("wrong magic", b"OggS....".to_vec(), "neither RIFF"),
            ("cut riff", riff[..riff.len() - 10].to_vec(), "expected"),
            ("cut riff header", riff[..20].to_vec(), "truncated"),
            ("stereo", stereo, "RIFF header"),
            ("cut sphere", sphere_file(FIELDS, &[1, 0, 2]), "3 bytes follow: expected 4"),
            ("cut sphere header", sphere_file(FIELDS, &[])[..500].to_vec(), "truncated"),
            ("a sum that wraps", sphere_file(&long, &[1, 0]), "no file is that long"),
            ("no count", sphere_file("", &[1, 0]), "sample_count is missing"),
            ("compressed", sphere_file(&compressed, &[1, 0, 2, 0]), "sph2pipe"),
            (
                "rate",
                sphere_file(&FIELDS.replace("16000", "8000"), &[1, 0, 2, 0]),
                "expected 16000",
            ),
        ];
        for (name, bytes, expected) in cases {
            let error = read_bytes(&bytes).unwrap_err();
            assert_eq!(error.exit_code(), 10, "{name}");
            let text = error.to_string();
            assert!(text.contains("SX1.WAV") && text.contains(expected), "{name}: {text}");
        }
        let missing = read(Path::new("none.wav")).unwrap_err();
        assert!(missing.to_string().contains("none.wav"));
    }
}
