//! A real set: images in folders or archives, read and decoded as they are asked for.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::data::Split;
use crate::data::listing::Listing;
use crate::data::order::mix;
use crate::error::{Error, Result, plain};
use crate::terms::Reason;

use super::file::Stored;
use super::{ImageOptions, Order, Origin, archive, copies, folder, transform};

/// Of a set with no split of its own, one sample in this many is held out.
const HELD_OUT: usize = 10;

/// Its images.
#[derive(Debug)]
pub(super) struct Real {
    path: PathBuf,
    classes: usize,
    train: Vec<Stored>,
    test: Vec<Stored>,
    met: Mutex<Met>,
}

/// What is known of a set so far.
#[derive(Debug)]
struct Met {
    listing: Listing,
    /// Places of images that cannot be read: each is decoded, and counted, once.
    unreadable: HashSet<(Split, u64)>,
}

impl Real {
    /// Opens a folder or a tar.
    ///
    /// # Errors
    /// [`Error::Data`] for what is no set of images, or has more classes than the model; [`Error::Io`] where it cannot
    /// be read.
    pub(super) fn open(path: &Path, options: &ImageOptions) -> Result<Self> {
        let mut listing = Listing::new(options.skip_bad);
        let mut list = if path.is_dir() {
            folder::list(path, &mut listing)?
        } else {
            archive::list(path, &mut listing)?
        };
        let classes = list.classes.len();
        if classes > options.classes {
            let what = format!(
                "{classes} classes, but the model has {}: choose --preset full or --set classes={classes}",
                options.classes
            );
            return Err(Error::data(path, "classes", what));
        }
        for images in [&mut list.train, &mut list.test] {
            leave_out_by_length(images, &mut listing)?;
        }
        copies::leave_out(&mut list, &mut listing)?;
        let (mut train, mut test) = (list.train, list.test);
        if !list.is_split {
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
        let met = Mutex::new(Met { listing, unreadable: HashSet::new() });
        Ok(Self { path: path.to_path_buf(), classes, train, test, met })
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn images(&self, split: Split) -> &[Stored] {
        match split {
            Split::Train => &self.train,
            Split::Test => &self.test,
        }
    }
}

/// What else cannot be read is found when it is decoded.
fn leave_out_by_length(images: &mut Vec<Stored>, listing: &mut Listing) -> Result<()> {
    for error in images.iter().filter_map(|image| image.check_length().err()) {
        listing.doubt(Reason::Unreadable, error)?;
    }
    images.retain(|image| image.check_length().is_ok());
    Ok(())
}

impl Origin for Real {
    fn len(&self, split: Split) -> u64 {
        self.images(split).len() as u64
    }

    fn sample(&self, order: &Order, k: u64, options: &ImageOptions) -> Result<(Vec<f32>, u32)> {
        let (split, n) = (order.split, order.images);
        // An image that is passed over is replaced by another of the epoch.
        for attempt in 0..n {
            let at = (split, order.place(k + attempt));
            if self.met().unreadable.contains(&at) {
                continue;
            }
            let stored = &self.images(split)[at.1 as usize];
            match stored.decode() {
                Ok(image) => {
                    let size = options.size as u32;
                    let image = match split {
                        Split::Train => transform::random_crop(&image, size, mix(order.key ^ k)),
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
        Err(Error::data(&self.path, "images", what))
    }

    fn describe(&self, _: &ImageOptions) -> String {
        let classes = match self.classes {
            1 => "1 class".into(),
            classes => format!("{classes} classes"),
        };
        format!("images of {classes} in {}", plain(self.path.display()))
    }

    fn listing(&self) -> Option<Listing> {
        Some(self.met().listing.clone())
    }
}
