//! From a model to a whole step: gradients, clipping, the update, the clock.

use crate::error::Result;
use crate::graph::{Graph, Nodes, Phase, Tensor};
use crate::tensor::TensorSpec;

use super::{Mode, Workload};

/// An update rule with its settings (`../WORKLOADS`, section 0, has the formulas).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Plain gradient descent.
    Sgd {
        /// Learning rate.
        rate: f32,
    },
    /// Momentum SGD with weight decay.
    Momentum {
        /// Learning rate.
        rate: f32,
        /// Share of the velocity that is kept.
        momentum: f32,
        /// Weight decay, on weights only.
        decay: f32,
    },
    /// Nesterov's momentum.
    Nesterov {
        /// Learning rate.
        rate: f32,
        /// Share of the velocity that is kept.
        momentum: f32,
        /// Weight decay, on weights only.
        decay: f32,
    },
    /// Adam (Kingma & Ba 2015).
    Adam {
        /// Learning rate.
        rate: f32,
        /// Decay of the first moment.
        beta1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// Added to the root.
        epsilon: f32,
    },
    /// Centred RMSProp (Graves 2013).
    RmsProp {
        /// Learning rate.
        rate: f32,
        /// Decay of both averages.
        decay: f32,
        /// Added under the root.
        epsilon: f32,
    },
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
