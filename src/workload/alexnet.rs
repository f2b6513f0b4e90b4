//! alexnet: five convolutions and three dense layers (Krizhevsky, Sutskever & Hinton 2012).

use serde_json::{Map, Value};

use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::nn::conv_bias;
use crate::op::conv2d::Conv;
use crate::op::lrn::Lrn;
use crate::op::max_pool::MaxPool;
use crate::terms::{Mode, Preset};

use super::images::{self, Classic, Sizes};
use super::{Data, DataSource, Entry, Feed, Metric, Optimizer, Read, Workload};

/// Its line in the list.
pub const ENTRY: Entry = Entry {
    name: "alexnet",
    about: "5 convolutions, 3 dense layers, on images",
    paper: "Krizhevsky 2012, ImageNet classification with deep convolutional neural networks",
    data: images::DATA,
    configure: |preset, batch| Box::new(Alexnet::new(preset, batch)),
};

/// The model's sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alexnet(pub Classic);

/// Response normalisation with the published constants (section 3.3).
const LRN: Lrn = Lrn { half: 2, k: 2.0, alpha: 1e-4 };

/// Overlapping pooling (section 3.4).
const POOL: MaxPool = MaxPool { window: 3, stride: 2, pad: 0 };

impl Alexnet {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (images, channels, dense) = match preset {
            Preset::Full => (Sizes::full(64, batch), [96, 256, 384, 384, 256], [4096, 4096]),
            Preset::Tiny => (Sizes::tiny(64, batch), [12, 32, 48, 48, 32], [64, 64]),
        };
        Self(Classic { images, channels, dense, pace: images::Pace::default() })
    }
}

impl Workload for Alexnet {
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
        let [c1, c2, c3, c4, c5] = self.0.channels;
        let conv = |x, name, size, channels, stride, pad, groups| {
            let settings = Conv { stride, pad, groups };
            conv_bias(x, name, size, channels, settings).relu()
        };
        let x = images::input(g, &self.0.images);
        let h = conv(x, "conv1", 11, c1, 4, 2, 1).lrn(LRN).max_pool(POOL);
        // The two GPUs of the paper are two groups of channels.
        let h = conv(h, "conv2", 5, c2, 1, 2, 2).lrn(LRN).max_pool(POOL);
        let h = conv(h, "conv3", 3, c3, 1, 1, 1);
        let h = conv(h, "conv4", 3, c4, 1, 1, 2);
        let h = conv(h, "conv5", 3, c5, 1, 1, 2).max_pool(POOL);
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
