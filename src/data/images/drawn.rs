//! Images that are drawn as they are asked for.

use crate::data::Split;
use crate::data::listing::Listing;
use crate::data::order::mix;
use crate::error::Result;

use super::{ImageOptions, Order, Origin, draw, transform};

/// Images to learn from, and held out. They cost nothing to keep: enough that nets without much regularisation don't
/// learn them by heart.
const IMAGES: [u64; 2] = [50_000, 500];

/// All of them.
#[derive(Debug)]
pub(super) struct Drawn;

impl Origin for Drawn {
    fn len(&self, split: Split) -> u64 {
        IMAGES[split as usize]
    }

    fn sample(&self, order: &Order, k: u64, options: &ImageOptions) -> Result<(Vec<f32>, u32)> {
        let index = order.place(k);
        let label = (index % options.classes as u64) as u32;
        let seed = mix(options.seed ^ mix(order.split as u64 ^ index << 1));
        let image = draw::image(seed, label as usize, options.size);
        Ok((transform::standardise(&image), label))
    }

    fn describe(&self, options: &ImageOptions) -> String {
        format!("procedural images of {} classes", options.classes)
    }

    fn listing(&self) -> Option<Listing> {
        None
    }
}
