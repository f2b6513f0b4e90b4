//! The seq2seq workload's data: sentences with their translations, by a path or made up here.
//!
//! Owns the buckets, which pairs make a split, and the order in which they are visited. Made-up text is of
//! two small languages whose grammar says one right translation of each sentence.

use std::path::{Path, PathBuf};

use crate::data::order::{mix, shuffled};
use crate::error::{Error, Result};

pub use crate::data::Split;

mod grammar;
mod language;
mod made;
mod read;
mod tell;
mod token;
mod vocabulary;

pub use token::tokenize;
use vocabulary::Words;
pub use vocabulary::{EOS, GO, PAD, UNK, Vocabulary};

/// Source and target lengths of the buckets of TensorFlow's translate tutorial. A pair is padded to the
/// lengths of the smallest bucket it fits: the source's words, and the target's words with GO and EOS.
pub const BUCKETS: [(usize, usize); 4] = [(5, 10), (10, 15), (20, 25), (40, 50)];

/// Where a folder has no held-out files, one pair in so many is held out.
const HELD_OUT: usize = 20;

/// What a model asks of its text.
#[derive(Debug, Clone)]
pub struct Want {
    /// Of what is made up, and of the order.
    pub seed: u64,
    /// Ids of the source and of the target vocabulary at most, the four special ones among them.
    pub vocabularies: [usize; 2],
    /// Source and target lengths, smallest first: [`BUCKETS`] or some of them.
    pub buckets: Vec<(usize, usize)>,
}

/// One of the two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Translated from.
    Source,
    /// Translated to.
    Target,
}

/// A sentence and its translation: ids of words, without GO, EOS and PAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// In the source language.
    pub source: Vec<u32>,
    /// In the target language.
    pub target: Vec<u32>,
}

/// Pairs padded to the lengths (S, T) of a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// [B, S]: words, then PAD; in reading order.
    pub source: Vec<u32>,
    /// [B, T]: GO, words, EOS, then PAD.
    pub target: Vec<u32>,
    /// [B, T]: 1 where the next target is a word or EOS, which are to be predicted; 0 where it is PAD,
    /// and at the last place.
    pub target_weight: Vec<f32>,
}

/// Pairs by split and bucket, with the vocabularies of both languages.
#[derive(Debug, Clone)]
pub struct Corpus {
    seed: u64,
    buckets: Vec<(usize, usize)>,
    vocabularies: [Vocabulary; 2],
    pairs: [Vec<Vec<Pair>>; 2],
    too_long: usize,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    Made,
    Folder {
        path: PathBuf,
        languages: [String; 2],
        /// Whether the folder has held-out files.
        split: bool,
        blank: usize,
    },
}

/// Pairs by split and bucket while they come in; their words are numbers in `words`.
#[derive(Debug)]
struct Text {
    words: [Words; 2],
    pairs: [Vec<Vec<Pair>>; 2],
    too_long: usize,
}

impl Text {
    fn new(words: [Words; 2], buckets: usize) -> Self {
        let pairs = [vec![Vec::new(); buckets], vec![Vec::new(); buckets]];
        Self {
            words,
            pairs,
            too_long: 0,
        }
    }

    /// Adds a pair. The vocabularies are those of the training pairs, whatever their length.
    fn add(&mut self, split: Split, pair: Pair, buckets: &[(usize, usize)]) {
        if split == Split::Train {
            for (words, side) in self.words.iter_mut().zip([&pair.source, &pair.target]) {
                side.iter().for_each(|&word| words.count(word));
            }
        }
        match fitting(buckets, &pair) {
            Some(bucket) => self.pairs[split as usize][bucket].push(pair),
            None => self.too_long += 1,
        }
    }
}

/// The smallest bucket that a pair fits.
fn fitting(buckets: &[(usize, usize)], pair: &Pair) -> Option<usize> {
    let (source, target) = (pair.source.len(), pair.target.len() + 2);
    buckets
        .iter()
        .position(|&(s, t)| source <= s && target <= t)
}

