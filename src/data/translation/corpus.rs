//! Pairs by split and bucket, from files or generated, and the vocabularies of both languages.

use std::path::{Path, PathBuf};

use crate::data::Split;
use crate::data::listing::Listing;
use crate::error::{Result, plain};
use crate::terms::Reason;

use super::pair::{BUCKETS, Pair, Side, TextOptions};
use super::text::{Text, check};
use super::vocabulary::{EOS, GO, PAD, Vocabulary, Words};
use super::{generated, read};

/// Where a folder has no held-out files, one pair in this many is held out.
const HELD_OUT: usize = 20;

/// Pairs by split and bucket, with the vocabularies of both languages.
#[derive(Debug, Clone)]
pub struct Corpus {
    pub(super) seed: u64,
    pub(super) buckets: Vec<(usize, usize)>,
    vocabularies: [Vocabulary; 2],
    pub(super) pairs: [Vec<Vec<Pair>>; 2],
    /// The first bucket that is used.
    first: usize,
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
        listing: Listing,
    },
}

impl Corpus {
    /// Generates `sizes` pairs to learn from and held out. Pair `i` depends on the seed, the split, `i`, the
    /// sizes of the vocabularies and the buckets alone. No held-out sentence is among those to learn from,
    /// and every word is in the vocabularies.
    ///
    /// # Errors
    /// [`crate::error::Error::Usage`] for no pairs, for vocabularies too small for a language, and for buckets out of
    /// order or too narrow for a sentence.
    pub fn built_in(options: &TextOptions, sizes: [usize; 2]) -> Result<Self> {
        check(&options.buckets)?;
        let text = generated::text(options, sizes)?;
        Ok(Self::new(options, text, Origin::Generated))
    }

    /// Reads a folder of parallel text: `train.XX` and `train.YY`, and held out `test.XX` and `test.YY` (or
    /// `valid`, or `dev`), XX and YY being any two languages. Each has one sentence a line, and line N of the
    /// one is the translation of line N of the other; each may be packed as `.gz`. The source is the language
    /// whose suffix comes first in the alphabet.
    ///
    /// Lines that are blank in one file or in both are passed over. Without held-out files, every 20th training
    /// pair that fits a bucket in use is held out, from the first.
    ///
    /// # Errors
    /// [`crate::error::Error::Data`] with file and line for what is not in this form, or where no pair to learn from, or none
    /// held out, fits a bucket; [`crate::error::Error::Io`];
    /// [`crate::error::Error::Usage`] for buckets out of order.
    pub fn open(path: &Path, options: &TextOptions) -> Result<Self> {
        check(&options.buckets)?;
        let mut listing = Listing::new(options.skip_bad);
        let files = read::find(path, &mut listing)?;
        let mut text = Text::new([Words::default(), Words::default()], options.buckets.len());
        let mut count = 0_usize;
        let mut of_train = |bucket: Option<usize>| {
            if files.test.is_some() || bucket.is_none_or(|bucket| bucket < first(options)) {
                return Split::Train;
            }
            count += 1;
            if count % HELD_OUT == 1 { Split::Test } else { Split::Train }
        };
        read::pairs(&files.train, &mut listing, |pair, _| {
            text.read(&mut of_train, pair, &options.buckets, &files.train[0])
        })?;
        if let Some(test) = &files.test {
            read::pairs(test, &mut listing, |pair, _| {
                text.read(|_| Split::Test, pair, &options.buckets, &test[0])
            })?;
        }
        listing.pass_many(Reason::TooLong, text.too_long);
        listing.pass_many(Reason::Beyond, text.beyond);
        let origin = Origin::Folder {
            path: path.to_path_buf(),
            languages: files.languages,
            split: files.test.is_some(),
            listing,
        };
        let mut corpus = Self::new(options, text, origin);
        corpus.account()?;
        Ok(corpus)
    }

    fn new(options: &TextOptions, mut text: Text, origin: Origin) -> Self {
        let [source, target] = &text.words;
        let (source, source_ids) = source.vocabulary(options.vocabularies[0]);
        let (target, target_ids) = target.vocabulary(options.vocabularies[1]);
        for pair in text.pairs.iter_mut().flatten().flatten() {
            for (words, ids) in [(&mut pair.source, &source_ids), (&mut pair.target, &target_ids)] {
                words.iter_mut().for_each(|word| *word = ids[*word as usize]);
            }
        }
        Self {
            seed: options.seed,
            buckets: options.buckets.clone(),
            vocabularies: [source, target],
            pairs: text.pairs,
            first: first(options),
            origin,
        }
    }

    /// Counts what is used of a folder; neither half may be empty.
    fn account(&mut self) -> Result<()> {
        let used = [Split::Train, Split::Test].map(|split| self.len(split));
        let pairs = self.pairs.iter().flatten().map(Vec::len).sum::<usize>();
        let Origin::Folder { listing, .. } = &mut self.origin else { return Ok(()) };
        listing.pass_many(Reason::Shorter, pairs - used.iter().sum::<usize>());
        for (split, used) in [Split::Train, Split::Test].into_iter().zip(used) {
            listing.take(split, used);
        }
        for (split, used) in [Split::Train, Split::Test].into_iter().zip(used) {
            if used == 0 {
                return Err(self.empty(split, self.buckets.len() - 1));
            }
        }
        Ok(())
    }

    /// What was taken of a folder and what was passed over; nothing for generated text.
    pub fn listing(&self) -> Option<&Listing> {
        match &self.origin {
            Origin::Generated => None,
            Origin::Folder { listing, .. } => Some(listing),
        }
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

    /// Share of the training pairs in each bucket.
    pub fn frequencies(&self) -> [f64; BUCKETS.len()] {
        let total = self.len(Split::Train) as f64;
        std::array::from_fn(|bucket| self.pairs(Split::Train, bucket).len() as f64 / total)
    }

    /// Pairs in the buckets that are used.
    pub(super) fn len(&self, split: Split) -> usize {
        self.pairs[split as usize].iter().skip(self.first).map(Vec::len).sum()
    }

    /// `20000 + 500 built-in sentence pairs in 4 buckets, vocabularies of 190 + 200`.
    pub fn describe(&self) -> String {
        let [train, test] = [Split::Train, Split::Test].map(|split| self.len(split));
        let [source, target] = self.vocabularies.each_ref().map(Vocabulary::len);
        let buckets = match self.buckets.len() - self.first {
            1 => "1 bucket".into(),
            n => format!("{n} buckets"),
        };
        let (kind, place) = match &self.origin {
            Origin::Generated => ("built-in".into(), String::new()),
            Origin::Folder { path, languages, .. } => {
                (plain(languages.join("-")), format!(" in {}", plain(path.display())))
            }
        };
        let mut text = format!(
            "{train} + {test} {kind} sentence pairs{place} in {buckets}, \
             vocabularies of {source} + {target}"
        );
        if matches!(self.origin, Origin::Folder { split: false, .. }) {
            text += &format!(", every {HELD_OUT}th training pair held out");
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

/// The first bucket that is used.
fn first(options: &TextOptions) -> usize {
    if options.single { options.buckets.len() - 1 } else { 0 }
}
