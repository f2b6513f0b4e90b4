//! Batches: which pairs, in which order, and how they are padded.

use std::path::Path;

use crate::data::Split;
use crate::data::order::{mix, shuffled};
use crate::error::{Error, Result};

use super::corpus::{Corpus, Origin};
use super::pair::Pair;
use super::vocabulary::{EOS, GO, PAD};

/// Pairs padded to the lengths (S, T) of a bucket.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TranslationBatch {
    /// The bucket (S, T).
    pub bucket: (usize, usize),
    /// [B, S]: words, then PAD; in reading order.
    pub source: Vec<u32>,
    /// [B, T]: GO, words, EOS, then PAD.
    pub target: Vec<u32>,
    /// [B, T]: 1 where the next target is a word or EOS, which are to be predicted; 0 where it is PAD,
    /// and at the last place.
    pub target_weight: Vec<f32>,
}

impl Corpus {
    /// The bucket to train at a step, drawn by the share of the training pairs.
    pub fn bucket(&self, seed: u64, step: u64) -> usize {
        let drawn = mix(seed ^ mix(step ^ 0x6275_636b_6574));
        let place = ((u128::from(drawn) * self.len(Split::Train) as u128) >> 64) as usize;
        let ends = self.pairs[0].iter().scan(0, |end, pairs| {
            *end += pairs.len();
            Some(*end)
        });
        // The last end is the number of all, and the place is below that.
        ends.into_iter().position(|end| place < end).unwrap_or(0)
    }

    /// Pairs of a bucket.
    pub fn len_of(&self, split: Split, bucket: usize) -> usize {
        self.pairs(split, bucket).len()
    }

    /// Batches that hold every pair of a bucket once; the last is filled up from the first.
    pub fn batches(&self, split: Split, bucket: usize, batch_size: usize) -> u64 {
        self.len_of(split, bucket).div_ceil(batch_size) as u64
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
    ) -> Result<TranslationBatch> {
        let pairs = self.pairs(split, bucket);
        if pairs.is_empty() {
            return Err(self.empty(split, bucket));
        }
        let n = pairs.len() as u64;
        let first = step.wrapping_mul(batch_size as u64);
        let lengths = self.buckets[bucket];
        let mut batch = TranslationBatch { bucket: lengths, ..TranslationBatch::default() };
        for k in (0..batch_size as u64).map(|i| first.wrapping_add(i)) {
            let key = mix(self.seed ^ mix((k / n) ^ ((bucket as u64) << 48)));
            let place = match split {
                Split::Train => shuffled(k % n, n, key),
                Split::Test => k % n,
            };
            batch.push(&pairs[place as usize]);
        }
        Ok(batch)
    }

    /// The error of a bucket without pairs.
    pub(super) fn empty(&self, split: Split, bucket: usize) -> Error {
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
            0 => "nor does any other bucket".into(),
            _ => {
                format!("these buckets have some: {}; choose one with --bucket", filled.join(", "))
            }
        };
        let passed = self.listing().and_then(|listing| listing.line());
        let passed = passed.map_or(String::new(), |line| format!("; {line}"));
        let file = match &self.origin {
            Origin::Generated => Path::new("built-in text"),
            Origin::Folder { path, .. } => path,
        };
        Error::data(file, name(bucket), format!("it has no {which} pairs; {others}{passed}"))
    }
}

impl TranslationBatch {
    fn push(&mut self, pair: &Pair) {
        let (source, target) = self.bucket;
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
