//! Sentences in batches, and the score of the translations.

use std::sync::Arc;

use crate::data::listing::Listing;
use crate::data::translation::{Corpus, Side, TranslationBatch};
use crate::data::{self, Split};
use crate::error::Result;
use crate::tensor::HostTensor;

use super::super::samples::{Batch, Feed, Samples};
use super::super::score::{Outputs, Ratio, Score};

/// A corpus in batches of one bucket, or of all in turn.
pub(super) struct Sentences {
    /// Sentences in a batch.
    pub(super) batch_size: usize,
    /// All buckets, drawn by how many sentences each has; else the last of the corpus alone.
    pub(super) mixed: bool,
    /// Of the draw.
    pub(super) seed: u64,
    pub(super) corpus: Arc<Corpus>,
}

impl Sentences {
    /// The bucket of a batch, as an index of the corpus's, and which batch of the bucket it is.
    fn place(&self, split: Split, step: u64) -> (usize, u64) {
        let last = self.corpus.buckets().len() - 1;
        if !self.mixed {
            return (last, step);
        }
        if split == Split::Train {
            return (self.corpus.bucket(self.seed, step), step);
        }
        // One bucket after the other.
        let mut step = step;
        for bucket in 0..last {
            let batches = self.corpus.batches(split, bucket, self.batch_size);
            if step < batches {
                return (bucket, step);
            }
            step -= batches;
        }
        (last, step)
    }
}

impl Samples for Sentences {
    fn batch(&mut self, split: Split, step: u64) -> Result<Box<dyn Batch>> {
        let (bucket, step) = self.place(split, step);
        let batch = self.corpus.batch(split, bucket, step, self.batch_size)?;
        Ok(Box::new(Pairs { batch, corpus: Arc::clone(&self.corpus) }))
    }

    fn test_batches(&self) -> u64 {
        let buckets = 0..self.corpus.buckets().len();
        let first = if self.mixed { 0 } else { buckets.end - 1 };
        let batches = |bucket| self.corpus.batches(Split::Test, bucket, self.batch_size);
        buckets.skip(first).map(batches).sum()
    }

    fn counted(&self, step: u64) -> usize {
        let (bucket, step) = self.place(Split::Test, step);
        data::new_in_batch(self.corpus.len_of(Split::Test, bucket), step, self.batch_size)
    }

    fn bucket(&self, split: Split, step: u64) -> usize {
        if self.mixed { self.place(split, step).0 } else { 0 }
    }

    fn describe(&self) -> String {
        self.corpus.describe()
    }

    fn listing(&self) -> Option<Listing> {
        self.corpus.listing().cloned()
    }
}

/// Sentences with their translations, and the words of both languages.
struct Pairs {
    batch: TranslationBatch,
    corpus: Arc<Corpus>,
}

impl Batch for Pairs {
    fn tensors(&self) -> Feed {
        let TranslationBatch { bucket: (source_length, target_length), .. } = self.batch;
        let size = self.batch.target.len() / target_length;
        vec![
            ("source", HostTensor::u32([size, source_length], &self.batch.source)),
            ("target", HostTensor::u32([size, target_length], &self.batch.target)),
            ("target_weight", HostTensor::f32([size, target_length], &self.batch.target_weight)),
        ]
    }
}

impl Score for Pairs {
    /// Tokens of greedy translations that are the reference's, EOS among them.
    fn score(&self, outputs: Outputs, counted: usize) -> Result<Ratio> {
        let tokens = outputs("tokens")?;
        let TranslationBatch { target, target_weight, bucket: (_, length), .. } = &self.batch;
        let places = 0..counted * length;
        let weighed: Vec<_> = places.filter(|&at| target_weight[at] > 0.0).collect();
        let right = weighed.iter().filter(|&&at| tokens.data[at] == f64::from(target[at + 1]));
        Ok(Ratio { sum: right.count() as f64, of: weighed.len() as f64 })
    }

    fn show(&self, outputs: Outputs, sample: usize) -> Result<Option<String>> {
        let tokens: Vec<u32> = outputs("tokens")?.data.iter().map(|&id| id as u32).collect();
        let (source_length, target_length) = self.batch.bucket;
        let words = |ids: &[u32], length: usize, side: Side| {
            self.corpus.words(&ids[sample * length..][..length], side)
        };
        Ok(Some(format!(
            "source       {}\ntranslation  {}\nreference    {}\n",
            words(&self.batch.source, source_length, Side::Source),
            words(&tokens, target_length, Side::Target),
            words(&self.batch.target, target_length, Side::Target)
        )))
    }
}
