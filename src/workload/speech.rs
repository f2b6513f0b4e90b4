//! speech: Deep Speech, a recurrent net trained with CTC on TIMIT's phones (Hannun 2014).

use serde_json::{Map, Value};

use crate::data::Split;
use crate::data::listing::Listing;
use crate::data::speech::decode::{beam_search, edit_distance};
use crate::data::speech::phones::fold;
use crate::data::speech::{self as data, Inventory, Limits, UtteranceBatch};
use crate::error::Result;
use crate::graph::{Builder, Init, Tensor};
use crate::nn::{Start::HeNormal, dense, dropout};
use crate::op::optimizer::Rule;
use crate::tensor::{DType, HostTensor};
use crate::terms::{Mode, Preset};

use super::info::{Workload, WorkloadInfo};
use super::model::{Model, Optimizer, config_with, fields};
use super::samples::{Batch, DataSource, Feed, Half, Halves, Samples};
use super::score::{Metric, Outputs, Ratio, Score};

/// 61 phones, then the blank.
const CLASSES: usize = 62;

/// Clip of the rectifier (section 2).
const LIMIT: f32 = 20.0;

/// Dropout of the non-recurrent layers (section 2.1).
const DROPOUT: f32 = 0.05;

/// Prefixes that the decoder keeps.
const BEAM: usize = 8;

/// Its line in the list.
pub const INFO: WorkloadInfo = WorkloadInfo {
    name: "speech",
    about: "Deep Speech: 3 dense, 1 bidirectional recurrent, 1 dense layer, CTC over phones",
    paper: "Hannun et al. 2014, Deep Speech: scaling up end-to-end speech recognition",
    built_in_data: "formant synthesis from phone strings",
    real_data: Some("a TIMIT tree, RIFF or NIST SPHERE with .PHN"),
    metric: Metric { name: "phone error rate", unit: "%", factor: 100.0 },
    plays: false,
    shows: false,
    scales: false,
    buckets: 0,
    configure: |preset, batch| Box::new(Speech::new(preset, batch)),
};

/// Sizes of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speech {
    /// Preset the data generator goes by.
    pub preset: Preset,
    /// Utterances in a batch.
    pub batch: usize,
    /// Units of every layer.
    pub hidden: usize,
    /// Frames of context on each side.
    pub context: usize,
    /// Frames an utterance has at most.
    pub time: usize,
    /// Labels an utterance has at most.
    pub labels: usize,
}

impl Speech {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (usual, hidden, context, time, labels) = match preset {
            Preset::Full => (32, 2048, 9, 783, 80),
            Preset::Tiny => (4, 64, 2, 64, 16),
        };
        Self { preset, batch: batch.unwrap_or(usual), hidden, context, time, labels }
    }

    /// 26 cepstral coefficients and deltas of each frame and its context.
    pub fn features(&self) -> usize {
        26 * (2 * self.context + 1)
    }
}

