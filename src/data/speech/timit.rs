//! The TIMIT tree: TRAIN and TEST, dialect regions, speakers, with a .WAV and a .PHN file for each sentence.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::data::Split;
use crate::data::folder::{Entry, EntryKind, as_in, check_folder, deeper, disjoint, entries, walk};
use crate::data::listing::Listing;
use crate::error::{Error, Result};
use crate::terms::Reason;

use super::audio;
use super::phn::{self, Segment};

/// A sentence: its audio and its phones.
pub type Sentence = (PathBuf, PathBuf);

/// The sentences of both splits, in the order of their paths. The two dialect sentences (SA1, SA2) that every
/// speaker reads are passed over, as is customary, since they would put the same words into both splits.
///
/// # Errors
/// [`Error::Data`] for a tree without a split, for a sentence that is in both, and for one without its other
/// file unless such are passed over; [`Error::Io`].
pub fn sentences(root: &Path, listing: &mut Listing) -> Result<[Vec<Sentence>; 2]> {
    check_folder(root, "a TIMIT tree, with TRAIN and TEST")?;
    let top = entries(root, listing)?;
    let find = |name: &str| {
        let folders = top.iter().filter(|entry| entry.kind == EntryKind::Folder);
        let mut named = folders.filter(|folder| folder.name.eq_ignore_ascii_case(name));
        let folder = named.next();
        if let Some(twin) = named.next() {
            let what = format!("a second {name}: which one is meant cannot be known");
            return Err(Error::data(&twin.path, "folder", what));
        }
        folder.ok_or_else(|| {
            let inside = as_in(deeper(root, holds_halves));
            let what =
                format!("no {name} in it: expected a TIMIT tree, with TRAIN and TEST{inside}");
            Error::data(root, "folder", what)
        })
    };
    let (train, test) = (find("TRAIN")?, find("TEST")?);
    for other in top.iter().filter(|other| ![&train.path, &test.path].contains(&&other.path)) {
        listing.pass(Reason::Unused, &other.name);
    }
    let halves = [of_split(&train.path, listing)?, of_split(&test.path, listing)?];
    let audio = |half: usize| -> Vec<&Path> {
        halves[half].iter().map(|(audio, _)| audio.as_path()).collect()
    };
    disjoint(&audio(0), &audio(1))?;
    Ok(halves)
}

fn holds_halves(folder: &[Entry]) -> bool {
    let has = |half: &str| {
        let is_half = |entry: &Entry| entry.name.eq_ignore_ascii_case(half);
        folder.iter().any(|entry| entry.kind == EntryKind::Folder && is_half(entry))
    };
    has("TRAIN") && has("TEST")
}

/// What a sentence's files are.
#[derive(Debug, Default)]
struct Pair {
    audio: Option<PathBuf>,
    phones: Option<PathBuf>,
}

fn of_split(folder: &Path, listing: &mut Listing) -> Result<Vec<Sentence>> {
    // Audio and phones by what they have in common, so that each finds its own partner.
    let mut pairs: BTreeMap<PathBuf, Pair> = BTreeMap::new();
    let mut converted = Vec::new();
    for file in walk(folder, listing)? {
        let has =
            |extension: &str| file.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
        if !has("wav") && !has("phn") {
            // Every sentence has its text, and its words in time, as well.
            if !has("txt") && !has("wrd") {
                listing.pass(Reason::Unused, file_name(&file));
            }
            continue;
        }
        if is_dialect(&file_name(&file)) {
            listing.pass(Reason::Dialect, file_name(&file));
            continue;
        }
        let stem = file.with_extension("");
        if has("phn") {
            put(&mut pairs.entry(stem).or_default().phones, file)?;
        } else if stem.extension().is_some_and(|e| e.eq_ignore_ascii_case("wav")) {
            converted.push((stem.with_extension(""), file));
        } else {
            put(&mut pairs.entry(stem).or_default().audio, file)?;
        }
    }
    // `SX1.WAV.wav` is what some copies have beside SX1.WAV, or in its place.
    for (stem, file) in converted {
        let slot = &mut pairs.entry(stem).or_default().audio;
        match slot {
            Some(_) => listing.pass(Reason::SecondForm, file_name(&file)),
            None => *slot = Some(file),
        }
    }
    let mut sentences = Vec::new();
    for (stem, pair) in pairs {
        let (alone, missing) = match pair {
            Pair { audio: Some(audio), phones: Some(phones) } => {
                sentences.push((audio, phones));
                continue;
            }
            Pair { audio: Some(audio), .. } => (audio, ".PHN"),
            Pair { phones, .. } => (phones.unwrap_or(stem), ".WAV"),
        };
        let error = Error::data(alone, "folder", format!("its {missing} file is missing"));
        listing.doubt(Reason::Alone, error)?;
    }
    if sentences.is_empty() {
        return Err(Error::data(
            folder,
            "folder",
            "it has no .WAV file with a .PHN file beside it",
        ));
    }
    Ok(sentences)
}

/// Whether a file belongs to SA1 or SA2.
fn is_dialect(name: &str) -> bool {
    let sentence = name.split('.').next().unwrap_or(name);
    ["SA1", "SA2"].iter().any(|known| sentence.eq_ignore_ascii_case(known))
}

