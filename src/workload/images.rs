//! What the models of images share: their input, loss, samples and score.

use serde_json::{Map, Value};

use crate::data::images::{self, Images, Want};
use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::nn::{Start::HeNormal, dense, dropout, flatten};
use crate::tensor::{Array, DType, HostTensor, Shape};
use crate::terms::Mode;

use super::{Data, DataSource, Feed, Metric, Optimizer, Rule, Split};

/// The built-in samples and the real ones.
pub(super) const DATA: (&str, &str) = (
    "procedural images: shape x texture x colour",
    "a folder per class of JPEG/PNG, or the ILSVRC tar of tars",
);

/// Top-1 error.
pub(super) const METRIC: Metric = Metric { name: "held-out accuracy", unit: "%", factor: 100.0 };

/// Lengths that every model of images has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Images in a batch.
    pub batch: usize,
    /// Rows and columns of an image.
    pub size: usize,
    /// Classes.
    pub classes: usize,
}

impl Sizes {
    pub(super) fn full(usual: usize, batch: Option<usize>) -> Self {
        Self { batch: batch.unwrap_or(usual), size: 224, classes: 1000 }
    }

    pub(super) fn tiny(size: usize, batch: Option<usize>) -> Self {
        Self { batch: batch.unwrap_or(4), size, classes: 10 }
    }
}

/// The numbers of a model by name.
pub(super) fn config(
    sizes: &Sizes,
    own: impl Iterator<Item = (&'static str, usize)>,
) -> Map<String, Value> {
    let shared = [("size", sizes.size), ("classes", sizes.classes)];
    let all = shared.into_iter().chain(own);
    all.map(|(name, value)| (name.to_string(), value.into())).collect()
}

/// Sets one of them.
pub(super) fn set<'a>(
    sizes: &'a mut Sizes,
    own: impl Iterator<Item = (&'static str, &'a mut usize)>,
    name: &str,
    value: usize,
) -> bool {
    let shared = [("size", &mut sizes.size), ("classes", &mut sizes.classes)];
    match shared.into_iter().chain(own).find(|(n, _)| *n == name) {
        Some((_, number)) => {
            *number = value;
            true
        }
        None => false,
    }
}

/// The sizes of a net of the years before shortcuts: five stages of convolutions and three dense layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classic {
    /// Batch, image and classes.
    pub images: Sizes,
    /// Channels of each stage.
    pub channels: [usize; 5],
    /// Units of fc6 and fc7.
    pub dense: [usize; 2],
    /// How training goes.
    pub(super) pace: Pace,
}

/// A rate that is divided by ten when the held-out error stops falling (Krizhevsky 2012, section 5; Simonyan
/// & Zisserman 2014, section 3.1): after four epochs without a new lowest, three times at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    drops: i32,
    lowest: f64,
    without: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { drops: 0, lowest: f64::INFINITY, without: 0 }
    }
}

impl Pace {
    fn follow(&mut self, epoch: u64, error: f64) -> Option<String> {
        if error < self.lowest {
            (self.lowest, self.without) = (error, 0);
            return None;
        }
        self.without += 1;
        if self.without < 4 || self.drops == 3 {
            return None;
        }
        (self.drops, self.without) = (self.drops + 1, 0);
        Some(format!("epoch {epoch}: rate divided by ten"))
    }
}

impl Classic {
    const NAMES: [&'static str; 7] = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"];

    /// Its numbers by name.
    pub(super) fn config(&self) -> Map<String, Value> {
        let own = self.channels.into_iter().chain(self.dense);
        config(&self.images, Self::NAMES.into_iter().zip(own))
    }

    /// Sets one of them.
    pub(super) fn set(&mut self, name: &str, value: usize) -> bool {
        let own = self.channels.iter_mut().chain(&mut self.dense);
        let own = Self::NAMES.into_iter().zip(own);
        set(&mut self.images, own, name, value)
    }

    /// The dense layers with dropout, and in training the loss.
    pub(super) fn head<'g>(&self, h: Tensor<'g>, mode: Mode) -> Option<Tensor<'g>> {
        let training = mode == Mode::Train;
        let h = dense(flatten(h), "fc6", self.dense[0], HeNormal).relu();
        let h = dropout(h, "fc6", 0.5, training);
        let h = dense(h, "fc7", self.dense[1], HeNormal).relu();
        let h = dropout(h, "fc7", 0.5, training);
        loss(dense(h, "fc8", self.images.classes, HeNormal), mode)
    }

    /// Settles the step by an epoch's held-out error.
    pub(super) fn follow(&mut self, epoch: u64, error: f64) -> Option<String> {
        self.pace.follow(epoch, error)
    }

    /// The optimiser that both papers publish.
    pub(super) fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::Momentum {
            rate: 0.01 * 0.1f32.powi(self.pace.drops),
            momentum: 0.9,
            decay: 5e-4,
        })
    }
}

/// Images [B, S, S, 3].
pub(super) fn input<'g>(g: &'g Builder, sizes: &Sizes) -> Tensor<'g> {
    let &Sizes { batch, size, .. } = sizes;
    g.input("image", [batch, size, size, 3], DType::F32)
}

/// Marks the logits as output; in training the mean cross-entropy against the labels.
pub(super) fn loss(logits: Tensor<'_>, mode: Mode) -> Option<Tensor<'_>> {
    let g = logits.graph();
    g.output("logits", logits);
    (mode == Mode::Train).then(|| {
        let batch = logits.spec().dims()[0];
        let label = g.input("label", [batch], DType::U32);
        logits.cross_entropy(label).mean_all()
    })
}

/// Opens the samples.
pub(super) fn open(sizes: &Sizes, source: &DataSource) -> Result<Box<dyn Data>> {
    let want = Want {
        size: sizes.size,
        classes: sizes.classes,
        batch: sizes.batch,
        seed: source.seed,
        source: source.path.clone(),
        skip_bad: source.skip_bad,
    };
    Ok(Box::new(Batches {
        shape: Shape::from([sizes.batch, sizes.size, sizes.size, 3]),
        images: images::open(&want)?,
    }))
}

struct Batches {
    shape: Shape,
    images: Images,
}

impl Data for Batches {
    fn batch(&mut self, split: Split, step: u64) -> Result<Feed> {
        let images::ImageBatch { pixels, labels } = self.images.batch(split, step)?;
        let label = HostTensor::u32([labels.len()], &labels);
        Ok(vec![("image", HostTensor::f32(self.shape.clone(), &pixels)), ("label", label)])
    }

    fn test_batches(&self) -> u64 {
        self.images.test_batches()
    }

    fn epoch(&self) -> Option<u64> {
        Some(self.images.epoch())
    }

    fn describe(&self) -> String {
        self.images.describe()
    }

    fn skipped(&self) -> Vec<String> {
        self.images.skipped()
    }
}

/// Images whose largest logit is not their label's, and all.
pub(super) fn errors(feed: &Feed, logits: &Array) -> Result<Option<(f64, f64)>> {
    let (right, all) = score(feed, logits)?;
    Ok(Some((all - right, all)))
}

/// Images whose largest logit is their label's, and all.
pub(super) fn score(feed: &Feed, logits: &Array) -> Result<(f64, f64)> {
    let labels = feed.iter().filter(|(name, _)| *name == "label");
    let labels: Vec<f64> = labels.flat_map(|(_, t)| t.array().data).collect();
    let rows = logits.data.chunks(logits.spec.shape.last());
    let right = rows.zip(&labels).filter(|(row, label)| {
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.is_some_and(|(at, _)| at as f64 == **label)
    });
    Ok((right.count() as f64, labels.len() as f64))
}
