//! The eight workloads of the Fathom suite (IISWC 2016): what each is, how it is built and fed.
//!
//! A model file reads like its paper: [`Workload::build`] declares inputs, layers, outputs and the loss.
//! The rest of a training step (gradients, clipping, update, clock) is the same for all: [`step`].

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::data::speech::decode::edit_distance;
use crate::error::{Error, Result};
use crate::graph::{Builder, Tensor};
use crate::tensor::{Array, HostTensor};
use crate::terms::{Mode, Preset};

pub mod alexnet;
pub mod autoenc;
pub mod deepq;
mod images;
pub mod memnet;
pub mod residual;
pub mod seq2seq;
pub mod speech;
pub mod step;
pub mod vgg;

pub use crate::data::Split;
pub use crate::op::optimizer::Rule;
pub use step::Optimizer;

/// Named tensors for the inputs of a step; what a program has no input for is for the metric.
pub type Feed = Vec<(&'static str, HostTensor)>;

/// Reads an output of an inference step by name.
pub type Read<'a> = &'a dyn Fn(&str) -> Result<Array>;

/// The whole numbers of a feed's tensor.
fn values(feed: &Feed, name: &str) -> Vec<usize> {
    let found = feed.iter().filter(|(n, _)| *n == name);
    let data = found.flat_map(|(_, tensor)| tensor.array().data);
    data.map(|x| x as usize).collect()
}

/// Where samples come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSource {
    /// The real data set; `None` for the built-in generator.
    pub path: Option<PathBuf>,
    /// Leave out samples that cannot be read, and say which, instead of ending with the error.
    pub skip_bad: bool,
    /// The game that deepq plays; `None` for the first of the list.
    pub game: Option<String>,
    /// Of the generator and of the order.
    pub seed: u64,
}

/// A workload's samples, in batches of its shapes.
pub trait Data {
    /// Batch `step` of a split, in a seeded order in which each epoch has every sample once.
    fn batch(&mut self, split: Split, step: u64) -> Result<Feed>;

    /// Batches that hold every held-out sample once.
    fn test_batches(&self) -> u64;

    /// What it is: `2,000 + 500 procedural digits`.
    fn describe(&self) -> String;

    /// Steps in which training sees every sample once, where it has an end.
    fn epoch(&self) -> Option<u64> {
        None
    }

    /// Batches of the samples that training is steered by: see [`Workload::judge`].
    fn validation(&mut self) -> Result<Vec<Feed>> {
        (0..self.test_batches()).map(|step| self.batch(Split::Test, step)).collect()
    }

    /// Which of [`Workload::forms`] a batch is for.
    fn form(&self, split: Split, step: u64) -> usize {
        let _ = (split, step);
        0
    }

    /// One sample of a held-out batch with what the model made of it, for people.
    fn show(&self, feed: &Feed, read: Read, sample: usize) -> Result<Option<String>> {
        let _ = (feed, read, sample);
        Ok(None)
    }

    /// What a step of the game took, where samples come from playing.
    fn environment(&self) -> Option<Duration> {
        None
    }

    /// Samples left out so far because they could not be read, and why.
    fn skipped(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What training is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// `phone error rate`.
    pub name: &'static str,
    /// `%`, or nothing.
    pub unit: &'static str,
    /// Factor from the ratio of sums to the unit: 100 for percent.
    pub factor: f64,
}

/// A model with all its sizes settled.
pub trait Workload: fmt::Debug {
    /// Samples in a batch.
    fn batch(&self) -> usize;

    /// Every model parameter by name, for records and snapshots.
    fn config(&self) -> Map<String, Value>;

    /// Sets one of the numbers that [`Workload::config`] names; false where it has none of that name.
    fn set(&mut self, name: &str, value: usize) -> bool;

    /// The models that share its parameters and are trained in turn, where its batches are not all of one
    /// shape; none where they are.
    fn forms(&self) -> Vec<Box<dyn Workload>> {
        Vec::new()
    }

    /// Declares inputs, layers and outputs, and in training returns the loss, a scalar.
    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>>;

    /// The published optimiser with its settings.
    fn optimizer(&self) -> Optimizer;

    /// What a training step does with its updated parameters, flat in the layout of group `param`.
    fn after_update<'g>(&self, g: &'g Builder, parameters: Tensor<'g>) {
        let _ = (g, parameters);
    }

    /// Opens the samples.
    ///
    /// # Errors
    /// [`Error::Data`], [`Error::Io`] naming the file at fault.
    fn data(&self, source: &DataSource) -> Result<Box<dyn Data>>;

    /// Whether it learns by playing a game instead of from samples.
    fn plays(&self) -> bool {
        false
    }

    /// What [`Workload::score`] measures.
    fn metric(&self) -> Metric;

    /// Numerator and denominator of the metric over one held-out batch, from the outputs of an inference
    /// step, read by name.
    fn score(&self, feed: &Feed, read: Read) -> Result<(f64, f64)>;

    /// The same by group, where samples fall into groups: bAbI's tasks.
    fn scores(&self, feed: &Feed, read: Read) -> Result<Vec<(String, (f64, f64))>> {
        let _ = (feed, read);
        Ok(Vec::new())
    }

    /// Numerator and denominator, over one batch, of what [`Workload::follow`] goes by; less is better.
    fn judge(&self, feed: &Feed, read: Read) -> Result<Option<(f64, f64)>> {
        let _ = (feed, read);
        Ok(None)
    }

    /// How training starts, where that is not how it goes on.
    fn begin(&mut self) {}

    /// Lets the step follow what an epoch (from 1) came to, as its paper prescribes: a lower rate, another
    /// stage. Says what changed; the programs are then made again.
    fn follow(&mut self, epoch: u64, judged: f64) -> Option<String> {
        let _ = (epoch, judged);
        None
    }
}

/// A workload before its sizes are settled.
#[derive(Clone, Copy)]
pub struct Entry {
    /// As given to `--workload`.
    pub name: &'static str,
    /// Model and task in a line.
    pub about: &'static str,
    /// The seminal paper.
    pub paper: &'static str,
    /// The built-in samples, and the real ones that `--data` takes.
    pub data: (&'static str, &'static str),
    /// Settles the sizes: a preset, and perhaps another batch.
    pub configure: fn(Preset, Option<usize>) -> Box<dyn Workload>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The suite.
pub const WORKLOADS: &[Entry] = &[
    seq2seq::ENTRY,
    memnet::ENTRY,
    speech::ENTRY,
    autoenc::ENTRY,
    residual::ENTRY,
    vgg::ENTRY,
    alexnet::ENTRY,
    deepq::ENTRY,
];

/// Finds a workload.
///
/// # Errors
/// [`Error::Usage`] for an unknown name, with the nearest known one.
pub fn find(name: &str) -> Result<&'static Entry> {
    WORKLOADS.iter().find(|w| w.name == name).ok_or_else(|| {
        let known: Vec<_> = WORKLOADS.iter().map(|w| w.name).collect();
        Error::Usage(format!(
            "unknown workload '{name}'{}\n`fathom list workloads` shows all: {}",
            nearest(name, &known).map_or(String::new(), |n| format!(": did you mean '{n}'?")),
            known.join(", ")
        ))
    })
}

/// The known name closest to a mistyped one, if it is close.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &str| edit_distance(name.as_bytes(), other.as_bytes());
    let best = known.iter().min_by_key(|k| distance(k))?;
    (distance(best) <= 2 + name.len() / 4).then_some(*best)
}
