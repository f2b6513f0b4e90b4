//! seq2seq: an LSTM encoder and a decoder with attention that translate (Sutskever 2014, Bahdanau 2015), as
//! TensorFlow's translate tutorial that Fathom profiled.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::data::translation::{BUCKETS, Corpus, TextOptions};
use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::op::optimizer::Rule;
use crate::tensor::DType;
use crate::terms::{Mode, Preset};

use super::info::{Workload, WorkloadInfo};
use super::model::{Model, Optimizer, SizeRange, config_with, fields};
use super::samples::{DataSource, Samples};
use super::score::Metric;

mod network;
mod sentences;

use network::{Decoder, LAYERS, Projection, encode};
use sentences::Sentences;

/// The number that stands for all buckets, drawn by how many sentences each has.
const MIXED: usize = BUCKETS.len();

/// Pairs that are generated to learn from and held out.
const GENERATED: [usize; 2] = [20_000, 512];

/// Its line in the list.
pub const INFO: WorkloadInfo = WorkloadInfo {
    name: "seq2seq",
    about: "translation: 3 LSTM layers encode, 3 with attention decode, sampled softmax",
    paper: "Sutskever et al. 2014, Sequence to sequence learning with neural networks",
    built_in_data: "two generated languages, each with its own grammar",
    real_data: Some("a folder of parallel text: train.XX and train.YY, test.XX and test.YY"),
    metric: Metric { name: "held-out token accuracy", unit: "%", factor: 100.0 },
    plays: false,
    shows: true,
    scales: true,
    buckets: MIXED,
    configure: |preset, batch| Box::new(Seq2seq::new(preset, batch)),
};

/// Sizes of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Seq2seq {
    preset: Preset,
    /// Sentences in a batch.
    pub batch: usize,
    /// Index in [`BUCKETS`], or 4 for all of them.
    pub bucket: usize,
    /// H: of embeddings, cells and attention; a multiple of 16.
    pub hidden: usize,
    /// Ids of the source language.
    pub source_vocabulary: usize,
    /// Ids of the target language.
    pub target_vocabulary: usize,
    /// Classes drawn for the loss.
    pub samples: usize,
}

impl Seq2seq {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (usual, bucket, hidden, vocabulary, samples) = match preset {
            Preset::Full => (64, 3, 256, 40_000, 512),
            Preset::Tiny => (4, 0, 32, 200, 32),
        };
        Self {
            preset,
            batch: batch.unwrap_or(usual),
            bucket,
            hidden,
            source_vocabulary: vocabulary,
            target_vocabulary: vocabulary,
            samples,
        }
    }

    /// Source and target lengths; of all buckets together those of the largest.
    fn lengths(&self) -> (usize, usize) {
        BUCKETS[self.bucket.min(MIXED - 1)]
    }
}

impl Model for Seq2seq {
    fn batch(&self) -> usize {
        self.batch
    }

    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)> {
        fields!(self: bucket, hidden, source_vocabulary, target_vocabulary, samples)
    }

    fn config(&self) -> Map<String, Value> {
        let (source, target) = self.lengths();
        let fixed = [("source", source), ("target", target), ("layers", LAYERS)];
        config_with(self, fixed.map(|(name, number)| (name, number.into())))
    }

    fn range(&self, name: &str) -> SizeRange {
        let usual = SizeRange::default();
        match name {
            "bucket" => SizeRange { from: 0, to: MIXED, ..usual },
            "hidden" => SizeRange { from: 16, step: 16, ..usual },
            _ => usual,
        }
    }

    fn buckets(&self) -> Vec<Box<dyn Model>> {
        let single = |bucket| -> Box<dyn Model> { Box::new(Self { bucket, ..self.clone() }) };
        if self.bucket == MIXED { (0..MIXED).map(single).collect() } else { Vec::new() }
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let (batch, width) = (self.batch, self.hidden);
        let (source_length, target_length) = self.lengths();
        let source = g.input("source", [batch, source_length], DType::U32);
        let encoded = encode(source, self.source_vocabulary, width);
        let decoder = Decoder::new(encoded, self.target_vocabulary, width);
        let projection = Projection::new(g, self.target_vocabulary, width);
        if mode == Mode::Infer {
            g.output("tokens", decoder.translate(&projection, target_length));
            return None;
        }
        let target = g.input("target", [batch, target_length], DType::U32);
        let weight = g.input("target_weight", [batch, target_length], DType::F32);
        let out = decoder.over(target);
        g.output("decoder", out);
        let loss = projection.sampled_loss(out, target, self.samples);
        // The mean over each sentence's words, then over the sentences.
        let words = weight.sum(1); // EOS is one at least
        Some(((loss.reshape([batch, target_length]) * weight).sum(1) / words).mean_all())
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::Sgd { rate: 0.5 }).clip(5.0)
    }
}

impl Workload for Seq2seq {
    fn info(&self) -> &'static WorkloadInfo {
        &INFO
    }

    fn samples(&self, source: &DataSource) -> Result<Box<dyn Samples>> {
        // Built-in text fills the buckets that are trained.
        let buckets = if self.bucket == MIXED {
            BUCKETS.to_vec()
        } else if source.real().is_some() {
            BUCKETS[..=self.bucket].to_vec()
        } else {
            vec![BUCKETS[self.bucket]]
        };
        let options = TextOptions {
            seed: source.seed,
            vocabularies: [self.source_vocabulary, self.target_vocabulary],
            buckets,
            single: self.bucket != MIXED,
            skip_bad: source.skip_bad,
        };
        let corpus = match source.real() {
            Some(path) => Corpus::open(path, &options)?,
            None => Corpus::built_in(&options, GENERATED)?,
        };
        Ok(Box::new(Sentences {
            batch_size: self.batch,
            mixed: self.bucket == MIXED,
            seed: source.seed,
            corpus: Arc::new(corpus),
        }))
    }
}
