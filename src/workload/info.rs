//! A workload as the list describes it.

use std::fmt;

use crate::error::{Error, Result};
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
    /// The real ones that `--data` takes; `None` where there are none, and `--data` is refused.
    pub real_data: Option<&'static str>,
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

impl WorkloadInfo {
    /// Its model with some sizes set by name.
    ///
    /// # Errors
    /// [`Error::Usage`] for a size that it does not have or that cannot be so, with those there are.
    pub fn sized(
        &self,
        preset: Preset,
        batch: Option<usize>,
        set: &[(String, usize)],
    ) -> Result<Box<dyn Workload>> {
        let mut model = (self.configure)(preset, batch);
        for (name, value) in set {
            if !model.set(name, *value) {
                return Err(Error::Usage(self.refusal(model.as_mut(), name, *value)));
            }
        }
        Ok(model)
    }

    /// Why a size cannot be set, and what can be.
    fn refusal(&self, model: &mut dyn Workload, name: &str, value: usize) -> String {
        let sizes: Vec<(&str, usize)> =
            model.sizes().into_iter().map(|(name, size)| (name, *size)).collect();
        let why = match sizes.iter().any(|(known, _)| *known == name) {
            true => format!("'{name}' cannot be {value}: it is {}", model.range(name)),
            false => format!("there is no size '{name}'"),
        };
        let line = |(name, size): &(&str, usize)| {
            format!("\n  {name:<18} {size:>8}   {}", model.range(name))
        };
        format!(
            "{}: {why}; the sizes that --set takes, each with its present value and its range:{}",
            self.name,
            sizes.iter().map(line).collect::<String>()
        )
    }
}

impl fmt::Debug for WorkloadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