impl Model for Speech {
    fn batch(&self) -> usize {
        self.batch
    }

    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)> {
        fields!(self: hidden, context, time, labels)
    }

    fn config(&self) -> Map<String, Value> {
        let fixed = [
            ("features", self.features().into()),
            ("classes", CLASSES.into()),
            ("dropout", DROPOUT.into()),
            ("limit", LIMIT.into()),
        ];
        config_with(self, fixed)
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let Self { batch, time, hidden, .. } = *self;
        let training = mode == Mode::Train;
        let layer = |x: Tensor<'g>, name: &str| {
            let h = dense(x, name, hidden, HeNormal).clipped_relu(LIMIT); // section 2, eq. 1
            dropout(h, name, DROPOUT, training)
        };
        let features = g.input("features", [batch, time, self.features()], DType::F32);
        let frames = g.input("frames", [batch], DType::U32);

        // Three layers that look at one frame with its context each.
        let h = ["dense1", "dense2", "dense3"].into_iter().fold(features, layer);

        // One bidirectional recurrent layer (eq. 2 and 3), both directions over one input product.
        let (forward, backward) = g.scoped("recurrent", || {
            let x = dense(h, "input", hidden, HeNormal);
            let start = Init::Normal { std: 1.0 / (hidden as f32).sqrt() };
            let forward = g.parameter("forward", [hidden, hidden], start.clone());
            let backward = g.parameter("backward", [hidden, hidden], start);
            x.recurrent(forward, backward, frames, LIMIT)
        });

        // A fifth layer over both, and the phones' probabilities.
        let h = layer(forward + backward, "dense5");
        let log_probs = dense(h, "output", CLASSES, HeNormal).log_softmax();
        g.output("log_probs", log_probs);
        if !training {
            g.output("decoded", log_probs.ctc_decode(frames));
            return None;
        }
        let labels = g.input("labels", [batch, self.labels], DType::U32);
        let lengths = g.input("label_lengths", [batch], DType::U32);
        Some(log_probs.ctc_loss(frames, labels, lengths).mean_all())
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::Nesterov { rate: 1e-4, momentum: 0.99, decay: 0.0 }).clip(100.0)
    }
}

impl Workload for Speech {
    fn info(&self) -> &'static WorkloadInfo {
        &INFO
    }

    fn samples(&self, source: &DataSource) -> Result<Box<dyn Samples>> {
        let limits = Limits { frames: self.time, labels: self.labels, context: self.context };
        let (inventory, train, test) = match self.preset {
            Preset::Full => (Inventory::Full, 256, 64),
            Preset::Tiny => (Inventory::Small, 512, 64),
        };
        let seed = source.seed;
        let ([train, test], listing) = match source.real() {
            Some(path) => {
                let listing = Listing::new(source.skip_bad);
                let (halves, listing) = data::Speech::open(path, seed, limits, listing)?;
                (halves, Some(listing))
            }
            None => {
                let synthetic =
                    |split, count| data::Speech::synthetic(seed, split, count, inventory, limits);
                ([synthetic(Split::Train, train)?, synthetic(Split::Test, test)?], None)
            }
        };
        let kind = if listing.is_some() { "TIMIT utterances" } else { "synthetic utterances" };
        Ok(Box::new(Halves { batch_size: self.batch, kind, train, test, listing }))
    }
}

impl Half for data::Speech {
    type Batch = UtteranceBatch;

    fn len(&self) -> usize {
        self.len()
    }

    fn batch(&self, step: u64, batch_size: usize) -> UtteranceBatch {
        self.batch(step, batch_size)
    }
}

impl Batch for UtteranceBatch {
    fn tensors(&self) -> Feed {
        let (batch, Limits { frames: time, labels, .. }) = (self.frames.len(), self.limits);
        let width = self.features.len() / (batch * time);
        vec![
            ("features", HostTensor::f32([batch, time, width], &self.features)),
            ("frames", HostTensor::u32([batch], &self.frames)),
            ("labels", HostTensor::u32([batch, labels], &self.labels)),
            ("label_lengths", HostTensor::u32([batch], &self.label_lengths)),
        ]
    }
}

impl Score for UtteranceBatch {
    /// Errors and labels over the 39 classes, by prefix beam search.
    fn score(&self, outputs: Outputs, counted: usize) -> Result<Ratio> {
        let log_probs = outputs("log_probs")?;
        let (mut errors, mut total) = (0, 0);
        let lengths = self.frames.iter().zip(&self.label_lengths).take(counted);
        for (b, (&frames, &length)) in lengths.enumerate() {
            let first = b * self.limits.frames * CLASSES;
            let rows = &log_probs.data[first..][..frames as usize * CLASSES];
            let labels = &self.labels[b * self.limits.labels..][..length as usize];
            let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
            let (heard, said) = (fold(&beam_search(rows, CLASSES, BEAM)), fold(&labels));
            errors += edit_distance(&heard, &said);
            total += said.len();
        }
        Ok(Ratio { sum: errors as f64, of: total as f64 })
    }
}
