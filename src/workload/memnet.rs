//! memnet: an end-to-end memory network on the twenty bAbI tasks (Sukhbaatar 2015).

use serde_json::{Map, Value, json};

use crate::data::babi::TASKS;
use crate::data::babi::stories::{Limits, Part, Stories};
use crate::error::Result;
use crate::graph::{Builder, Init, Tensor};
use crate::op::embedding_bag::Tables;
use crate::op::memory_hops::MemoryHops;
use crate::tensor::{Array, DType, HostTensor};
use crate::terms::{Mode, Preset};

use super::{
    Data, DataSource, Entry, Feed, Metric, Optimizer, Read, Rule, Split, Workload, values,
};

/// Lookups before the answer.
const HOPS: usize = 3;

/// Epochs from one halving of the rate to the next (section 4.2).
const HALVING: u64 = 25;

/// Its line in the list.
pub const ENTRY: Entry = Entry {
    name: "memnet",
    about: "end-to-end memory network: 3 hops over the sentences of a story, then the answer's word",
    paper: "Sukhbaatar et al. 2015, End-to-end memory networks",
    data: (
        "a small world that tells all 20 bAbI tasks",
        "a folder of qaN_*_train.txt and qaN_*_test.txt",
    ),
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
    /// MemoryHops without softmax.
    pub linear: bool,
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
            linear: false,
            halvings: 0,
            start: Vec::new(),
        }
    }
}

impl Workload for Memnet {
    fn batch(&self) -> usize {
        self.batch
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "memory": self.memory, "sentence": self.sentence, "dimension": self.dimension,
            "vocabulary": self.vocabulary, "hops": HOPS, "task": self.task,
            "linear": usize::from(self.linear),
        });
        config.as_object().cloned().unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: usize) -> bool {
        match name {
            "memory" => self.memory = value,
            "sentence" => self.sentence = value,
            "dimension" => self.dimension = value,
            "vocabulary" => self.vocabulary = value.max(2),
            "task" if value <= TASKS => self.task = value,
            "linear" if value <= 1 => self.linear = value == 1,
            _ => return false,
        }
        true
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let Self { batch, memory, sentence, dimension, vocabulary, linear, .. } = *self;
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
        let (memories, u) = story.embedding_bag(question, embeddings, temporal, tables);
        let answer = u.memory_hops(memories, embeddings, MemoryHops { vocabulary, linear });
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

    fn data(&self, source: &DataSource) -> Result<Box<dyn Data>> {
        let limits =
            Limits { memories: self.memory, words: self.sentence, vocabulary: self.vocabulary };
        let task = (self.task > 0).then_some(self.task);
        let stories = Stories::open(source.path.as_deref(), task, source.seed, limits)?;
        Ok(Box::new(Questions { model: self.clone(), stories }))
    }

    fn metric(&self) -> Metric {
        Metric { name: "held-out accuracy", unit: "%", factor: 100.0 }
    }

    fn score(&self, feed: &Feed, read: Read) -> Result<(f64, f64)> {
        let groups = self.scores(feed, read)?;
        let sum = |(a, b): (f64, f64), (_, (c, d)): &(String, (f64, f64))| (a + c, b + d);
        Ok(groups.iter().fold((0.0, 0.0), sum))
    }

    fn scores(&self, feed: &Feed, read: Read) -> Result<Vec<(String, (f64, f64))>> {
        let logits = read("logits")?;
        let rows = logits.data.chunks(self.vocabulary);
        let (answers, tasks) = (values(feed, "answer"), values(feed, "task"));
        let each = rows.zip(answers).zip(tasks).filter(|(_, task)| *task > 0);
        let each = each.map(|((row, answer), task)| {
            let right = f64::from(u8::from(likeliest(row) == answer));
            (format!("task {task:2}"), (right, 1.0))
        });
        Ok(each.collect())
    }

    /// Cross-entropy of the questions kept apart.
    fn judge(&self, feed: &Feed, read: Read) -> Result<Option<(f64, f64)>> {
        let logits = read("logits")?;
        let mut sum = (0.0, 0.0);
        let rows = logits.data.chunks(self.vocabulary);
        let (answers, tasks) = (values(feed, "answer"), values(feed, "task"));
        for ((row, answer), _) in rows.zip(answers).zip(tasks).filter(|(_, task)| *task > 0) {
            let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = row.iter().map(|x| (x - highest).exp()).sum();
            sum.0 += highest + total.ln() - row[answer];
            sum.1 += 1.0;
        }
        Ok(Some(sum))
    }

    /// Linear start: the softmax comes in when the loss over what is kept apart no longer falls. Then the rate
    /// is halved every 25 epochs (section 4.2).
    fn begin(&mut self) {
        self.linear = true;
    }

    fn follow(&mut self, epoch: u64, judged: f64) -> Option<String> {
        if self.linear {
            self.start.push(judged);
            let [.., before, last] = self.start[..] else {
                return None;
            };
            if last < before {
                return None;
            }
            self.linear = false;
            return Some(format!("epoch {epoch}: the hops get their softmax"));
        }
        let since = epoch - self.start.len() as u64;
        (since.is_multiple_of(HALVING) && self.halvings < 4).then(|| {
            self.halvings += 1;
            format!("epoch {epoch}: rate halved")
        })
    }
}

