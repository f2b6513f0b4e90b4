//! The TIMIT tree: TRAIN and TEST, dialect regions, speakers, with a .WAV and a .PHN file for each sentence.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::data::Split;
use crate::error::{Error, Result};

use super::audio;
use super::phn::{self, Segment};

/// The sentences of a split, as pairs of audio and phone files, in the order of their paths. The two
/// dialect sentences (SA1, SA2) that every speaker reads are left out, as is customary, since they
/// would put the same words into both splits.
///
/// # Errors
/// [`Error::Data`] for a tree without the split or a sentence without its other file, [`Error::Io`].
pub fn sentences(root: &Path, split: Split) -> Result<Vec<(PathBuf, PathBuf)>> {
    let name = match split {
        Split::Train => "TRAIN",
        Split::Test => "TEST",
    };
    let folder = children(root)?
        .into_iter()
        .find(|p| p.is_dir() && file_name(p).eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            Error::data(root, "folder", format!("no {name} in it: expected a TIMIT tree"))
        })?;
    let mut files = Vec::new();
    gather(&folder, &mut files)?;
    // Audio and phones by what they have in common, so that each finds its own partner.
    let mut pairs: BTreeMap<PathBuf, [Option<PathBuf>; 2]> = BTreeMap::new();
    for file in files {
        let has =
            |extension: &str| file.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
        let part = match (has("wav"), has("phn")) {
            (true, _) => 0,
            (_, true) => 1,
            _ => continue,
        };
        if file_name(&file).to_ascii_uppercase().starts_with("SA") {
            continue;
        }
        let slot = &mut pairs.entry(file.with_extension("")).or_default()[part];
        if let Some(twin) = slot {
            return Err(Error::data(
                &file,
                "folder",
                format!("{} exists as well: remove one of them", twin.display()),
            ));
        }
        *slot = Some(file);
    }
    if pairs.is_empty() {
        return Err(Error::data(
            &folder,
            "folder",
            "it has no .WAV file with a .PHN file beside it",
        ));
    }
    let whole = pairs.into_values().map(|pair| match pair {
        [Some(audio), Some(phones)] => Ok((audio, phones)),
        [Some(alone), None] => Err(Error::data(alone, "folder", "its .PHN file is missing")),
        [None, alone] => {
            let alone = alone.unwrap_or_default();
            Err(Error::data(alone, "folder", "its .WAV file is missing"))
        }
    });
    whole.collect()
}

/// Reads a sentence.
///
/// # Errors
/// As [`audio::read`] and [`phn::read`]; a phone beyond the audio's end.
pub fn read(wav: &Path, phones: &Path) -> Result<(Vec<i16>, Vec<Segment>)> {
    let (samples, segments) = (audio::read(wav)?, phn::read(phones)?);
    // A last phone may end within the window after the audio: it has no frame of its own there.
    let slack = super::mfcc::WINDOW;
    match segments.iter().find(|s| s.end > samples.len() + slack) {
        Some(segment) => Err(Error::data(
            phones,
            format!("the phone from {} to {}", segment.start, segment.end),
            format!("ends beyond the audio, which has {} samples", samples.len()),
        )),
        None => Ok((samples, segments)),
    }
}

/// Writes a sentence into a tree of TIMIT's shape.
///
/// # Errors
/// [`Error::Io`].
pub fn write(
    root: &Path,
    split: Split,
    index: usize,
    samples: &[i16],
    phones: &[Segment],
) -> Result<()> {
    let name = match split {
        Split::Train => "TRAIN",
        Split::Test => "TEST",
    };
    let folder = root.join(name).join("DR1").join(format!("MSYN{}", index / 8));
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let file = folder.join(format!("SX{index}"));
    audio::write(&file.with_extension("WAV"), samples)?;
    phn::write(&file.with_extension("PHN"), phones)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    entries.map(|e| e.map(|e| e.path()).map_err(Error::io("read", folder))).collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for path in children(folder)? {
        if path.is_dir() {
            gather(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let phones = [Segment { start: 0, end: 900, phone: 0 }];
        for (split, n) in [(Split::Train, 9), (Split::Test, 2)] {
            (0..n).for_each(|i| write(root.path(), split, i, &[5; 1000], &phones).unwrap());
        }
        root
    }

    #[test]
    fn a_tree_is_walked_in_order() {
        let root = tree();
        let files = sentences(root.path(), Split::Train).unwrap();
        assert_eq!(files.len(), 9);
        assert!(files.is_sorted());
        let (samples, phones) = read(&files[0].0, &files[0].1).unwrap();
        assert_eq!((samples.len(), phones.len()), (1000, 1));
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = tree();
        let speaker = root.path().join("TRAIN/DR1/MSYN0");
        fs::remove_file(speaker.join("SX3.PHN")).unwrap();
        let error = sentences(root.path(), Split::Train).unwrap_err().to_string();
        assert!(error.contains("SX3.WAV") && error.contains(".PHN file is missing"), "{error}");
        fs::remove_file(speaker.join("SX3.WAV")).unwrap();
        fs::write(speaker.join("SX2.PHN"), "0 5000 aa\n").unwrap();
        let error =
            read(&speaker.join("SX2.WAV"), &speaker.join("SX2.PHN")).unwrap_err().to_string();
        assert!(error.contains("0 to 5000") && error.contains("has 1000 samples"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        let error = sentences(empty.path(), Split::Test).unwrap_err().to_string();
        assert!(error.contains("no TEST in it"), "{error}");
        fs::create_dir(empty.path().join("test")).unwrap();
        let error = sentences(empty.path(), Split::Test).unwrap_err().to_string();
        assert!(error.contains("no .WAV"), "{error}");
        assert!(
            sentences(Path::new("nowhere"), Split::Test)
                .unwrap_err()
                .to_string()
                .contains("nowhere")
        );
    }
}
