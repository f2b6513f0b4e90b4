//! Where samples come from, and where a batch of them becomes tensors.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::data::listing::Listing;
use crate::data::{self, Split};
use crate::error::Result;
use crate::host::HAS_FILES;
use crate::tensor::HostTensor;

use super::score::Score;

/// Named tensors for the inputs of a step.
pub type Feed = Vec<(&'static str, HostTensor)>;

/// Where samples come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSource {
    /// The real data set; `None` for the built-in generator.
    pub path: Option<PathBuf>,
    /// Pass over what is doubtful or cannot be read, and say what, instead of ending with the error.
    pub skip_bad: bool,
    /// The game that deepq plays; `None` for the first of the list.
    pub game: Option<String>,
    /// Of the generator and of the order.
    pub seed: u64,
}

impl DataSource {
    /// The real data set; nothing in a page, whatever the path.
    pub(super) fn real(&self) -> Option<&Path> {
        self.path.as_deref().filter(|_| HAS_FILES)
    }
}

/// A workload's samples, in batches of its shapes.
pub trait Samples {
    /// Batch `step` of a split, in a seeded order in which each epoch has every sample once.
    ///
    /// # Errors
    /// [`crate::error::Error::Data`], [`crate::error::Error::Io`] for a sample that cannot be read.
    fn batch(&mut self, split: Split, step: u64) -> Result<Box<dyn Batch>>;

    /// Batches that hold every held-out sample once.
    fn test_batches(&self) -> u64;

    /// Samples of held-out batch `step` that count: the last batch is filled up from the first.
    fn counted(&self, step: u64) -> usize;

    /// What it is: `4096 + 512 procedural digits`.
    fn describe(&self) -> String;

    /// Steps in which training sees every sample once, where it has an end.
    fn epoch(&self) -> Option<u64> {
        None
    }

    /// Batches of the samples that training is steered by: see [`Score::judge`].
    ///
    /// # Errors
    /// As [`Samples::batch`].
    fn validation(&mut self) -> Result<Vec<Box<dyn Batch>>> {
        (0..self.test_batches()).map(|step| self.batch(Split::Test, step)).collect()
    }

    /// Which of [`super::Model::buckets`] a batch is for.
    fn bucket(&self, split: Split, step: u64) -> usize {
        let _ = (split, step);
        0
    }

    /// What a step of the game took, where samples come from playing.
    fn environment(&self) -> Option<Duration> {
        None
    }

    /// What was taken of a real data set and what was passed over so far; nothing for built-in samples.
    fn listing(&self) -> Option<Listing> {
        None
    }
}

/// A batch of samples. It keeps its own types, by which the model's outputs are scored; here it becomes tensors.
pub trait Batch: Score {
    /// The inputs of a step, by name.
    fn tensors(&self) -> Feed;
}

/// A set that is read the same way for either split, and never ends.
pub(super) trait Half {
    /// Its batches.
    type Batch: Batch + 'static;

    /// Samples in it.
    fn len(&self) -> usize;

    /// Batch `step` of `batch_size` samples; each epoch has an order of its own.
    fn batch(&self, step: u64, batch_size: usize) -> Self::Batch;
}

/// Two such sets: to learn from, and held out.
#[derive(Debug)]
pub(super) struct Halves<S> {
    /// Samples in a batch.
    pub(super) batch_size: usize,
    /// What they are.
    pub(super) kind: &'static str,
    pub(super) train: S,
    pub(super) test: S,
    /// Of a real set.
    pub(super) listing: Option<Listing>,
}

impl<S: Half> Samples for Halves<S> {
    fn batch(&mut self, split: Split, step: u64) -> Result<Box<dyn Batch>> {
        let half = match split {
            Split::Train => &self.train,
            Split::Test => &self.test,
        };
        Ok(Box::new(half.batch(step, self.batch_size)))
    }

    fn test_batches(&self) -> u64 {
        self.test.len().div_ceil(self.batch_size) as u64
    }

    fn counted(&self, step: u64) -> usize {
        data::new_in_batch(self.test.len(), step, self.batch_size)
    }

    fn describe(&self) -> String {
        format!("{} + {} {}", self.train.len(), self.test.len(), self.kind)
    }

    fn listing(&self) -> Option<Listing> {
        self.listing.clone()
    }
}
