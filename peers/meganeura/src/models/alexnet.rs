//! Five convolutions and three dense layers (Krizhevsky, Sutskever & Hinton 2012).

use super::image::{head, image, layer};
use crate::builder::Builder;

pub fn forward(b: &mut Builder) {
    let h = image(b);
    let h = layer(b, h, "conv1", 4, 2, 1).lrn(b).max_pool(b, 3, 2, 0);
    let h = layer(b, h, "conv2", 1, 2, 2).lrn(b).max_pool(b, 3, 2, 0);
    let h = layer(b, h, "conv3", 1, 1, 1);
    let h = layer(b, h, "conv4", 1, 1, 2);
    let h = layer(b, h, "conv5", 1, 1, 2).max_pool(b, 3, 2, 0);
    head(b, h);
}
