//! A model as a graph of ops: plain data, which a [`Builder`] builds and the passes work on.

use std::any::Any;
use std::sync::Arc;

use crate::graph::op::{Op, Problem};
use crate::tensor::TensorSpec;
use crate::terms::Phase;

mod builder;
pub mod by_rows;
pub mod chain;
pub mod group;
pub mod op;
pub mod reference;

pub use builder::{Builder, Tensor};
pub use group::{Layout, Member, ParamGroup};

/// The set of the parameters whose gradients are dense.
pub const PARAMETERS: &str = "param";

/// The set of tables whose gradients are the rows that a step touches.
pub const TABLES: &str = "table";

/// The variable that holds the step and the seed.
pub const CLOCK: &str = "clock";

/// Index of a value in [`Graph::values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// How a variable starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Init {
    /// All one value.
    Constant(f32),
    /// Normal with mean 0, drawn from the stream of the variable's name.
    Normal {
        /// Standard deviation.
        std: f32,
    },
    /// The same, but for the first `zeros` values: a row that stands for no word.
    Embedding {
        /// Standard deviation.
        std: f32,
        /// Values that are 0.
        zeros: usize,
    },
    /// Uniform in [-limit, limit).
    Uniform {
        /// Half the width.
        limit: f32,
    },
    /// These values: an f32 tensor's numbers, or a u32 tensor's bits through [`f32::from_bits`].
    Values(Arc<Vec<f32>>),
    /// Step 0 and the seed: the one place where it lives on the device.
    Clock,
    /// The loss's gradient by itself: 1 everywhere, for ever, times a factor.
    LossGradient {
        /// What a layer's rule multiplied it by, such as 1/n where the loss is a mean.
        factor: f32,
    },
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// Written from outside before a step.
    Input {
        /// As in a snapshot: `features`.
        name: String,
    },
    /// State that outlives a step.
    Variable {
        /// `clock`, `velocity`.
        name: String,
        /// Its start.
        init: Init,
    },
    /// A member of a group, or some of its rows: a range of the group's one buffer.
    Member {
        /// Index in [`Graph::groups`].
        group: usize,
        /// Index in the group.
        member: usize,
        /// First element of what of the member lies in the group.
        first: usize,
    },
    /// A whole group as one flat tensor, gaps of zeros included.
    Group {
        /// Index in [`Graph::groups`].
        group: usize,
    },
    /// A flat tensor in a group's layout; the node's inputs are one for each of the group's member nodes,
    /// in order.
    Flat {
        /// Index in [`Graph::groups`].
        group: usize,
    },
    /// Another shape for the same memory.
    Reshape,
    /// An operation.
    Op {
        /// What it is.
        op: Arc<dyn Op>,
        /// What it is at its inputs' sizes.
        problem: Arc<dyn Problem>,
    },
}

impl NodeKind {
    /// An op over inputs of these sizes, where it takes them.
    pub(crate) fn of(op: Arc<dyn Op>, inputs: &[TensorSpec]) -> Option<Self> {
        let problem = Arc::from(op.problem(inputs).ok()?);
        Some(Self::Op { op, problem })
    }

    /// The op, where it is one of this type.
    pub(crate) fn as_op<T: Op>(&self) -> Option<&T> {
        match self {
            Self::Op { op, .. } => (op.as_ref() as &dyn Any).downcast_ref(),
            _ => None,
        }
    }
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// What it reads.
    pub inputs: Vec<ValueId>,
    /// What it makes.
    pub outputs: Vec<ValueId>,
    /// Layer it belongs to: `dense1`.
    pub scope: String,
    /// Part of the step.
    pub phase: Phase,
}

/// A finished graph as plain data: what the passes work on.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// In an order in which they can run.
    pub nodes: Vec<Node>,
    /// Each value's shape and type.
    pub values: Vec<TensorSpec>,
    /// For each value the node that makes it.
    pub makers: Vec<usize>,
    /// Groups of variables.
    pub groups: Vec<ParamGroup>,
    /// Values read from outside after a step: they get memory of their own.
    pub outputs: Vec<(String, ValueId)>,
}

impl Graph {
    /// Adds a node; its outputs have `specs`.
    pub(crate) fn push(
        &mut self,
        kind: NodeKind,
        inputs: Vec<ValueId>,
        specs: Vec<TensorSpec>,
        scope: &str,
        phase: Phase,
    ) -> Vec<ValueId> {
        let outputs: Vec<_> = (self.values.len()..).map(ValueId).take(specs.len()).collect();
        self.makers.extend(specs.iter().map(|_| self.nodes.len()));
        self.values.extend(specs);
        self.nodes.push(Node {
            kind,
            inputs,
            outputs: outputs.clone(),
            scope: scope.to_string(),
            phase,
        });
        outputs
    }

    /// The specs of several values.
    pub fn specs(&self, values: &[ValueId]) -> Vec<TensorSpec> {
        values.iter().map(|v| self.values[v.0].clone()).collect()
    }

    /// For each value how many nodes read it; an output for the outside counts as read.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        let read = self.nodes.iter().flat_map(|n| &n.inputs);
        for v in read.chain(self.outputs.iter().map(|(_, v)| v)) {
            uses[v.0] += 1;
        }
        uses
    }

    /// The same graph without ops whose results nobody needs. Ops that update state stay.
    pub fn pruned(&self) -> Self {
        let mut needed = vec![false; self.values.len()];
        for (_, v) in &self.outputs {
            needed[v.0] = true;
        }
        let mut kept = vec![false; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let updates = matches!(&node.kind, NodeKind::Op { problem, .. } if problem.in_place().next().is_some());
            kept[at] = updates
                || !matches!(
                    node.kind,
                    NodeKind::Op { .. } | NodeKind::Flat { .. } | NodeKind::Reshape
                )
                || node.outputs.iter().any(|v| needed[v.0]);
            if kept[at] {
                node.inputs.iter().for_each(|v| needed[v.0] = true);
            }
        }
        let mut out = self.clone();
        let mut keep = kept.iter();
        out.nodes.retain(|_| keep.next().copied().unwrap_or(false));
        out.index_makers();
        out
    }

    /// Drops the nodes whose values others make by now.
    pub(crate) fn drop_idle(&mut self) {
        self.nodes.retain(|node| !node.outputs.is_empty());
        self.index_makers();
    }

    pub(crate) fn index_makers(&mut self) {
        for (at, node) in self.nodes.iter().enumerate() {
            for v in &node.outputs {
                self.makers[v.0] = at;
            }
        }
    }
}
