//! Pairs as they are read, before the words have ids.

use std::path::Path;

use crate::data::Split;
use crate::error::{Error, Result};

use super::pair::{BUCKETS, Pair};
use super::token;
use super::vocabulary::Words;

/// Bytes that the different words of a language take at most: some ten million.
const MOST_WORDS: usize = 1 << 28;

/// Pairs kept at most, 7 GiB of the longest.
const MOST_PAIRS: usize = 1 << 24;

/// Pairs by split and bucket while they come in; their words are numbers in `words`.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) words: [Words; 2],
    pub(super) pairs: [Vec<Vec<Pair>>; 2],
    /// Pairs that fit no bucket.
    pub(super) too_long: usize,
    /// Pairs that are not kept, as there are enough.
    pub(super) beyond: usize,
    kept: usize,
}

impl Text {
    pub(super) fn new(words: [Words; 2], buckets: usize) -> Self {
        let pairs = [vec![Vec::new(); buckets], vec![Vec::new(); buckets]];
        Self { words, pairs, too_long: 0, beyond: 0, kept: 0 }
    }

    /// Adds a pair of lines to the split that its bucket is asked for.
    ///
    /// # Errors
    /// [`Error::Data`] for more different words than a language has.
    pub(super) fn read(
        &mut self,
        split: impl FnOnce(Option<usize>) -> Split,
        pair: [&str; 2],
        buckets: &[(usize, usize)],
        file: &Path,
    ) -> Result<()> {
        let pair = numbers(&mut self.words, pair);
        self.add(split, pair, buckets);
        if self.words.iter().any(|words| words.bytes() > MOST_WORDS) {
            let what = "more different words than a language has: expected text";
            return Err(Error::data(file, "words", what));
        }
        Ok(())
    }

    /// Adds a pair. The vocabularies are those of the training pairs, whatever their length.
    pub(super) fn add(
        &mut self,
        split: impl FnOnce(Option<usize>) -> Split,
        pair: Pair,
        buckets: &[(usize, usize)],
    ) {
        let bucket = fitting(buckets, &pair);
        let split = split(bucket);
        if split == Split::Train {
            for (words, side) in self.words.iter_mut().zip([&pair.source, &pair.target]) {
                side.iter().for_each(|&word| words.count(word));
            }
        }
        match bucket {
            Some(_) if self.kept == MOST_PAIRS => self.beyond += 1,
            Some(bucket) => {
                self.kept += 1;
                self.pairs[split as usize][bucket].push(pair);
            }
            None => self.too_long += 1,
        }
    }
}

/// The smallest bucket that a pair fits.
pub(super) fn fitting(buckets: &[(usize, usize)], pair: &Pair) -> Option<usize> {
    let (source, target) = (pair.source.len(), pair.target.len() + 2);
    buckets.iter().position(|&(s, t)| source <= s && target <= t)
}

/// Numbers the words of a pair.
fn numbers(words: &mut [Words; 2], pair: [&str; 2]) -> Pair {
    let mut side = |side: usize| {
        let tokens = token::split(pair[side]);
        tokens.iter().map(|word| words[side].number(word)).collect()
    };
    Pair { source: side(0), target: side(1) }
}

/// Refuses buckets that are out of order, and none.
///
/// # Errors
/// [`Error::Usage`].
pub(super) fn check(buckets: &[(usize, usize)]) -> Result<()> {
    if (1..=BUCKETS.len()).contains(&buckets.len()) && buckets.is_sorted() {
        return Ok(());
    }
    let what = format!("buckets {buckets:?}: expected 1 to {}, smallest first", BUCKETS.len());
    Err(Error::Usage(what))
}
