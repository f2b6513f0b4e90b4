//! vgg: sixteen convolutions and three dense layers (Simonyan & Zisserman 2014, configuration E).

use serde_json::{Map, Value};

use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::nn::conv_bias;
use crate::op::conv2d::Conv;
use crate::op::max_pool::MaxPool;
use crate::terms::{Mode, Preset};

use super::images::{self, Classic, Sizes};
use super::{Data, DataSource, Entry, Feed, Metric, Optimizer, Read, Workload};

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
const CONV: Conv = Conv { stride: 1, pad: 1, groups: 1 };

const POOL: MaxPool = MaxPool { window: 2, stride: 2, pad: 0 };

/// The model's sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vgg(pub Classic);

impl Vgg {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (images, channels, dense) = match preset {
            Preset::Full => (Sizes::full(8, batch), [64, 128, 256, 512, 512], [4096, 4096]),
            Preset::Tiny => (Sizes::tiny(32, batch), [8, 16, 32, 64, 64], [64, 64]),
        };
        Self(Classic { images, channels, dense, pace: images::Pace::default() })
    }
}

impl Workload for Vgg {
    fn batch(&self) -> usize {
        self.0.images.batch
    }

    fn config(&self) -> Map<String, Value> {
        self.0.config()
    }

    fn set(&mut self, name: &str, value: usize) -> bool {
        self.0.set(name, value)
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let mut h = images::input(g, &self.0.images);
        for (stage, (depth, channels)) in (1..).zip(DEPTHS.into_iter().zip(self.0.channels)) {
            for layer in 1..=depth {
                h = conv_bias(h, &format!("conv{stage}_{layer}"), 3, channels, CONV).relu();
            }
            h = h.max_pool(POOL);
        }
        self.0.head(h, mode)
    }

    fn optimizer(&self) -> Optimizer {
        self.0.optimizer()
    }

    fn data(&self, source: &DataSource) -> Result<Box<dyn Data>> {
        images::open(&self.0.images, source)
    }

    fn metric(&self) -> Metric {
        images::METRIC
    }

    fn score(&self, feed: &Feed, read: Read) -> Result<(f64, f64)> {
        images::score(feed, &read("logits")?)
    }

    fn judge(&self, feed: &Feed, read: Read) -> Result<Option<(f64, f64)>> {
        images::errors(feed, &read("logits")?)
    }

    fn follow(&mut self, epoch: u64, judged: f64) -> Option<String> {
        self.0.follow(epoch, judged)
    }
}
