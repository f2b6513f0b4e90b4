//! memnet: an end-to-end memory network on the twenty bAbI tasks (Sukhbaatar 2015).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::data::babi::TASKS;
use crate::data::babi::stories::{Limits, Stories};
use crate::error::Result;
use crate::graph::{Builder, Init, Tensor};
use crate::op::embedding_bag::Tables;
use crate::op::memory_hops::MemoryHops;
use crate::op::optimizer::Rule;
use crate::tensor::DType;
use crate::terms::{Mode, Preset};

use super::curriculum::Curriculum;
use super::info::{Workload, WorkloadInfo};
use super::model::{Model, Optimizer, SizeRange, config_with, fields};
use super::samples::{DataSource, Samples};
use super::score::Metric;

mod questions;

/// Lookups before the answer.
const HOPS: usize = 3;

/// Epochs from one halving of the rate to the next (section 4.2).
const HALVING: u64 = 25;

/// Its line in the list.
pub const INFO: WorkloadInfo = WorkloadInfo {
    name: "memnet",
    about: "end-to-end memory network: 3 hops over the sentences of a story, then the word of the answer",
    paper: "Sukhbaatar et al. 2015, End-to-end memory networks",
    built_in_data: "a small simulated world that generates all 20 bAbI tasks",
    real_data: Some("a folder of qaN_*_train.txt and qaN_*_test.txt"),
    metric: Metric { name: "held-out accuracy", unit: "%", factor: 100.0 },
    plays: false,
    shows: true,
    scales: true,
    buckets: 0,
    configure: |preset, batch| Box::new(Memnet::new(preset, batch)),
};

/// Sizes of the model, and where its training stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Memnet {
    /// Questions in a batch.
    pub batch: usize,
    /// M: sentences of a story.
    pub memory: usize,
    /// S: words of a sentence.
    pub sentence: usize,
    /// d: values of a word.
    pub dimension: usize,
    /// V: words, none among them.
    pub vocabulary: usize,
    /// The one task, or 0 for all twenty together.
    pub task: usize,
    /// 1 for hops without softmax, else 0.
    pub linear: usize,
    halvings: i32,
    /// Loss over the questions kept apart, of each epoch of the linear start.
    start: Vec<f64>,
}

impl Memnet {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (memory, sentence, dimension, vocabulary, task) = match preset {
            Preset::Full => (50, 11, 50, 180, 0),
            Preset::Tiny => (10, 6, 20, 22, 1),
        };
        Self {
            batch: batch.unwrap_or(32),
            memory,
            sentence,
            dimension,
            vocabulary,
            task,
            linear: 0,
            halvings: 0,
            start: Vec::new(),
        }
    }
}

impl Model for Memnet {
    fn batch(&self) -> usize {
        self.batch
    }

    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)> {
        fields!(self: memory, sentence, dimension, vocabulary, task, linear)
    }

    fn config(&self) -> Map<String, Value> {
        config_with(self, [("hops", HOPS.into())])
    }

    fn range(&self, name: &str) -> SizeRange {
        let usual = SizeRange::default();
        match name {
            "vocabulary" => SizeRange { from: 2, ..usual }, // none, and a word
            "task" => SizeRange { from: 0, to: TASKS, ..usual },
            "linear" => SizeRange { from: 0, to: 1, ..usual },
            _ => usual,
        }
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let Self { batch, memory, sentence, dimension, vocabulary, .. } = *self;
        let story = g.input("story", [batch, memory, sentence], DType::U32);
        let question = g.input("question", [batch, sentence], DType::U32);

        // "Adjacent" weights (section 2.2): table k + 1 is the output of hop k and the input of the next, the
        // first embeds the question, the last gives the answer. Word 0 is none and stays at zero.
        let names = |what: &str| (0..=HOPS).map(|k| format!("{what}{k}")).collect::<Vec<_>>();
        let words = Init::Embedding { std: 0.1, zeros: dimension };
        let embeddings =
            g.parameter_stack(&names("embedding"), [vocabulary, dimension], words, false);
        let places = Init::Normal { std: 0.1 };
        let temporal = g.parameter_stack(&names("temporal"), [memory, dimension], places, false);

        let tables = Tables { dimension, vocabulary };
        let learning = mode == Mode::Train;
        let (memories, u) = story.embedding_bag(question, embeddings, temporal, tables, learning);
        let answer = u.memory_hops(
            memories,
            embeddings,
            MemoryHops { vocabulary, linear: self.linear == 1 },
        );
        g.output("logits", answer.logits);
        if mode == Mode::Infer {
            if !g.is_recording() {
                g.output("attention", answer.attention);
            }
            return None;
        }
        let label = g.input("answer", [batch], DType::U32);
        Some(answer.logits.cross_entropy(label).sum_all())
    }

    fn optimizer(&self) -> Optimizer {
        let rate = 0.01 * 0.5f32.powi(self.halvings);
        Optimizer::new(Rule::Sgd { rate }).clip(40.0)
    }
}

impl Workload for Memnet {
    fn info(&self) -> &'static WorkloadInfo {
        &INFO
    }

    fn samples(&self, source: &DataSource) -> Result<Box<dyn Samples>> {
        let limits =
            Limits { memories: self.memory, words: self.sentence, vocabulary: self.vocabulary };
        let task = (self.task > 0).then_some(self.task);
        let (folder, skip_bad) = (source.real(), source.skip_bad);
        let stories = Stories::open(folder, task, source.seed, limits, skip_bad)?;
        Ok(Box::new(questions::Questions { batch_size: self.batch, stories: Arc::new(stories) }))
    }

    fn curriculum(&mut self) -> Option<&mut dyn Curriculum> {
        Some(self)
    }
}

impl Curriculum for Memnet {
    /// Linear start: the softmax comes in when the loss over what is kept apart no longer falls. Then the rate
    /// is halved every 25 epochs (section 4.2).
    fn begin(&mut self) {
        self.linear = 1;
    }

    fn follow(&mut self, epoch: u64, judged: f64) -> Option<String> {
        if self.linear == 1 {
            self.start.push(judged);
            let [.., before, last] = self.start[..] else {
                return None;
            };
            if last < before {
                return None;
            }
            self.linear = 0;
            return Some(format!("epoch {epoch}: the hops switch to softmax"));
        }
        let since = epoch - self.start.len() as u64;
        (since.is_multiple_of(HALVING) && self.halvings < 4).then(|| {
            self.halvings += 1;
            format!("epoch {epoch}: learning rate halved")
        })
    }
}
