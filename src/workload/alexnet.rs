//! alexnet: five convolutions and three dense layers (Krizhevsky, Sutskever & Hinton 2012).

use crate::graph::Tensor;
use crate::nn::conv_bias;
use crate::op::conv2d::Conv;
use crate::op::lrn::Lrn;
use crate::op::max_pool::MaxPool;
use crate::terms::Preset;

use super::classic::{Classic, Plateau};
use super::images::{self, Sizes};
use super::info::WorkloadInfo;

/// Its line in the list.
pub const INFO: WorkloadInfo = images::info(
    "alexnet",
    "5 convolutions, 3 dense layers, on images",
    "Krizhevsky 2012, ImageNet classification with deep convolutional neural networks",
    |preset, batch| Box::new(alexnet(preset, batch)),
);

/// Response normalisation with the published constants (section 3.3).
const LRN: Lrn = Lrn { half: 2, k: 2.0, alpha: 1e-4 };

/// Overlapping pooling (section 3.4).
const POOL: MaxPool = MaxPool { window: 3, stride: 2, pad: 0 };

/// The model at the sizes of a preset.
fn alexnet(preset: Preset, batch: Option<usize>) -> Classic {
    let (images, channels, dense) = match preset {
        Preset::Full => (Sizes::full(64, batch), [96, 256, 384, 384, 256], [4096, 4096]),
        Preset::Tiny => (Sizes::tiny(64, batch), [12, 32, 48, 48, 32], [64, 64]),
    };
    Classic { info: &INFO, stages, images, channels, dense, plateau: Plateau::default() }
}

/// The convolutions (section 3.5).
fn stages(x: Tensor<'_>, [c1, c2, c3, c4, c5]: [usize; 5]) -> Tensor<'_> {
    let conv = |x, name, size, channels, stride, pad, groups| {
        let settings = Conv { stride, pad, groups };
        conv_bias(x, name, size, channels, settings).relu()
    };
    let h = conv(x, "conv1", 11, c1, 4, 2, 1).lrn(LRN).max_pool(POOL);
    // The two GPUs of the paper are two groups of channels.
    let h = conv(h, "conv2", 5, c2, 1, 2, 2).lrn(LRN).max_pool(POOL);
    let h = conv(h, "conv3", 3, c3, 1, 1, 1);
    let h = conv(h, "conv4", 3, c4, 1, 1, 2);
    conv(h, "conv5", 3, c5, 1, 1, 2).max_pool(POOL)
}
