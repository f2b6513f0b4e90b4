//! What a model is: its sizes, its graph and its optimiser.

use std::fmt;

use serde_json::{Map, Value};

use crate::graph::{Builder, Tensor};
use crate::op::optimizer::Rule;
use crate::terms::Mode;

/// A model with all its sizes settled.
pub trait Model: fmt::Debug {
    /// Samples in a batch.
    fn batch(&self) -> usize;

    /// Every model parameter by name, for records and snapshots.
    fn config(&self) -> Map<String, Value>;

    /// Sets one of the numbers that [`Model::config`] names; false where it has none of that name.
    fn set(&mut self, name: &str, value: usize) -> bool;

    /// The models that share its parameters and are trained in turn, where its batches are not all of one
    /// shape; none where they are.
    fn buckets(&self) -> Vec<Box<dyn Model>> {
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

/// A `json!` object as a configuration.
pub(super) fn object(config: Value) -> Map<String, Value> {
    match config {
        Value::Object(config) => config,
        _ => Map::new(),
    }
}