impl Corpus {
    /// Makes up `sizes` pairs to learn from and held out. Pair `i` depends on the seed, the split, `i`, the
    /// sizes of the vocabularies and the buckets alone. No held-out sentence is among those to learn from,
    /// and every word is in the vocabularies.
    ///
    /// # Errors
    /// [`Error::Usage`] for no pairs, for vocabularies too small for a language, and for buckets out of
    /// order or too narrow for a sentence.
    pub fn built_in(want: &Want, sizes: [usize; 2]) -> Result<Self> {
        check(&want.buckets)?;
        let text = made::text(want, sizes)?;
        Self::new(want, text, Origin::Made, Path::new("built-in text"))
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
    pub fn open(path: &Path, want: &Want) -> Result<Self> {
        check(&want.buckets)?;
        let files = read::find(path)?;
        let mut text = Text::new([Words::default(), Words::default()], want.buckets.len());
        let mut count = 0;
        let mut blank = read::pairs(&files.train, |pair| {
            let hold_out = files.test.is_none() && count % HELD_OUT == 0;
            let split = if hold_out { Split::Test } else { Split::Train };
            count += 1;
            let pair = numbers(&mut text.words, pair);
            text.add(split, pair, &want.buckets);
        })?;
        if let Some(test) = &files.test {
            blank += read::pairs(test, |pair| {
                let pair = numbers(&mut text.words, pair);
                text.add(Split::Test, pair, &want.buckets);
            })?;
        }
        let origin = Origin::Folder {
            path: path.to_path_buf(),
            languages: files.languages,
            split: files.test.is_some(),
            blank,
        };
        Self::new(want, text, origin, &files.train[0])
    }

    fn new(want: &Want, mut text: Text, origin: Origin, file: &Path) -> Result<Self> {
        if text.pairs[0].iter().all(Vec::is_empty) {
            let what = format!(
                "no sentences to learn from that fit a bucket ({} are too long)",
                text.too_long
            );
            return Err(Error::data(file, "sentences", what));
        }
        let [source, target] = &text.words;
        let (source, source_ids) = source.vocabulary(want.vocabularies[0]);
        let (target, target_ids) = target.vocabulary(want.vocabularies[1]);
        for pair in text.pairs.iter_mut().flatten().flatten() {
            let number_to_id = |word: &mut u32, ids: &[u32]| *word = ids[*word as usize];
            pair.source
                .iter_mut()
                .for_each(|w| number_to_id(w, &source_ids));
            pair.target
                .iter_mut()
                .for_each(|w| number_to_id(w, &target_ids));
        }
        Ok(Self {
            seed: want.seed,
            buckets: want.buckets.clone(),
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
        self.pairs[split as usize]
            .get(bucket)
            .map_or(&[], Vec::as_slice)
    }

    /// Pairs of both splits that fit no bucket and are left out.
    pub fn too_long(&self) -> usize {
        self.too_long
    }

    /// Share of the training pairs in each bucket.
    pub fn frequencies(&self) -> [f64; BUCKETS.len()] {
        let all = self.len(Split::Train) as f64;
        std::array::from_fn(|bucket| self.pairs(Split::Train, bucket).len() as f64 / all)
    }

    /// The bucket to train at a step, drawn by the share of the training pairs.
    pub fn bucket(&self, seed: u64, step: u64) -> usize {
        let drawn = mix(seed ^ mix(step ^ 0x6275_636b_6574));
        let mut place = ((u128::from(drawn) * self.len(Split::Train) as u128) >> 64) as usize;
        let sizes = self.pairs[0].iter().map(Vec::len);
        for (bucket, size) in sizes.enumerate() {
            if place < size {
                return bucket;
            }
            place -= size;
        }
        unreachable!("the place is below the sum of the sizes")
    }

    /// Batches that hold every pair of a bucket once; the last is filled up from the first.
    pub fn batches(&self, split: Split, bucket: usize, batch_size: usize) -> u64 {
        self.pairs(split, bucket).len().div_ceil(batch_size) as u64
    }

    /// Batch `step` of a bucket. Epochs follow each other without a gap, each with every pair once in an
    /// order of its own; held-out pairs keep theirs.
    ///
    /// # Errors
    /// [`Error::Data`] if the bucket has no pairs.
    pub fn batch(
        &self,
        split: Split,
        bucket: usize,
        step: u64,
        batch_size: usize,
    ) -> Result<Batch> {
        let pairs = self.pairs(split, bucket);
        if pairs.is_empty() {
            return Err(self.empty(split, bucket));
        }
        let n = pairs.len() as u64;
        let first = step.wrapping_mul(batch_size as u64);
        let mut batch = Batch {
            source: Vec::new(),
            target: Vec::new(),
            target_weight: Vec::new(),
        };
        for k in (0..batch_size as u64).map(|i| first.wrapping_add(i)) {
            let key = mix(self.seed ^ mix(k / n ^ (bucket as u64) << 48));
            let place = match split {
                Split::Train => shuffled(k % n, n, key),
                Split::Test => k % n,
            };
            batch.push(&pairs[place as usize], self.buckets[bucket]);
        }
        Ok(batch)
    }

    fn empty(&self, split: Split, bucket: usize) -> Error {
        let name = |bucket: usize| match self.buckets.get(bucket) {
            Some((source, target)) => format!("bucket {bucket} ({source}, {target})"),
            None => format!("bucket {bucket}"),
        };
        let filled = (0..self.buckets.len()).filter(|&b| !self.pairs(split, b).is_empty());
        let filled: Vec<_> = filled.map(name).collect();
        let which = match split {
            Split::Train => "training",
            Split::Test => "held-out",
        };
        let others = match filled.len() {
            0 => "nor has any other".into(),
            _ => format!("these have: {}", filled.join(", ")),
        };
        let file = match &self.origin {
            Origin::Made => Path::new("built-in text"),
            Origin::Folder { path, .. } => path,
        };
        Error::data(
            file,
            name(bucket),
            format!("no {which} pairs in it; {others}"),
        )
    }

    fn len(&self, split: Split) -> usize {
        self.pairs[split as usize].iter().map(Vec::len).sum()
    }

    /// `20000 + 500 built-in sentence pairs in 4 buckets, 186 + 196 words`, and what was left out.
    pub fn describe(&self) -> String {
        let [train, test] = [Split::Train, Split::Test].map(|split| self.len(split));
        let [source, target] = self.vocabularies.each_ref().map(Vocabulary::len);
        let buckets = match self.buckets.len() {
            1 => "1 bucket".into(),
            n => format!("{n} buckets"),
        };
        let (kind, place) = match &self.origin {
            Origin::Made => ("built-in".into(), String::new()),
            Origin::Folder {
                path, languages, ..
            } => (languages.join("-"), format!(" in {}", path.display())),
        };
        let mut text = format!(
            "{train} + {test} {kind} sentence pairs{place} in {buckets}, vocabularies of {source} + {target}"
        );
        if self.too_long > 0 {
            text += &format!(
                ", {} pairs too long for every bucket left out",
                self.too_long
            );
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

impl Batch {
    fn push(&mut self, pair: &Pair, (source, target): (usize, usize)) {
        let rows = self.target_weight.len() / target + 1;
        self.source.extend(&pair.source);
        self.source.resize(rows * source, PAD);
        self.target.push(GO);
        self.target.extend(&pair.target);
        self.target.push(EOS);
        self.target.resize(rows * target, PAD);
        // The words and EOS are predicted, each at the place before it.
        let predicted = self.target_weight.len() + pair.target.len() + 1;
        self.target_weight.resize(predicted, 1.0);
        self.target_weight.resize(rows * target, 0.0);
    }
}

/// Numbers the words of a pair.
fn numbers(words: &mut [Words; 2], pair: [&str; 2]) -> Pair {
    let mut side = |side: usize| {
        let tokens = token::split(pair[side]);
        tokens.iter().map(|word| words[side].number(word)).collect()
    };
    Pair {
        source: side(0),
        target: side(1),
    }
}

fn check(buckets: &[(usize, usize)]) -> Result<()> {
    if (1..=BUCKETS.len()).contains(&buckets.len()) && buckets.is_sorted() {
        return Ok(());
    }
    let what = format!(
        "buckets {buckets:?}: expected 1 to {}, smallest first",
        BUCKETS.len()
    );
    Err(Error::Usage(what))
}

#[cfg(test)]
mod tests;
