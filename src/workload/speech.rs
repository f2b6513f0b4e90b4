//! speech: Deep Speech, a recurrent net trained with CTC on TIMIT's phones (Hannun 2014).

use serde_json::{Map, Value, json};

use crate::data::speech::decode::{beam_search, edit_distance};
use crate::data::speech::phones::fold;
use crate::data::speech::{self as data, Inventory, Limits};
use crate::error::Result;
use crate::graph::{Builder, Init, Tensor};
use crate::nn::{Start::HeNormal, dense, dropout};
use crate::tensor::{DType, HostTensor};
use crate::terms::{Mode, Preset};

use super::{Data, DataSource, Entry, Feed, Metric, Optimizer, Read, Rule, Split, Workload};

/// 61 phones, then the blank.
const CLASSES: usize = 62;

/// Clip of the rectifier (section 2).
const LIMIT: f32 = 20.0;

/// Dropout of the non-recurrent layers (section 2.1).
const DROPOUT: f32 = 0.05;

/// Prefixes that the decoder keeps.
const BEAM: usize = 8;

/// Its line in the list.
pub const ENTRY: Entry = Entry {
    name: "speech",
    about: "Deep Speech: 3 dense, 1 bidirectional recurrent, 1 dense layer, CTC over phones",
    paper: "Hannun et al. 2014, Deep Speech: scaling up end-to-end speech recognition",
    data: ("formant synthesis from phone strings", "a TIMIT tree, RIFF or NIST SPHERE with .PHN"),
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

impl Workload for Speech {
    fn batch(&self) -> usize {
        self.batch
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "hidden": self.hidden, "context": self.context, "features": self.features(),
            "time": self.time, "labels": self.labels, "classes": CLASSES,
            "dropout": DROPOUT, "limit": LIMIT,
        });
        config.as_object().cloned().unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: usize) -> bool {
        match name {
            "hidden" => self.hidden = value,
            "context" => self.context = value,
            "time" => self.time = value,
            "labels" => self.labels = value,
            _ => return false,
        }
        true
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

    fn data(&self, source: &DataSource) -> Result<Box<dyn Data>> {
        let limits = Limits { frames: self.time, labels: self.labels, context: self.context };
        let (inventory, train, test) = match self.preset {
            Preset::Full => (Inventory::Full, 256, 64),
            Preset::Tiny => (Inventory::Small, 512, 64),
        };
        let open = |split, n| match &source.path {
            Some(path) => data::Speech::open(path, split, source.seed, limits),
            None => data::Speech::synthetic(source.seed, split, n, inventory, limits),
        };
        Ok(Box::new(Utterances {
            model: *self,
            kind: if source.path.is_some() { "TIMIT utterances" } else { "synthetic utterances" },
            train: open(Split::Train, train)?,
            test: open(Split::Test, test)?,
        }))
    }

    fn metric(&self) -> Metric {
        Metric { name: "phone error rate", unit: "%", factor: 100.0 }
    }

    /// Errors and labels over the 39 classes, by prefix beam search.
    fn score(&self, feed: &Feed, read: Read) -> Result<(f64, f64)> {
        let log_probs = read("log_probs")?;
        let values = |name: &str| -> Vec<usize> {
            let found = feed.iter().filter(|(n, _)| *n == name);
            found.flat_map(|(_, t)| t.array().data).map(|x| x as usize).collect()
        };
        let (frames, labels, lengths) =
            (values("frames"), values("labels"), values("label_lengths"));
        let (mut errors, mut total) = (0, 0);
        for b in 0..self.batch {
            let rows = &log_probs.data[b * self.time * CLASSES..][..frames[b] * CLASSES];
            let heard = fold(&beam_search(rows, CLASSES, BEAM));
            let said = fold(&labels[b * self.labels..][..lengths[b]]);
            errors += edit_distance(&heard, &said);
            total += said.len();
        }
        Ok((errors as f64, total as f64))
    }
}

/// Utterances in batches.
struct Utterances {
    model: Speech,
    kind: &'static str,
    train: data::Speech,
    test: data::Speech,
}

impl Data for Utterances {
    fn batch(&mut self, split: Split, step: u64) -> Result<Feed> {
        let utterances = match split {
            Split::Train => &self.train,
            Split::Test => &self.test,
        };
        let Speech { batch: b, time, labels, .. } = self.model;
        let batch = utterances.batch(step, b);
        Ok(vec![
            ("features", HostTensor::f32([b, time, self.model.features()], &batch.features)),
            ("frames", HostTensor::u32([b], &batch.frames)),
            ("labels", HostTensor::u32([b, labels], &batch.labels)),
            ("label_lengths", HostTensor::u32([b], &batch.label_lengths)),
        ])
    }

    fn test_batches(&self) -> u64 {
        self.test.len().div_ceil(self.model.batch) as u64
    }

    fn describe(&self) -> String {
        format!("{} + {} {}", self.train.len(), self.test.len(), self.kind)
    }
}
