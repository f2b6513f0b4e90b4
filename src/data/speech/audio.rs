//! 16-bit PCM at 16 kHz, one channel: from RIFF files and from NIST SPHERE files, told apart by their
//! first bytes; TIMIT has both under the name .WAV.

use std::path::Path;

use crate::error::{Error, Result};

/// Samples a second.
pub const RATE: u32 = 16_000;

/// Reads the samples of a file.
///
/// # Errors
/// [`Error::Data`] naming file, place and expectation; [`Error::Io`].
pub fn read(path: &Path) -> Result<Vec<i16>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let bad = |place: &str, what: String| Error::data(path, place, what);
    match bytes.get(..4) {
        None => {
            Err(bad("byte 0", format!("{} bytes: expected RIFF or NIST SPHERE audio", bytes.len())))
        }
        Some(b"RIFF") => riff(path, &bytes),
        Some(b"NIST") => sphere(path, &bytes),
        Some(magic) => Err(bad(
            "byte 0",
            format!("starts with {magic:?}: neither RIFF nor NIST SPHERE (NIST_1A) audio"),
        )),
    }
}

fn riff(path: &Path, bytes: &[u8]) -> Result<Vec<i16>> {
    let bad = |what: String| Error::data(path, "RIFF header", what);
    let mut reader = hound::WavReader::new(bytes).map_err(|e| bad(e.to_string()))?;
    let spec = reader.spec();
    let integer = spec.sample_format == hound::SampleFormat::Int;
    if (spec.channels, spec.sample_rate, spec.bits_per_sample, integer) != (1, RATE, 16, true) {
        return Err(bad(format!(
            "{} channels, {} Hz, {} bits: expected 1 channel of 16-bit PCM at {RATE} Hz",
            spec.channels, spec.sample_rate, spec.bits_per_sample
        )));
    }
    let promised = reader.duration() as usize;
    let mut samples = Vec::new();
    for (i, sample) in reader.samples::<i16>().enumerate() {
        samples.push(sample.map_err(|_| {
            let place = format!("sample {i}");
            Error::data(path, place, format!("the file ends here: expected {promised} samples"))
        })?);
    }
    some(path, samples)
}

/// NIST SPHERE: a text header of fixed length, then samples.
fn sphere(path: &Path, bytes: &[u8]) -> Result<Vec<i16>> {
    let bad = |what: String| Error::data(path, "SPHERE header", what);
    let lines: Vec<&[u8]> = bytes.splitn(3, |b| *b == b'\n').collect();
    let size = lines.get(1).and_then(|l| std::str::from_utf8(l).ok()?.trim().parse::<usize>().ok());
    let header = size.and_then(|size| bytes.get(..size));
    let (Some(size), Some(header)) = (size, header) else {
        return Err(bad(format!("truncated, or its length is missing: {} bytes", bytes.len())));
    };
    let header = String::from_utf8_lossy(header);
    let field = |name: &str| {
        header.lines().take_while(|l| l.trim() != "end_head").find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(name)).then(|| words.nth(1).unwrap_or("").to_string())
        })
    };
    if let Some(coding) = field("sample_coding").filter(|c| c != "pcm") {
        return Err(bad(format!(
            "sample_coding is '{coding}': a compressed SPHERE file; decompress it first, for example with \
             `sph2pipe -p -f wav`"
        )));
    }
    let number = |name: &str| -> Result<usize> {
        let value = field(name);
        let parsed = value.as_deref().and_then(|v| v.parse().ok());
        parsed.ok_or_else(|| bad(format!("{name} is {value:?}: expected a number")))
    };
    let count = number("sample_count")?;
    for (name, wanted) in
        [("channel_count", 1), ("sample_rate", RATE as usize), ("sample_n_bytes", 2)]
    {
        // TIMIT's own headers may leave the channel count out.
        let found = if field(name).is_none() && wanted == 1 { 1 } else { number(name)? };
        if found != wanted {
            return Err(bad(format!("{name} is {found}: expected {wanted}")));
        }
    }
    let big_endian = match field("sample_byte_format").as_deref() {
        Some("10") => true,
        Some("01") | None => false,
        Some(other) => {
            return Err(bad(format!("sample_byte_format is '{other}': expected 01 or 10")));
        }
    };
    let data = &bytes[size..];
    if data.len() != 2 * count {
        let what =
            format!("{} bytes follow: expected {} for {count} samples", data.len(), 2 * count);
        return Err(Error::data(path, format!("byte {size}"), what));
    }
    let value = |c: &[u8]| {
        if big_endian { i16::from_be_bytes([c[0], c[1]]) } else { i16::from_le_bytes([c[0], c[1]]) }
    };
    some(path, data.chunks_exact(2).map(value).collect())
}

fn some(path: &Path, samples: Vec<i16>) -> Result<Vec<i16>> {
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
        let cases: [(&str, Vec<u8>, &str); 9] = [
            ("empty", vec![], "0 bytes"),
            ("wrong magic", b"OggS....".to_vec(), "neither RIFF"),
            ("cut riff", riff[..riff.len() - 10].to_vec(), "expected"),
            ("cut riff header", riff[..20].to_vec(), "RIFF header"),
            ("stereo", stereo, "RIFF header"),
            ("cut sphere", sphere_file(FIELDS, &[1, 0, 2]), "3 bytes follow: expected 4"),
            ("cut sphere header", sphere_file(FIELDS, &[])[..500].to_vec(), "truncated"),
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
