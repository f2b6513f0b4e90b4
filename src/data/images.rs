//! Labelled images: generated, in one folder per class, or in the ILSVRC tar of tars.
//!
//! Owns which samples make a split, the order in which they are visited, and that worker threads prepare
//! batches ahead of their use. A batch is a function of the settings and of its number alone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::data::Split;
use crate::data::listing::Listing;
use crate::data::order::{mix, shuffled};
use crate::error::{Error, Result, plain};
use crate::host::parallel::*;
use crate::terms::Reason;

mod ahead;
mod archive;
mod copies;
mod draw;
mod file;
mod folder;
mod gate;
mod jpeg;
mod tape;
mod transform;

use ahead::Ahead;
use file::Stored;

/// Drawn images to learn from, and held out. They cost nothing to keep: enough that nets without much
/// regularisation don't learn them by heart.
const DRAWN: [u64; 2] = [50_000, 500];

/// Of a set with no split of its own, one sample in this many is held out.
const HELD_OUT: usize = 10;

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
#[derive(Debug)]
enum Origin {
    Drawn,
    Stored { path: PathBuf, classes: usize, train: Vec<Stored>, test: Vec<Stored> },
}

#[derive(Debug)]
struct Set {
    options: ImageOptions,
    origin: Origin,
    met: Mutex<Met>,
}

/// What is known of a set so far.
#[derive(Debug, Default)]
struct Met {
    listing: Listing,
    /// Places of images that cannot be read: each is decoded, and counted, once.
    unreadable: HashSet<(Split, u64)>,
}

/// Opens the images.
///
/// # Errors
/// [`Error::Data`] for a set that is no set of images, or with more classes than the model has;
/// [`Error::Io`] where it cannot be read.
pub fn open(options: &ImageOptions) -> Result<Images> {
    let mut listing = Listing::new(options.skip_bad);
    let origin = match &options.source {
        None => Origin::Drawn,
        Some(path) => stored(path, options, &mut listing)?,
    };
    let met = Mutex::new(Met { listing, unreadable: HashSet::new() });
    let set = Arc::new(Set { options: options.clone(), origin, met });
    let maker = Arc::clone(&set);
    Ok(Images { set, ahead: Ahead::new(move |step| maker.batch(Split::Train, step)) })
}

fn stored(path: &Path, options: &ImageOptions, listing: &mut Listing) -> Result<Origin> {
    let mut list =
        if path.is_dir() { folder::list(path, listing)? } else { archive::list(path, listing)? };
    let classes = list.classes.len();
    if classes > options.classes {
        let what = format!(
            "{classes} classes, but the model has {}: choose --preset full or --set classes={classes}",
            options.classes
        );
        return Err(Error::data(path, "classes", what));
    }
    let is_split = !list.test.is_empty();
    for images in [&mut list.train, &mut list.test] {
        leave_out_by_length(images, listing)?;
    }
    copies::leave_out(&mut list, listing)?;
    let (mut train, mut test) = (list.train, list.test);
    if !is_split {
        // By a hash of the name, so that the split stays when files are added.
        let held_out = |image: &Stored| image.key().is_multiple_of(HELD_OUT as u64);
        (test, train) = train.into_iter().partition(held_out);
        if test.is_empty() && train.len() > 1 {
            test.extend(train.pop());
        }
    }
    listing.take(Split::Train, train.len());
    listing.take(Split::Test, test.len());
    listing.settle(path, "images")?;
    Ok(Origin::Stored { path: path.to_path_buf(), classes, train, test })
}

/// What else cannot be read is found when it is decoded.
fn leave_out_by_length(images: &mut Vec<Stored>, listing: &mut Listing) -> Result<()> {
    for error in images.iter().filter_map(|image| image.check_length().err()) {
        listing.doubt(Reason::Unreadable, error)?;
    }
    images.retain(|image| image.check_length().is_ok());
    Ok(())
}

