//! The score of a model's outputs over a batch.

use std::ops::AddAssign;

use crate::error::Result;
use crate::tensor::Array;

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

/// Two sums over samples, of which one is divided by the other in the end: errors and labels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ratio {
    /// What is counted.
    pub sum: f64,
    /// What it is divided by.
    pub of: f64,
}

impl Ratio {
    /// The one over the other.
    pub fn value(self) -> f64 {
        self.sum / self.of
    }
}

impl AddAssign for Ratio {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.of += other.of;
    }
}

/// Reads an output of an inference step by name.
pub type Outputs<'a> = &'a dyn Fn(&str) -> Result<Array>;

/// What a batch makes of a model's outputs over it, of its first `counted` samples: what else it holds fills it up.
///
/// # Errors
/// Each those of reading an output.
pub trait Score {
    /// The workload's metric.
    fn score(&self, outputs: Outputs, counted: usize) -> Result<Ratio>;

    /// The same by group, where samples fall into groups: bAbI's tasks.
    fn by_group(&self, outputs: Outputs) -> Result<Vec<(String, Ratio)>> {
        let _ = outputs;
        Ok(Vec::new())
    }

    /// What [`super::Curriculum::follow`] goes by; less is better.
    fn judge(&self, outputs: Outputs, counted: usize) -> Result<Option<Ratio>> {
        let _ = (outputs, counted);
        Ok(None)
    }

    /// One sample with what the model made of it, for people.
    fn show(&self, outputs: Outputs, sample: usize) -> Result<Option<String>> {
        let _ = (outputs, sample);
        Ok(None)
    }
}

/// The class of the largest logit.
pub(super) fn likeliest(logits: &[f64]) -> usize {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(class, _)| class)
}
