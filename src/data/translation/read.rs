//! Files of parallel text: which ones make a corpus, and their lines in pairs.
//!
//! Owns the form: one sentence per line, line N of the one file being the translation of line N of the other.
//! Both are read line by line, so that memory does not follow the size of the files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::data::bounded;
use crate::data::folder::{
    Entry, EntryKind, Identity, as_in, check_folder, copied, deeper, disjoint, entries,
    same_content,
};
use crate::data::gzip::{self, Unpacked};
use crate::data::listing::Listing;
use crate::error::{Error, Result};
use crate::terms::Reason;

const TRAIN: &str = "train";
/// What a held-out pair of files may be called, in order of preference.
pub(super) const HELD_OUT: [&str; 4] = ["test", "valid", "dev", "val"];
/// Bytes of a line at most: no sentence is as long.
const LONGEST_LINE: u64 = 1 << 20;

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
pub(super) fn find(folder: &Path, listing: &mut Listing) -> Result<Files> {
    let bad = |what: String| Error::data(folder, "folder", what);
    check_folder(folder, "one with train.XX and train.YY")?;
    let mut parts = list(folder, listing)?;
    let train = parts.remove(TRAIN).unwrap_or_default();
    let count = train.len();
    let files = names(TRAIN, &train);
    let (languages, train) = two(train).ok_or_else(|| {
        let form = "one sentence per line in two languages XX and YY, plain or .gz";
        bad(match count {
            0 => {
                let is_train = |entry: &Entry| {
                    entry.name.starts_with("train.") && entry.kind == EntryKind::File
                };
                let inside = as_in(deeper(folder, |entries| entries.iter().any(is_train)));
                format!("neither train.XX nor train.YY: expected {form}{inside}")
            }
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
    let test = test.transpose()?;
    for [first, second] in [Some(&train), test.as_ref()].into_iter().flatten() {
        if Identity::of(first)? == Identity::of(second)? {
            let what =
                format!("the same file as {}: a text is not its own translation", first.display());
            return Err(Error::data(second, "file", what));
        }
        if same_content(first, second)? {
            let what = format!("a copy of {}: a text is not its own translation", first.display());
            return Err(Error::data(second, "file", what));
        }
    }
    for (name, part) in &parts {
        part.keys().for_each(|language| listing.pass(Reason::Unused, format!("{name}.{language}")));
    }
    if let Some(test) = &test {
        disjoint(&train, test)?;
        for (learned, held_out) in train.iter().flat_map(|file| test.iter().map(move |t| (file, t)))
        {
            if same_content(learned, held_out)? {
                return Err(copied(held_out, learned));
            }
        }
    }
    Ok(Files { languages, train, test })
}

/// What is in a folder, by part.
fn list(folder: &Path, listing: &mut Listing) -> Result<BTreeMap<String, Part>> {
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    // By name, so that the plain form comes before the packed one.
    for entry in entries(folder, listing)? {
        let plain = entry.name.strip_suffix(".gz");
        let named = plain.unwrap_or(&entry.name).split_once('.');
        let named = named.filter(|(part, language)| {
            let known = *part == TRAIN || HELD_OUT.contains(part);
            known && is_language(language)
        });
        if named.is_some() {
            entry.check_file()?;
        }
        let Some((part, language)) = named.filter(|_| entry.kind == EntryKind::File) else {
            listing.pass(Reason::Unused, entry.name);
            continue;
        };
        let files = parts.entry(part.to_owned()).or_default();
        if files.contains_key(language) {
            listing.pass(Reason::SecondForm, entry.name);
        } else {
            files.insert(language.to_owned(), entry.path);
        }
    }
    Ok(parts)
}

/// Whether what a name ends in may be a language, and not what editors and systems make of a copy: `en~`, `en (1)`.
fn is_language(end: &str) -> bool {
    !end.is_empty() && end.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '@'))
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

/// Hands over each sentence with its translation. Lines that are blank in one file or in both are passed over.
///
/// # Errors
/// [`Error::Data`] with the line for a file that is empty or cut short, and where one has more lines than the
/// other; for a line that is not UTF-8, or too long for a sentence, unless such are passed over. Those of `each`.
pub(super) fn pairs(
    files: &[PathBuf; 2],
    listing: &mut Listing,
    mut each: impl FnMut([&str; 2], &mut Listing) -> Result<()>,
) -> Result<()> {
    let [mut source, mut target] = [Lines::open(&files[0])?, Lines::open(&files[1])?];
    loop {
        let more = [source.advance()?, target.advance()?];
        let ended = files.iter().zip(more).find(|(_, more)| !more);
        if let Some((file, _)) = ended.filter(|_| source.line == 1) {
            let what = "the file is empty: expected one sentence per line";
            return Err(Error::data(file, "line 1", what));
        }
        match more {
            [false, false] => return Ok(()),
            [true, false] => return Err(source.longer_than(&target)),
            [false, true] => return Err(target.longer_than(&source)),
            [true, true] => {}
        }
        let [a, b] = match [source.text(), target.text()] {
            [Ok(a), Ok(b)] => [a, b],
            [Err(error), _] | [_, Err(error)] => {
                listing.doubt(Reason::Unreadable, error)?;
                continue;
            }
        };
        match [a.is_empty(), b.is_empty()] {
            [false, false] => each([a, b], listing)?,
            [true, true] => listing.pass_many(Reason::Blank, 1),
            _ => listing.pass_many(Reason::HalfBlank, 1),
        }
    }
}

/// The lines of a file. Gzip is recognised by its first bytes, not by the name.
struct Lines<'a> {
    input: Box<dyn BufRead>,
    file: &'a Path,
    packed: bool,
    /// Number of the line in `bytes`, from 1.
    line: usize,
    bytes: Vec<u8>,
    /// Whether the line is longer than `bytes`.
    cut: bool,
}

impl<'a> Lines<'a> {
    fn open(file: &'a Path) -> Result<Self> {
        let read = || Error::io("read", file);
        let mut input = BufReader::with_capacity(1 << 16, File::open(file).map_err(read())?);
        let packed = gzip::is_packed(input.fill_buf().map_err(read())?);
        let input: Box<dyn BufRead> = match packed {
            true => Box::new(BufReader::new(Unpacked::new(input))),
            false => Box::new(input),
        };
        Ok(Self { input, file, packed, line: 0, bytes: Vec::new(), cut: false })
    }

    /// Goes on to the next line; false at the end of the file, where `line` is one more than there are.
    fn advance(&mut self) -> Result<bool> {
        self.bytes.clear();
        self.line += 1;
        let length = self.read(LONGEST_LINE)?;
        self.cut = length as u64 == LONGEST_LINE && !self.bytes.ends_with(b"\n");
        let mut ended = !self.cut;
        while !ended {
            // The rest of the line, piece by piece.
            let kept = self.bytes.len();
            let length = self.read(LONGEST_LINE)?;
            ended = length == 0 || self.bytes.ends_with(b"\n");
            self.bytes.truncate(kept);
        }
        Ok(length > 0)
    }

    /// Appends what comes up to the end of the line, at most `most` bytes.
    fn read(&mut self, most: u64) -> Result<usize> {
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.bytes);
        read.map_err(|e| match gzip::damage(&e).filter(|_| self.packed) {
            Some(what) => self.fault(what),
            None => Error::io("read", self.file)(e),
        })
    }

    /// The line without white space around it, nor the mark that some editors put before the first, which may be any
    /// where files were joined.
    fn text(&self) -> Result<&str> {
        if self.line == 1 && bounded::ends_in_returns(&self.bytes) {
            return Err(self.fault(bounded::RETURNS.into()));
        }
        if self.cut {
            let mebibytes = LONGEST_LINE >> 20;
            return Err(
                self.fault(format!("longer than {mebibytes} MiB: no sentence is that long"))
            );
        }
        let text = bounded::text(&self.bytes).map_err(|what| self.fault(what.into()))?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text).trim())
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

    fn fault(&self, what: String) -> Error {
        Error::data(self.file, format!("line {}", self.line), what)
    }
}
