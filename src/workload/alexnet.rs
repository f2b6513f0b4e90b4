//! alexnet: five convolutions and three dense layers (Krizhevsky, Sutskever & Hinton 2012).

use serde_json::{Map, Value};

use crate::error::Result;
use crate::graph::{Graph, Tensor};
use crate::nn::{Start::HeNormal, conv_bias, dense, dropout, flatten};
use crate::op::conv2d::Conv;
use crate::op::lrn::Lrn;
use crate::op::max_pool::MaxPool;
use crate::tensor::Array;

use super::images::{self, Sizes};
use super::{Data, Entry, Feed, Metric, Mode, Optimizer, Preset, Rule, Source, Workload};

/// Its line in the list.
pub const ENTRY: Entry = Entry {
    name: "alexnet",
    about: "5 convolutions, 3 dense layers, on images",
    paper: "Krizhevsky 2012, ImageNet classification with deep convolutional neural networks",
    data: images::DATA,
    configure: |preset, batch| Box::new(Alexnet::new(preset, batch)),
};

/// Sizes of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alexnet {
    /// Batch, image and classes.
    pub images: Sizes,
    /// Channels of each convolution.
    pub channels: [usize; 5],
    /// Units of fc6 and fc7.
    pub dense: [usize; 2],
}

/// Response normalisation with the published constants (section 3.3).
const LRN: Lrn = Lrn {
    half: 2,
    k: 2.0,
    alpha: 1e-4,
};

/// Overlapping pooling (section 3.4).
const POOL: MaxPool = MaxPool {
    window: 3,
    stride: 2,
    pad: 0,
};

impl Alexnet {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (images, channels, dense) = match preset {
            Preset::Full => (
                Sizes::full(64, batch),
                [96, 256, 384, 384, 256],
                [4096, 4096],
            ),
            Preset::Tiny => (Sizes::tiny(64, batch), [12, 32, 48, 48, 32], [64, 64]),
        };
        Self {
            images,
            channels,
            dense,
        }
    }

    fn names() -> [&'static str; 7] {
        ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]
    }
}

impl Workload for Alexnet {
    fn batch(&self) -> usize {
        self.images.batch
    }

    fn config(&self) -> Map<String, Value> {
        let own = self.channels.iter().chain(&self.dense);
        images::config(&self.images, Self::names().into_iter().zip(own.copied()))
    }

    fn set(&mut self, name: &str, value: usize) -> bool {
        let own = self.channels.iter_mut().chain(&mut self.dense);
        images::set(
            &mut self.images,
            Self::names().into_iter().zip(own),
            name,
            value,
        )
    }

    fn build<'g>(&self, g: &'g Graph, mode: Mode) -> Option<Tensor<'g>> {
        let [c1, c2, c3, c4, c5] = self.channels;
        let conv = |x, name, size, channels, stride, pad, groups| {
            let settings = Conv {
                stride,
                pad,
                groups,
            };
            conv_bias(x, name, size, channels, settings).relu()
        };
        let x = images::input(g, &self.images);
        let h = conv(x, "conv1", 11, c1, 4, 2, 1).lrn(LRN).max_pool(POOL);
        // The two GPUs of the paper are two groups of channels.
        let h = conv(h, "conv2", 5, c2, 1, 2, 2).lrn(LRN).max_pool(POOL);
        let h = conv(h, "conv3", 3, c3, 1, 1, 1);
        let h = conv(h, "conv4", 3, c4, 1, 1, 2);
        let h = conv(h, "conv5", 3, c5, 1, 1, 2).max_pool(POOL);
        let training = mode == Mode::Train;
        let h = dense(flatten(h), "fc6", self.dense[0], HeNormal).relu();
        let h = dropout(h, "fc6", 0.5, training);
        let h = dense(h, "fc7", self.dense[1], HeNormal).relu();
        let h = dropout(h, "fc7", 0.5, training);
        let logits = dense(h, "fc8", self.images.classes, HeNormal);
        images::loss(logits, mode)
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::Momentum {
            rate: 0.01,
            momentum: 0.9,
            decay: 5e-4,
        })
    }

    fn data(&self, source: &Source) -> Result<Box<dyn Data>> {
        images::open(&self.images, source)
    }

    fn metric(&self) -> Metric {
        images::METRIC
    }

    fn score(&self, feed: &Feed, read: &dyn Fn(&str) -> Result<Array>) -> Result<(f64, f64)> {
        images::score(feed, &read("logits")?)
    }
}
