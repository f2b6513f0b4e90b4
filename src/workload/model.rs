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

    /// The numbers that can be set, by name.
    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)>;

    /// Every model parameter by name, for records and snapshots: [`Model::sizes`], and what is fixed or follows
    /// from them.
    fn config(&self) -> Map<String, Value>;

    /// What a number becomes where `value` is asked for; `None` where it cannot be that.
    fn admitted(&self, name: &str, value: usize) -> Option<usize> {
        let _ = name;
        Some(value)
    }

    /// Sets one of [`Model::sizes`]; false where there is none of that name that could be `value`.
    fn set(&mut self, name: &str, value: usize) -> bool {
        let Some(value) = self.admitted(name, value) else {
            return false;
        };
        let size = self.sizes().into_iter().find(|(known, _)| *known == name);
        size.map(|(_, size)| *size = value).is_some()
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