impl Images {
    /// Batch `step` of a split. Epochs follow each other without a gap, each with every image once in an
    /// order of its own; held-out images keep theirs.
    ///
    /// # Errors
    /// [`Error::Data`], [`Error::Io`] for an image that cannot be read, unless such are left out.
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

    /// `50000 + 500 procedural images of 10 classes`.
    pub fn describe(&self) -> String {
        let [train, test] = [Split::Train, Split::Test].map(|split| self.set.len(split));
        let what = match &self.set.origin {
            Origin::Drawn => format!("procedural images of {} classes", self.set.options.classes),
            Origin::Stored { path, classes, .. } => {
                let classes =
                    if *classes == 1 { "1 class".into() } else { format!("{classes} classes") };
                format!("images of {classes} in {}", plain(path.display()))
            }
        };
        format!("{train} + {test} {what}")
    }

    /// What was taken of a real set and what was passed over so far; nothing for drawn images.
    pub fn listing(&self) -> Option<Listing> {
        matches!(self.set.origin, Origin::Stored { .. }).then(|| self.set.met().listing.clone())
    }
}

impl Set {
    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self, split: Split) -> u64 {
        match &self.origin {
            Origin::Drawn => DRAWN[split as usize],
            Origin::Stored { train, test, .. } => match split {
                Split::Train => train.len() as u64,
                Split::Test => test.len() as u64,
            },
        }
    }

    fn batch(&self, split: Split, step: u64) -> Result<ImageBatch> {
        let first = step.wrapping_mul(self.options.batch as u64);
        let places: Vec<_> =
            (0..self.options.batch as u64).map(|i| first.wrapping_add(i)).collect();
        let samples: Result<Vec<_>> = places.par_iter().map(|&k| self.sample(split, k)).collect();
        let (pixels, labels): (Vec<_>, Vec<_>) = samples?.into_iter().unzip();
        Ok(ImageBatch { size: self.options.size, pixels: pixels.concat(), labels })
    }

    /// The `k`-th image of all epochs.
    fn sample(&self, split: Split, k: u64) -> Result<(Vec<f32>, u32)> {
        let n = self.len(split);
        let key = mix(self.options.seed ^ mix(k / n));
        let place = |k: u64| match split {
            Split::Train => shuffled(k % n, n, key),
            Split::Test => k % n,
        };
        let Origin::Stored { train, test, .. } = &self.origin else {
            let (index, size) = (place(k), self.options.size);
            let label = (index % self.options.classes as u64) as u32;
            let seed = mix(self.options.seed ^ mix(split as u64 ^ index << 1));
            let image = draw::image(seed, label as usize, size);
            return Ok((transform::standardise(&image), label));
        };
        let images = if split == Split::Train { train } else { test };
        // An image that is passed over is replaced by another of the epoch.
        for attempt in 0..n {
            let at = (split, place(k + attempt));
            if self.met().unreadable.contains(&at) {
                continue;
            }
            let stored = &images[at.1 as usize];
            match stored.decode() {
                Ok(image) => {
                    let size = self.options.size as u32;
                    let image = match split {
                        Split::Train => transform::random_crop(&image, size, mix(key ^ k)),
                        Split::Test => transform::centre_crop(&image, size),
                    };
                    return Ok((transform::standardise(image.as_raw()), stored.label));
                }
                Err(error) => {
                    let mut met = self.met();
                    if !met.unreadable.contains(&at) {
                        met.listing.doubt(Reason::Unreadable, error)?;
                        met.unreadable.insert(at);
                    }
                }
            }
        }
        let which = match split {
            Split::Train => "images to learn from",
            Split::Test => "held-out images",
        };
        let first = self.met().listing.skipped().into_iter().next().unwrap_or_default();
        let what = format!("none of the {n} {which} can be read; the first passed over: {first}");
        Err(Error::data(self.options.source.clone().unwrap_or_default(), "images", what))
    }
}

#[cfg(test)]
mod tests;
