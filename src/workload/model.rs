//! What a model is: its sizes, its graph and its optimiser.

use std::fmt;

use serde_json::{Map, Value};

use crate::graph::{Builder, Tensor};
use crate::op::optimizer::Rule;
use crate::terms::Mode;

/// What a size can be at most.
pub const LARGEST: usize = 1 << 20;

/// What a size can be: from where to where, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeRange {
    /// The least.
    pub from: usize,
    /// The most.
    pub to: usize,
    /// What it is a multiple of.
    pub step: usize,
}

impl Default for SizeRange {
    fn default() -> Self {
        Self { from: 1, to: LARGEST, step: 1 }
    }
}

impl SizeRange {
    /// Whether a size can be `value`.
    pub fn contains(self, value: usize) -> bool {
        (self.from..=self.to).contains(&value) && value.is_multiple_of(self.step)
    }
}

impl fmt::Display for SizeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)?;
        if self.step > 1 { write!(f, ", a multiple of {}", self.step) } else { Ok(()) }
    }
}

/// A model with all its sizes settled.
pub trait Model: fmt::Debug {
    /// Samples in a batch.
    fn batch(&self) -> usize;

    /// The numbers that can be set, by name.
    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)>;

    /// Every model parameter by name, for records and snapshots: [`Model::sizes`], and what is fixed or follows
    /// from them.
    fn config(&self) -> Map<String, Value>;

    /// What one of [`Model::sizes`] can be.
    fn range(&self, name: &str) -> SizeRange {
        let _ = name;
        SizeRange::default()
    }

    /// Sets one of [`Model::sizes`]; false where there is none of that name that could be `value`.
    fn set(&mut self, name: &str, value: usize) -> bool {
        let admitted = self.range(name).contains(value);
        let size = self.sizes().into_iter().find(|(known, _)| *known == name);
        size.filter(|_| admitted).map(|(_, size)| *size = value).is_some()
    }

    /// The models that share its parameters and are trained in turn, where its batches are not all of one
    /// shape; none where they are.
    fn buckets(&self) -> Vec<Box<dyn Model>> {
        Vec::new()
    }

    /// Declares inputs, layers and outputs, and in training returns the loss, a scalar.
    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>>;

    /// The published optimiser with its settings.
    fn optimizer(&self) -> Optimizer;

    /// What a training step does with its updated parameters, flat in the layouts of set `param`.
    fn after_update<'g>(&self, g: &'g Builder, parameters: &[Tensor<'g>]) {
        let _ = (g, parameters);
    }
}

/// A model's optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer {
    /// The update.
    pub rule: Rule,
    /// Global-norm clip over all gradients together.
    pub clip: Option<f32>,
}

impl Optimizer {
    /// A rule without clipping.
    pub fn new(rule: Rule) -> Self {
        Self { rule, clip: None }
    }

    /// Clips the global norm of the gradients to `norm`.
    pub fn clip(self, norm: f32) -> Self {
        let clip = Some(norm);
        Self { clip, ..self }
    }
}

/// Fields of a model under their own names, for [`Model::sizes`].
macro_rules! fields {
    ($model:ident: $($field:ident),*) => {
        vec![$((stringify!($field), &mut $model.$field)),*]
    };
}
pub(super) use fields;

/// A model's sizes, and the numbers that nobody can set.
pub(super) fn config_with<const N: usize>(
    model: &(impl Model + Clone),
    fixed: [(&str, Value); N],
) -> Map<String, Value> {
    let mut model = model.clone(); // a list that lends its numbers out to be set serves to read them
    let sizes = model.sizes().into_iter().map(|(name, size)| (name, Value::from(*size)));
    sizes.chain(fixed).map(|(name, value)| (name.to_string(), value)).collect()
}