/// The class of the largest logit.
fn likeliest(row: &[f64]) -> usize {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(at, _)| at)
}

struct Questions {
    model: Memnet,
    stories: Stories,
}

impl Questions {
    fn feed(&self, part: Part, step: u64) -> Feed {
        let Memnet { batch, memory, sentence, .. } = self.model;
        let numbers = self.stories.batch(part, step, batch);
        vec![
            ("story", HostTensor::u32([batch, memory, sentence], &numbers.story)),
            ("question", HostTensor::u32([batch, sentence], &numbers.question)),
            ("answer", HostTensor::u32([batch], &numbers.answer)),
            ("task", HostTensor::u32([batch], &numbers.task)),
            ("place", HostTensor::u32([batch], &numbers.place)),
        ]
    }
}

impl Data for Questions {
    fn batch(&mut self, split: Split, step: u64) -> Result<Feed> {
        Ok(self.feed(
            match split {
                Split::Train => Part::Train,
                Split::Test => Part::Test,
            },
            step,
        ))
    }

    fn test_batches(&self) -> u64 {
        self.stories.batches(Part::Test, self.model.batch)
    }

    fn epoch(&self) -> Option<u64> {
        Some(self.stories.batches(Part::Train, self.model.batch))
    }

    fn validation(&mut self) -> Result<Vec<Feed>> {
        let batches = self.stories.batches(Part::Validation, self.model.batch);
        Ok((0..batches).map(|step| self.feed(Part::Validation, step)).collect())
    }

    fn describe(&self) -> String {
        self.stories.describe()
    }

    fn show(&self, feed: &Feed, read: Read, sample: usize) -> Result<Option<String>> {
        let (logits, attention) = (read("logits")?, read("attention")?);
        let place = values(feed, "place")[sample];
        let Some(question) = self.stories.questions(Part::Test).get(place) else {
            return Ok(None);
        };
        Ok(Some(self.picture(question, sample, &logits, &attention)))
    }
}

impl Questions {
    /// A story with what each hop took of each sentence, the question and the answer.
    fn picture(
        &self,
        question: &crate::data::babi::Question,
        sample: usize,
        logits: &Array,
        attention: &Array,
    ) -> String {
        let memory = self.model.memory;
        let of_hop = |hop: usize, i: usize| attention.data[(sample * HOPS + hop) * memory + i];
        let mut text = format!("task {}   hop 1  hop 2  hop 3\n", question.task);
        let kept = question.story.len().min(memory);
        for (i, sentence) in question.story.iter().rev().take(kept).enumerate().rev() {
            let shares: Vec<_> = (0..HOPS).map(|hop| format!("{:5.2}", of_hop(hop, i))).collect();
            text += &format!("          {}  {}\n", shares.join("  "), sentence.join(" "));
        }
        let row = &logits.data[sample * self.model.vocabulary..][..self.model.vocabulary];
        let answer = self.stories.word(likeliest(row));
        let verdict = if answer == question.answer {
            "right".to_string()
        } else {
            format!("wrong: {}", question.answer)
        };
        text + &format!("  {}?  {answer} ({verdict})\n", question.question.join(" "))
    }
}
