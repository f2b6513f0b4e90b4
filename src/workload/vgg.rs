//! vgg: sixteen convolutions and three dense layers (Simonyan & Zisserman 2014, configuration E).

use crate::graph::Tensor;
use crate::nn::conv_bias;
use crate::op::conv2d::Conv;
use crate::op::max_pool::MaxPool;
use crate::terms::Preset;

use super::classic::{Classic, Plateau};
use super::images::{self, Sizes};
use super::info::WorkloadInfo;

/// Its line in the list.
pub const INFO: WorkloadInfo = images::info(
    "vgg",
    "19 layers of 3 x 3 convolutions, on images",
    "Simonyan & Zisserman 2014, Very deep convolutional networks for large-scale image recognition",
    |preset, batch| Box::new(vgg(preset, batch)),
);

/// Convolutions of each stage (table 1, column E).
const DEPTHS: [usize; 5] = [2, 2, 4, 4, 4];

/// 3 x 3 filters that keep the size.
const CONV: Conv = Conv { stride: 1, pad: 1, groups: 1 };

const POOL: MaxPool = MaxPool { window: 2, stride: 2, pad: 0 };

/// The model at the sizes of a preset.
fn vgg(preset: Preset, batch: Option<usize>) -> Classic {
    let (images, channels, dense) = match preset {
        Preset::Full => (Sizes::full(8, batch), [64, 128, 256, 512, 512], [4096, 4096]),
        Preset::Tiny => (Sizes::tiny(32, batch), [8, 16, 32, 64, 64], [64, 64]),
    };
    Classic { info: &INFO, stages, images, channels, dense, plateau: Plateau::default() }
}

/// The convolutions (section 2.1).
fn stages(x: Tensor<'_>, channels: [usize; 5]) -> Tensor<'_> {
    let mut h = x;
    for (stage, (depth, channels)) in (1..).zip(DEPTHS.into_iter().zip(channels)) {
        for layer in 1..=depth {
            h = conv_bias(h, &format!("conv{stage}_{layer}"), 3, channels, CONV).relu();
        }
        h = h.max_pool(POOL);
    }
    h
}
