//! vgg: sixteen convolutions and three dense layers (Simonyan & Zisserman 2014, configuration E).

use serde_json::{Map, Value};

use crate::error::Result;
use crate::graph::{Graph, Tensor};
use crate::nn::{Start::HeNormal, conv_bias, dense, dropout, flatten};
use crate::op::conv2d::Conv;
use crate::op::max_pool::MaxPool;
use crate::tensor::Array;

use super::images::{self, Sizes};
use super::{Data, Entry, Feed, Metric, Mode, Optimizer, Preset, Rule, Source, Workload};

/// Its line in the list.
pub const ENTRY: Entry = Entry {
    name: "vgg",
    about: "19 layers of 3 x 3 convolutions, on images",
    paper: "Simonyan & Zisserman 2014, Very deep convolutional networks for large-scale image recognition",
    data: images::DATA,
    configure: |preset, batch| Box::new(Vgg::new(preset, batch)),
};

/// Convolutions of each stage (table 1, column E).
const DEPTHS: [usize; 5] = [2, 2, 4, 4, 4];

/// 3 x 3 filters that keep the size.
const CONV: Conv = Conv {
    stride: 1,
    pad: 1,
    groups: 1,
};

const POOL: MaxPool = MaxPool {
    window: 2,
    stride: 2,
    pad: 0,
};

/// Sizes of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vgg {
    /// Batch, image and classes.
    pub images: Sizes,
    /// Channels of each stage.
    pub channels: [usize; 5],
    /// Units of fc6 and fc7.
    pub dense: [usize; 2],
}

impl Vgg {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (images, channels, dense) = match preset {
            Preset::Full => (
                Sizes::full(8, batch),
                [64, 128, 256, 512, 512],
                [4096, 4096],
            ),
            Preset::Tiny => (Sizes::tiny(32, batch), [8, 16, 32, 64, 64], [64, 64]),
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

impl Workload for Vgg {
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
        let mut h = images::input(g, &self.images);
        for (stage, (depth, channels)) in (1..).zip(DEPTHS.into_iter().zip(self.channels)) {
            for layer in 1..=depth {
                h = conv_bias(h, &format!("conv{stage}_{layer}"), 3, channels, CONV).relu();
            }
            h = h.max_pool(POOL);
        }
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
