//! From a model's graph to a schedule: twelve short passes, each graph to graph or graph to data.
//!
//! [`grad`] comes before them: a training step's graph already holds its backward pass.

use std::sync::Arc;

use crate::error::Result;
use crate::graph::op::Op;
use crate::graph::{Builder, Graph};
use crate::kernel::{Caps, HALVES, Variant};
use crate::tensor::{DType, TensorSpec};
use crate::terms::Precision;

pub mod choose;
pub mod clock;
pub mod fuse;
pub mod grad;
pub mod losses;
pub mod pack;
pub mod pairs;
pub mod plan;
pub mod precision;
pub mod schedule;
pub mod shared;
pub mod split;
pub mod sums;
pub mod windows;

use choose::{Choice, choose, instance};
use clock::clock;
use fuse::fuse;
use losses::losses;
use pack::pack;
use pairs::pairs;
use plan::plan;
use precision::halved;
pub use schedule::{OpInstance, Schedule, problem_key};
use shared::shared;
use split::split;
use sums::sums;
use windows::windows;

/// Options of compilation.
#[derive(Debug, Clone)]
pub struct Options {
    /// Merge elementwise ops into their neighbours.
    pub fuse: bool,
    /// Forced variants.
    pub choice: Choice,
    /// What the values between ops are stored as.
    pub precision: Precision,
    /// For verification: no two values share memory, and words behind each show who writes too far.
    pub guarded: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fuse: true, choice: Choice::default(), precision: Precision::F32, guarded: false }
    }
}

/// The order of the passes. No device is needed: what it can do is enough.
///
/// # Errors
/// [`crate::error::Error::Usage`] for a forced variant that cannot run and for f16 where the device has none,
/// [`crate::error::Error::Internal`] for state that is read after it was updated.
pub fn compile(graph: Graph, caps: &Caps, options: &Options) -> Result<Schedule> {
    let graph = if options.fuse { fused(graph) } else { graph };
    let mut graph = pack(split(graph, caps)?)?;
    if HALVES && options.precision == Precision::F16 {
        graph = halved(graph, caps)?;
    }
    if options.fuse {
        graph = pairs(graph, caps, &options.choice);
    }
    let ops = choose(&graph, caps, &options.choice)?;
    let memory = plan(&graph, &ops, caps.max_buffer, options.guarded)?;
    shared(Schedule { graph, ops, memory })
}

/// The graph with ops merged, so that fewer dispatches move fewer bytes. Values keep their ids.
pub fn fused(graph: Graph) -> Graph {
    clock(losses(sums(fuse(windows(graph)))))
}

/// One op alone under a variant, its inputs named `input0`, `input1` and so on, its outputs likewise. The variant
/// need not be among those that the op would choose from at these sizes: a problem that stands for a larger one
/// is checked under the larger one's. `stored` is what its outputs are stored as; where it ends, as the op has them.
///
/// # Errors
/// [`crate::error::Error::Internal`] for inputs that the op refuses.
pub fn compile_op(
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    stored: &[DType],
    variant: &Variant,
    caps: &Caps,
    guarded: bool,
) -> Result<Schedule> {
    let builder = Builder::new();
    let input = |(i, spec): (usize, &TensorSpec)| {
        builder.input(&format!("input{i}"), spec.shape.clone(), spec.dtype)
    };
    let inputs: Vec<_> = inputs.iter().enumerate().map(input).collect();
    let outputs = builder.apply_shared(Arc::clone(op), &inputs);
    for (i, output) in outputs.into_iter().enumerate() {
        builder.output(&format!("output{i}"), output);
    }
    let mut graph = builder.finish()?;
    for (i, dtype) in stored.iter().enumerate() {
        let value = graph.outputs[i].1;
        graph.values[value.0].dtype = *dtype;
    }
    let nodes = 0..graph.nodes.len();
    let ops: Vec<_> =
        nodes.filter_map(|at| instance(&graph, at, variant.clone(), caps, 0)).collect();
    let memory = plan(&graph, &ops, caps.max_buffer, guarded)?;
    shared(Schedule { graph, ops, memory })
}

impl OpInstance {
    /// The op alone under a variant as it is checked: guarded, at the smaller sizes that stand for its own where it has such.
    ///
    /// # Errors
    /// As [`compile_op`].
    pub fn alone(&self, variant: &Variant, caps: &Caps) -> Result<Schedule> {
        let compiled = |inputs: &[TensorSpec], caps: &Caps| {
            compile_op(&self.op, inputs, &self.stored(), variant, caps, true)
        };
        match self.reduced_inputs() {
            Some(inputs) => compiled(&inputs, &self.reduced_caps(&inputs, caps)),
            None => compiled(&self.inputs, caps),
        }
    }

    /// What is to stand for the device where `inputs` stand for its own: what is longer than a binding stays so.
    fn reduced_caps(&self, inputs: &[TensorSpec], caps: &Caps) -> Caps {
        let longest = |inputs: &[TensorSpec], outputs: &[TensorSpec]| {
            inputs.iter().chain(outputs).map(TensorSpec::bytes).max().unwrap_or(0)
        };
        if longest(&self.inputs, &self.outputs) <= caps.max_binding {
            return caps.clone();
        }
        let outputs = self.op.problem(inputs).map_or_else(|_| Vec::new(), |p| p.output_specs());
        let half = longest(inputs, &outputs).div_ceil(2);
        Caps { max_binding: half.next_multiple_of(256), ..caps.clone() }
    }
}
