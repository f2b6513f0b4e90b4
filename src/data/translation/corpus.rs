//! Pairs by split and bucket, from files or generated, and the vocabularies of both languages.

use std::path::{Path, PathBuf};

use crate::data::Split;
use crate::error::{Error, Result};

use super::pair::{BUCKETS, Pair, Side, TextOptions};
use super::text::{Text, check, numbers};
use super::vocabulary::{EOS, GO, PAD, Vocabulary, Words};
use super::{generated, read};

/// Where a folder has no held-out files, one pair in so many is held out.
const HELD_OUT: usize = 20;

/// Pairs by split and bucket, with the vocabularies of both languages.
#[derive(Debug, Clone)]
pub struct Corpus {
    pub(super) seed: u64,
    pub(super) buckets: Vec<(usize, usize)>,
    vocabularies: [Vocabulary; 2],
    pub(super) pairs: [Vec<Vec<Pair>>; 2],
    too_long: usize,
    pub(super) origin: Origin,
}

/// Where its sentences come from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Generated,
    Folder {
        path: PathBuf,
        languages: [String; 2],
        /// Whether the folder has held-out files.
        split: bool,
        blank: usize,
    },
}

impl Corpus {
    /// Generates `sizes` pairs to learn from and held out. Pair `i` depends on the seed, the split, `i`, the
    /// sizes of the vocabularies and the buckets alone. No held-out sentence is among those to learn from,
    /// and every word is in the vocabularies.
    ///
    /// # Errors
    /// [`Error::Usage`] for no pairs, for vocabularies too small for a language, and for buckets out of
    /// order or too narrow for a sentence.
    pub fn built_in(options: &TextOptions, sizes: [usize; 2]) -> Result<Self> {
        check(&options.buckets)?;
        let text = generated::text(options, sizes)?;
        Self::new(options, text, Origin::Generated, Path::new("built-in text"))
    }

    /// Reads a folder of parallel text: `train.XX` and `train.YY`, and held out `test.XX` and `test.YY` (or
    /// `valid`, or `dev`), XX and YY being any two languages. Each has one sentence a line, and line N of the
    /// one is the translation of line N of the other; each may be packed as `.gz`. The source is the language
    /// whose suffix comes first in the alphabet.
    ///
    /// Lines that are blank in both files are left out. Without held-out files, every 20th training pair is
    /// held out, from the first.
    ///
    /// # Errors
    /// [`Error::Data`] with file and line for what is not in this form, or where no pair fits a bucket;
    /// [`Error::Io`]; [`Error::Usage`] for buckets out of order.
    pub fn open(path: &Path, options: &TextOptions) -> Result<Self> {
        check(&options.buckets)?;
        let files = read::find(path)?;
        let mut text = Text::new([Words::default(), Words::default()], options.buckets.len());
        let mut count = 0_usize;
        let mut blank = read::pairs(&files.train, |pair| {
            let hold_out = files.test.is_none() && count.is_multiple_of(HELD_OUT);
            let split = if hold_out { Split::Test } else { Split::Train };
            count += 1;
            let pair = numbers(&mut text.words, pair);
            text.add(split, pair, &options.buckets);
        })?;
        if let Some(test) = &files.test {
            blank += read::pairs(test, |pair| {
                let pair = numbers(&mut text.words, pair);
                text.add(Split::Test, pair, &options.buckets);
            })?;
        }
        let origin = Origin::Folder {
            path: path.to_path_buf(),
            languages: files.languages,
            split: files.test.is_some(),
            blank,
        };
        Self::new(options, text, origin, &files.train[0])
    }

    fn new(options: &TextOptions, mut text: Text, origin: Origin, file: &Path) -> Result<Self> {
        if text.pairs[0].iter().all(Vec::is_empty) {
            let what =
                format!("no training sentences fit a bucket ({} are too long)", text.too_long);
            return Err(Error::data(file, "sentences", what));
        }
        let [source, target] = &text.words;
        let (source, source_ids) = source.vocabulary(options.vocabularies[0]);
        let (target, target_ids) = target.vocabulary(options.vocabularies[1]);
        for pair in text.pairs.iter_mut().flatten().flatten() {
            for (words, ids) in [(&mut pair.source, &source_ids), (&mut pair.target, &target_ids)] {
                words.iter_mut().for_each(|word| *word = ids[*word as usize]);
            }
        }
        Ok(Self {
            seed: options.seed,
            buckets: options.buckets.clone(),
            vocabularies: [source, target],
            pairs: text.pairs,
            too_long: text.too_long,
            origin,
        })
    }

    /// The words of a language.
    pub fn vocabulary(&self, side: Side) -> &Vocabulary {
        &self.vocabularies[side as usize]
    }

    /// Source and target lengths of each bucket.
    pub fn buckets(&self) -> &[(usize, usize)] {
        &self.buckets
    }

    /// The pairs of a bucket, in the order of the source.
    pub fn pairs(&self, split: Split, bucket: usize) -> &[Pair] {
        self.pairs[split as usize].get(bucket).map_or(&[], Vec::as_slice)
    }

    /// Pairs of both splits that fit no bucket and are left out.
    pub fn too_long(&self) -> usize {
        self.too_long
    }

    /// Share of the training pairs in each bucket.
    pub fn frequencies(&self) -> [f64; BUCKETS.len()] {
        let total = self.len(Split::Train) as f64;
        std::array::from_fn(|bucket| self.pairs(Split::Train, bucket).len() as f64 / total)
    }

    pub(super) fn len(&self, split: Split) -> usize {
        self.pairs[split as usize].iter().map(Vec::len).sum()
    }

    /// `20000 + 500 built-in sentence pairs in 4 buckets, vocabularies of 190 + 200`, and what was
    /// left out.
    pub fn describe(&self) -> String {
        let [train, test] = [Split::Train, Split::Test].map(|split| self.len(split));
        let [source, target] = self.vocabularies.each_ref().map(Vocabulary::len);
        let buckets = match self.buckets.len() {
            1 => "1 bucket".into(),
            n => format!("{n} buckets"),
        };
        let (kind, place) = match &self.origin {
            Origin::Generated => ("built-in".into(), String::new()),
            Origin::Folder { path, languages, .. } => {
                (languages.join("-"), format!(" in {}", path.display()))
            }
        };
        let mut text = format!(
            "{train} + {test} {kind} sentence pairs{place} in {buckets}, \
             vocabularies of {source} + {target}"
        );
        let too_long = self.too_long;
        if too_long > 0 {
            text += &format!(", {too_long} pairs too long for every bucket left out");
        }
        if let Origin::Folder { split, blank, .. } = &self.origin {
            if *blank > 0 {
                text += &format!(", {blank} blank lines left out");
            }
            if !split {
                text += &format!(", every {HELD_OUT}th training pair held out");
            }
        }
        text
    }

    /// A sentence for people: its words up to EOS, without GO and PAD.
    pub fn words(&self, ids: &[u32], side: Side) -> String {
        let words = ids.iter().take_while(|&&id| id != EOS);
        let words = words.filter(|&&id| id != GO && id != PAD);
        let words: Vec<_> = words.map(|&id| self.vocabulary(side).word(id)).collect();
        words.join(" ")
    }
}
