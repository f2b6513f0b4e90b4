//! Files of parallel text: which ones make a corpus, and their lines in pairs.
//!
//! Owns the form: one sentence per line, line N of the one file being the translation of line N of the other.
//! Both are read line by line, so that memory does not follow the size of the files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};

const TRAIN: &str = "train";
/// What a held-out pair of files may be called, in order of preference.
pub(super) const HELD_OUT: [&str; 3] = ["test", "valid", "dev"];
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The files of a corpus, source first.
#[derive(Debug)]
pub(super) struct Files {
    /// Suffixes, in alphabetical order: the first is the source.
    pub(super) languages: [String; 2],
    /// To learn from.
    pub(super) train: [PathBuf; 2],
    /// Held out, where the folder has such.
    pub(super) test: Option<[PathBuf; 2]>,
}

/// The files of a part by language, alphabetically.
type Part = BTreeMap<String, PathBuf>;

/// Finds `train.XX` and `train.YY`, and a held-out pair, each plain or `.gz`. Where a file is there in both
/// forms, the plain one is read.
///
/// # Errors
/// [`Error::Data`] unless there are files of just two languages, the same in both parts.
pub(super) fn find(folder: &Path) -> Result<Files> {
    let bad = |what: String| Error::data(folder, "folder", what);
    if !folder.is_dir() {
        return Err(bad("no such folder: name one with train.XX and train.YY".into()));
    }
    let mut parts = list(folder)?;
    let train = parts.remove(TRAIN).unwrap_or_default();
    let count = train.len();
    let files = names(TRAIN, &train);
    let (languages, train) = two(train).ok_or_else(|| {
        let form = "one sentence per line in two languages XX and YY, plain or .gz";
        bad(match count {
            0 => format!("neither train.XX nor train.YY: expected {form}"),
            1 => {
                format!("only {files}: the same sentences in a second language are missing")
            }
            _ => format!(
                "{files}: {count} languages, expected two; put each pair into its own folder"
            ),
        })
    })?;
    let held_out = HELD_OUT.iter().find_map(|&name| Some((name, parts.remove(name)?)));
    let test = held_out.map(|(name, part)| {
        let files = names(name, &part);
        let pair = two(part).filter(|(held_out, _)| *held_out == languages);
        let [first, second] = &languages;
        pair.map(|(_, files)| files).ok_or_else(|| {
            bad(format!(
                "{files}: expected {name}.{first} and {name}.{second}, the languages of train"
            ))
        })
    });
    Ok(Files { languages, train, test: test.transpose()? })
}

/// What is in a folder, by part.
fn list(folder: &Path) -> Result<BTreeMap<String, Part>> {
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let plain = name.strip_suffix(".gz");
        let Some((part, language)) = plain.unwrap_or(name).split_once('.') else {
            continue;
        };
        let known = part == TRAIN || HELD_OUT.contains(&part);
        if !known || language.is_empty() || language.contains('.') || !path.is_file() {
            continue;
        }
        let files = parts.entry(part.to_owned()).or_default();
        if plain.is_none() || !files.contains_key(language) {
            files.insert(language.to_owned(), path);
        }
    }
    Ok(parts)
}

/// `train.de, train.en`.
fn names(part: &str, files: &Part) -> String {
    let names: Vec<_> = files.keys().map(|language| format!("{part}.{language}")).collect();
    names.join(", ")
}

fn two(part: Part) -> Option<([String; 2], [PathBuf; 2])> {
    let (languages, files): (Vec<_>, Vec<_>) = part.into_iter().unzip();
    Some((languages.try_into().ok()?, files.try_into().ok()?))
}

/// Hands over each sentence with its translation, and returns how many lines were blank in both files.
///
/// # Errors
/// [`Error::Data`] with the line for a file that is empty, cut short or not UTF-8, and for a sentence
/// without a translation.
pub(super) fn pairs(files: &[PathBuf; 2], mut each: impl FnMut([&str; 2])) -> Result<usize> {
    let [mut source, mut target] = [Lines::open(&files[0])?, Lines::open(&files[1])?];
    let mut blank = 0;
    loop {
        let more = [source.advance()?, target.advance()?];
        let ended = files.iter().zip(more).find(|(_, more)| !more);
        if let Some((file, _)) = ended.filter(|_| source.line == 1) {
            let what = "the file is empty: expected one sentence per line";
            return Err(Error::data(file, "line 1", what));
        }
        match more {
            [false, false] => return Ok(blank),
            [true, false] => return Err(source.longer_than(&target)),
            [false, true] => return Err(target.longer_than(&source)),
            [true, true] => {}
        }
        let [a, b] = [source.text()?, target.text()?];
        match [a.is_empty(), b.is_empty()] {
            [false, false] => each([a, b]),
            [true, true] => blank += 1,
            [true, false] => return Err(source.blank(&target)),
            [false, true] => return Err(target.blank(&source)),
        }
    }
}

/// The lines of a file. Gzip is told by its first bytes, not by the name.
struct Lines<'a> {
    input: Box<dyn BufRead>,
    file: &'a Path,
    packed: bool,
    /// Number of the line in `bytes`, from 1.
    line: usize,
    bytes: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn open(file: &'a Path) -> Result<Self> {
        let read = || Error::io("read", file);
        let mut input = BufReader::with_capacity(1 << 16, File::open(file).map_err(read())?);
        let packed = input.fill_buf().map_err(read())?.starts_with(&GZIP);
        let input: Box<dyn BufRead> = match packed {
            true => Box::new(BufReader::new(MultiGzDecoder::new(input))),
            false => Box::new(input),
        };
        Ok(Self { input, file, packed, line: 0, bytes: Vec::new() })
    }

    /// Goes on to the next line; false at the end of the file, where `line` is one more than there are.
    fn advance(&mut self) -> Result<bool> {
        use ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        self.bytes.clear();
        self.line += 1;
        match self.input.read_until(b'\n', &mut self.bytes) {
            Ok(length) => Ok(length > 0),
            Err(e)
                if self.packed
                    && matches!(e.kind(), InvalidData | InvalidInput | UnexpectedEof) =>
            {
                let what =
                    format!("the gzip stream is truncated or corrupt ({e}): download it again");
                Err(self.fault(what))
            }
            Err(e) => Err(Error::io("read", self.file)(e)),
        }
    }

    /// The line without white space around it, nor the mark that some editors put before the first.
    fn text(&self) -> Result<&str> {
        let text = std::str::from_utf8(&self.bytes);
        let text = text.map_err(|e| self.fault(format!("not UTF-8: {e}")))?;
        let mark = if self.line == 1 { "\u{feff}" } else { "" };
        Ok(text.strip_prefix(mark).unwrap_or(text).trim())
    }

    /// This file has a line, `other` has ended.
    fn longer_than(mut self, other: &Lines<'_>) -> Error {
        let (first, theirs) = (self.line, other.line - 1);
        loop {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return error,
            }
        }
        let what = format!(
            "a sentence without its translation: {} lines here, but {theirs} in {}",
            self.line - 1,
            other.file.display()
        );
        Error::data(self.file, format!("line {first}"), what)
    }

    /// This file's line is blank, that of `other` is not.
    fn blank(&self, other: &Lines<'_>) -> Error {
        let what = format!(
            "blank, but not in {}: a sentence without its translation",
            other.file.display()
        );
        self.fault(what)
    }

    fn fault(&self, what: String) -> Error {
        Error::data(self.file, format!("line {}", self.line), what)
    }
}