fn put(slot: &mut Option<PathBuf>, file: PathBuf) -> Result<()> {
    match slot.replace(file.clone()) {
        Some(twin) => {
            let what = format!("{} exists as well: remove one of them", twin.display());
            Err(Error::data(file, "folder", what))
        }
        None => Ok(()),
    }
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

    fn listed(root: &Path) -> Result<([Vec<Sentence>; 2], Listing)> {
        let mut listing = Listing::new(false);
        Ok((sentences(root, &mut listing)?, listing))
    }

    #[test]
    fn a_tree_is_walked_in_order() {
        let root = tree();
        let ([files, test], listing) = listed(root.path()).unwrap();
        assert_eq!((files.len(), test.len(), listing.line()), (9, 2, None));
        assert!(files.is_sorted());
        let (samples, phones) = read(&files[0].0, &files[0].1).unwrap();
        assert_eq!((samples.len(), phones.len()), (1000, 1));
    }

    #[test]
    fn what_lies_about_in_a_tree_is_passed_over_and_counted() {
        let root = tree();
        let speaker = root.path().join("TRAIN/DR1/MSYN0");
        for name in ["._SX1.WAV", "._SX1.PHN", "SA1.WAV", "SA1.PHN", "SX1.TXT"] {
            fs::write(speaker.join(name), "x").unwrap();
        }
        fs::copy(speaker.join("SX1.WAV"), speaker.join("SX1.WAV.wav")).unwrap();
        fs::rename(speaker.join("SX2.WAV"), speaker.join("SX2.WAV.wav")).unwrap();
        // No dialect sentence, whatever it begins with.
        for end in ["WAV", "PHN"] {
            let file = |name: &str| speaker.join(name).with_extension(end);
            fs::rename(file("SX3"), file("sample")).unwrap();
        }
        fs::write(root.path().join("README.DOC"), "x").unwrap();
        let ([files, _], listing) = listed(root.path()).unwrap();
        assert_eq!(files.len(), 9);
        assert!(files.contains(&(speaker.join("SX2.WAV.wav"), speaker.join("SX2.PHN"))));
        assert!(files.contains(&(speaker.join("SX1.WAV"), speaker.join("SX1.PHN"))));
        let line = listing.line().unwrap();
        for expected in [
            "2 hidden files",
            "1 entry that is not used (README.DOC)",
            "1 second form of a file (SX1.WAV.wav)",
            "2 dialect sentences",
        ] {
            assert!(line.contains(expected), "{line}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn links_into_the_tree_add_no_sentences_and_none_is_in_both_splits() {
        use std::os::unix::fs::symlink;
        let root = tree();
        for (target, name) in [(".", "x"), ("..", "y"), ("../DR1", "z")] {
            symlink(target, root.path().join("TRAIN/DR1").join(name)).unwrap();
        }
        let ([files, _], listing) = listed(root.path()).unwrap();
        assert_eq!(files.len(), 9);
        assert!(listing.line().unwrap().contains("3 links to what is listed"));
        fs::remove_dir_all(root.path().join("TEST")).unwrap();
        symlink("TRAIN", root.path().join("TEST")).unwrap();
        let error = listed(root.path()).unwrap_err().to_string();
        assert!(error.contains("among what is learned from as well"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = tree();
        let speaker = root.path().join("TRAIN/DR1/MSYN0");
        fs::remove_file(speaker.join("SX3.PHN")).unwrap();
        let error = listed(root.path()).unwrap_err().to_string();
        assert!(error.contains("SX3.WAV") && error.contains(".PHN file is missing"), "{error}");
        let mut lenient = Listing::new(true);
        assert_eq!(sentences(root.path(), &mut lenient).unwrap()[0].len(), 8);
        assert!(lenient.skipped()[0].contains("SX3.WAV"));
        fs::write(speaker.join("SX2.PHN"), "0 5000 aa\n").unwrap();
        let error =
            read(&speaker.join("SX2.WAV"), &speaker.join("SX2.PHN")).unwrap_err().to_string();
        assert!(error.contains("0 to 5000") && error.contains("has 1000 samples"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        fs::create_dir(empty.path().join("train")).unwrap();
        let error = listed(empty.path()).unwrap_err().to_string();
        assert!(error.contains("no TEST in it"), "{error}");
        fs::create_dir(empty.path().join("test")).unwrap();
        #[cfg(target_os = "linux")]
        {
            let second = empty.path().join("Test");
            fs::create_dir(&second).unwrap();
            let error = listed(empty.path()).unwrap_err().to_string();
            assert!(error.contains("a second TEST: which one is meant"), "{error}");
            fs::remove_dir(second).unwrap();
        }
        let error = listed(empty.path()).unwrap_err().to_string();
        assert!(error.contains("no .WAV"), "{error}");
        let (nested, tree) = (tempfile::tempdir().unwrap(), tree());
        let inside = nested.path().join("data/TIMIT");
        fs::create_dir(nested.path().join("data")).unwrap();
        fs::rename(tree.path(), &inside).unwrap();
        let error = listed(nested.path()).unwrap_err().to_string();
        assert!(error.ends_with(&format!("as in {}", inside.display())), "{error}");
        for (path, what) in [
            (Path::new("nowhere"), "no such folder"),
            (&inside.join("TRAIN/DR1/MSYN0/SX1.WAV"), "a file, not a folder"),
        ] {
            let error = listed(path).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
