//! Labelled images: generated, in one folder per class, or in the ILSVRC tar of tars.
//!
//! Owns which samples make a split, the order in which they are visited, and that worker threads prepare
//! batches ahead of their use. A batch is a function of the settings and of its number alone.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::data::Split;
use crate::data::listing::Listing;
use crate::data::order::{mix, shuffled};
use crate::error::Result;
use crate::host::HAS_FILES;
use crate::host::parallel::*;

mod ahead;
mod archive;
mod copies;
mod draw;
mod drawn;
mod file;
mod folder;
mod gate;
mod jpeg;
mod real;
mod tape;
mod transform;

use ahead::Ahead;
use drawn::Drawn;
use real::Real;

/// What a model asks of its images.
#[derive(Debug, Clone)]
pub struct ImageOptions {
    /// Rows and columns.
    pub size: usize,
    /// Classes the model can tell apart.
    pub classes: usize,
    /// Images in a batch.
    pub batch: usize,
    /// Of what is drawn, of the order and of every crop.
    pub seed: u64,
    /// A folder or a tar; `None` for drawn ones.
    pub source: Option<PathBuf>,
    /// Pass over images that cannot be read.
    pub skip_bad: bool,
}

/// Images with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageBatch {
    /// Rows and columns S of an image.
    pub size: usize,
    /// Pixels [B, S, S, 3], standardised by ImageNet's mean and deviation of each colour.
    pub pixels: Vec<f32>,
    /// Classes `[B]`.
    pub labels: Vec<u32>,
}

/// Images in batches.
#[derive(Debug)]
pub struct Images {
    set: Arc<Set>,
    ahead: Ahead<ImageBatch>,
}

/// Where images come from.
trait Origin: fmt::Debug + Send + Sync {
    /// How many a split has.
    fn len(&self, split: Split) -> u64;

    /// The `k`-th image of all epochs, standardised, and its class.
    ///
    /// # Errors
    /// [`crate::error::Error::Data`], [`crate::error::Error::Io`] for one that cannot be read.
    fn sample(&self, order: &Order, k: u64, options: &ImageOptions) -> Result<(Vec<f32>, u32)>;

    /// `procedural images of 10 classes`.
    fn describe(&self, options: &ImageOptions) -> String;

    /// What was taken of a real set and what was passed over so far.
    fn listing(&self) -> Option<Listing>;
}

/// In which order an epoch has the images of a split: every one once, held-out ones as they come.
struct Order {
    split: Split,
    images: u64,
    /// Of the epoch.
    key: u64,
}

impl Order {
    /// Which image is the `k`-th.
    fn place(&self, k: u64) -> u64 {
        let k = k % self.images;
        match self.split {
            Split::Train => shuffled(k, self.images, self.key),
            Split::Test => k,
        }
    }
}

#[derive(Debug)]
struct Set {
    options: ImageOptions,
    origin: Box<dyn Origin>,
}

/// Opens the images.
///
/// # Errors
/// [`crate::error::Error::Data`] for a set that is no set of images, or with more classes than the model has;
/// [`crate::error::Error::Io`] where it cannot be read.
pub fn open(options: &ImageOptions) -> Result<Images> {
    let origin: Box<dyn Origin> = match &options.source {
        Some(path) if HAS_FILES => Box::new(Real::open(path, options)?),
        _ => Box::new(Drawn),
    };
    let set = Arc::new(Set { options: options.clone(), origin });
    let maker = Arc::clone(&set);
    Ok(Images { set, ahead: Ahead::new(move |step| maker.batch(Split::Train, step)) })
}

impl Images {
    /// Batch `step` of a split. Epochs follow each other without a gap, each with every image once in an
    /// order of its own; held-out images keep theirs.
    ///
    /// # Errors
    /// [`crate::error::Error::Data`], [`crate::error::Error::Io`] for an image that cannot be read, unless such are left out.
    pub fn batch(&mut self, split: Split, step: u64) -> Result<ImageBatch> {
        match split {
            Split::Train => self.ahead.take(step),
            Split::Test => self.set.batch(split, step),
        }
    }

    /// Steps in which every image to learn from is seen once.
    pub fn epoch(&self) -> u64 {
        self.set.len(Split::Train).div_ceil(self.set.options.batch as u64)
    }

    /// Batches that hold every held-out image once; the last is filled up from the first.
    pub fn test_batches(&self) -> u64 {
        self.set.len(Split::Test).div_ceil(self.set.options.batch as u64)
    }

    /// Held-out images that batch `step` holds for the first time.
    pub fn counted(&self, step: u64) -> usize {
        super::new_in_batch(self.set.len(Split::Test) as usize, step, self.set.options.batch)
    }

    /// `50000 + 500 procedural images of 10 classes`.
    pub fn describe(&self) -> String {
        let [train, test] = [Split::Train, Split::Test].map(|split| self.set.len(split));
        format!("{train} + {test} {}", self.set.origin.describe(&self.set.options))
    }

    /// What was taken of a real set and what was passed over so far; nothing for drawn images.
    pub fn listing(&self) -> Option<Listing> {
        self.set.origin.listing()
    }
}

impl Set {
    fn len(&self, split: Split) -> u64 {
        self.origin.len(split)
    }

    fn batch(&self, split: Split, step: u64) -> Result<ImageBatch> {
        let first = step.wrapping_mul(self.options.batch as u64);
        let places: Vec<_> =
            (0..self.options.batch as u64).map(|i| first.wrapping_add(i)).collect();
        let samples: Result<Vec<_>> = places.par_iter().map(|&k| self.sample(split, k)).collect();
        let (pixels, labels): (Vec<_>, Vec<_>) = samples?.into_iter().unzip();
        Ok(ImageBatch { size: self.options.size, pixels: pixels.concat(), labels })
    }

    fn sample(&self, split: Split, k: u64) -> Result<(Vec<f32>, u32)> {
        let images = self.len(split);
        let order = Order { split, images, key: mix(self.options.seed ^ mix(k / images)) };
        self.origin.sample(&order, k, &self.options)
    }
}

#[cfg(test)]
mod tests;
