//! Sixteen 3 x 3 convolutions and three dense layers (Simonyan & Zisserman 2014, configuration E).

use super::image::{head, image, layer};
use crate::builder::Builder;

/// Table 1.
const DEPTHS: [usize; 5] = [2, 2, 4, 4, 4];

pub fn forward(b: &mut Builder) {
    let mut h = image(b);
    for (stage, depth) in (1..).zip(DEPTHS) {
        for at in 1..=depth {
            h = layer(b, h, &format!("conv{stage}_{at}"), 1, 1, 1);
        }
        h = h.max_pool(b, 2, 2, 0);
    }
    head(b, h);
}
