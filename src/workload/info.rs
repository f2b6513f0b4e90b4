//! A workload as the list describes it.

use std::fmt;

use crate::error::Result;
use crate::terms::Preset;

use super::curriculum::Curriculum;
use super::model::Model;
use super::samples::{DataSource, Samples};
use super::score::Metric;

/// A model with its task: [`Model`] is what runs, [`Samples`] what it runs on, [`super::Score`] what that is
/// worth, [`Curriculum`] what changes on the way.
pub trait Workload: Model {
    /// Its line in the list.
    fn info(&self) -> &'static WorkloadInfo;

    /// Opens the samples.
    ///
    /// # Errors
    /// [`crate::error::Error::Data`], [`crate::error::Error::Io`] naming the file at fault.
    fn samples(&self, source: &DataSource) -> Result<Box<dyn Samples>>;

    /// What changes over the epochs, where something does.
    fn curriculum(&mut self) -> Option<&mut dyn Curriculum> {
        None
    }
}

/// A workload before its sizes are settled.
#[derive(Clone, Copy)]
pub struct WorkloadInfo {
    /// As given to `--workload`.
    pub name: &'static str,
    /// Model and task in a line.
    pub about: &'static str,
    /// The seminal paper.
    pub paper: &'static str,
    /// The samples it generates.
    pub built_in_data: &'static str,
    /// The real ones that `--data` takes.
    pub real_data: &'static str,
    /// What its score measures.
    pub metric: Metric,
    /// Whether it learns by playing a game instead of from samples.
    pub plays: bool,
    /// Whether it has a view of a sample for people: see [`super::Score::show`].
    pub shows: bool,
    /// Whether `fathom analyze scaling` measures it unless others are named.
    pub scales: bool,
    /// Lengths of samples that `--bucket` chooses from, each a program of its own; 0 where samples have one.
    pub buckets: usize,
    /// Settles the sizes: a preset, and perhaps another batch.
    pub configure: fn(Preset, Option<usize>) -> Box<dyn Workload>,
}

impl fmt::Debug for WorkloadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
