//! What a step will be on a device, before anything is allocated there.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result, mebibytes};
use crate::graph::op::{Cost, Op, Problem};
use crate::graph::{Graph, NodeKind, PARAMETERS, ParamGroup, TABLES, ValueId};
use crate::kernel::{Binding, Caps, Lowered, Operand, Variant};
use crate::tensor::{DType, TensorSpec};
use crate::terms::Phase;

use super::plan::{Location, Plan};

/// One op of a step with all that tables, verification and binding need.
#[derive(Debug, Clone)]
pub struct OpInstance {
    /// `dense1.matmul/tile[BM=64,BN=64,BK=16]`.
    pub label: String,
    /// Layer.
    pub scope: String,
    /// The op.
    pub op: Arc<dyn Op>,
    /// The op at its sizes.
    pub problem: Arc<dyn Problem>,
    /// The variant chosen.
    pub variant: Variant,
    /// What it becomes under that variant.
    pub lowered: Lowered,
    /// Part of the step.
    pub phase: Phase,
    /// Its inputs.
    pub inputs: Vec<TensorSpec>,
    /// Its outputs.
    pub outputs: Vec<TensorSpec>,
    /// Least work.
    pub cost: Cost,
    /// Its dispatches, as indices of the program's.
    pub dispatches: Range<usize>,
    /// Index in [`Graph::nodes`].
    pub node: usize,
}

impl OpInstance {
    /// `matmul/tile[BM=64,BN=64,BK=16]`: what is verified, tuned and forced.
    pub fn kernel(&self) -> String {
        format!("{}/{}", self.op.kind().name, self.variant)
    }

    /// What is computed, whichever variant does it: the op with its settings, its inputs' types and shapes, and what its
    /// outputs are stored as.
    pub fn problem_key(&self) -> String {
        problem_key(self.op.as_ref(), &self.inputs, &self.outputs)
    }

    /// What it becomes under a variant, its own or another.
    pub fn lowered(&self, variant: &Variant, caps: &Caps) -> Lowered {
        lowered(self.problem.as_ref(), variant, &self.inputs, &self.outputs, caps)
    }

    /// Smaller inputs that stand for its own ([`Problem::reduced_problem`]), stored as these are.
    pub fn reduced_inputs(&self) -> Option<Vec<TensorSpec>> {
        let reduced = self.problem.reduced_problem()?.into_iter().zip(&self.inputs);
        let stored = reduced.map(|(spec, own)| TensorSpec { dtype: own.dtype, ..spec });
        Some(stored.collect::<Vec<_>>()).filter(|reduced| *reduced != self.inputs)
    }

    /// What its outputs are stored as.
    pub fn stored(&self) -> Vec<DType> {
        self.outputs.iter().map(|output| output.dtype).collect()
    }

    /// What a binding shows, for messages: `its input f32[32, 783, 2048]`.
    fn tensor(&self, binding: &Binding) -> String {
        let (what, spec) = match binding.operand {
            Operand::Input(n) => ("its input", &self.inputs[n]),
            Operand::Output(n) => ("its output", &self.outputs[n]),
            Operand::Scratch(n) => ("its scratch", &self.lowered.scratch[n]),
        };
        format!("{what} {spec}")
    }
}

/// What an op computes at its sizes, as text: the same for two layers alike in all but their place. Outputs are told where
/// they are stored as halves, which makes other kernels.
pub fn problem_key(op: &dyn Op, inputs: &[TensorSpec], outputs: &[TensorSpec]) -> String {
    let inputs: Vec<_> = inputs.iter().map(ToString::to_string).collect();
    let mut key = format!("{op:?} {}", inputs.join(" "));
    if outputs.iter().any(|output| output.dtype.is_half()) {
        let stored: Vec<_> = outputs.iter().map(|output| output.dtype.to_string()).collect();
        key += &format!(" as {}", stored.join(" "));
    }
    key
}

/// A problem under a variant, its operands stored as they are.
pub(super) fn lowered(
    problem: &dyn Problem,
    variant: &Variant,
    inputs: &[TensorSpec],
    outputs: &[TensorSpec],
    caps: &Caps,
) -> Lowered {
    let mut lowered = problem.lower(variant, caps);
    for dispatch in &mut lowered.dispatches {
        for at in 0..dispatch.bindings.len() {
            match dispatch.bindings[at].operand {
                Operand::Input(n) => dispatch.store_as(at, inputs[n].dtype),
                Operand::Output(n) => dispatch.store_as(at, outputs[n].dtype),
                Operand::Scratch(_) => {}
            }
        }
    }
    lowered
}

/// A step as data: its ops in order under their variants, and its memory.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The graph after the passes.
    pub graph: Graph,
    /// Its ops, in order.
    pub ops: Vec<OpInstance>,
    /// Its memory.
    pub memory: Plan,
}

impl Schedule {
    /// Number of dispatches in a step.
    pub fn dispatches(&self) -> usize {
        self.ops.iter().map(|op| op.dispatches.len()).sum()
    }

    /// Least work of a step.
    pub fn cost(&self) -> Cost {
        self.ops.iter().fold(Cost::default(), |sum, op| sum + op.cost)
    }

    /// Whether the device allows every buffer and every binding.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] with the first that is too large.
    pub fn fits(&self, caps: &Caps) -> Result<()> {
        let total = mebibytes(self.memory.bytes());
        let needs = |what: String, bytes: u64, most: u64| {
            let (bytes, most) = (mebibytes(bytes), mebibytes(most));
            Err(Error::OutOfMemory(format!(
                "{what} of {bytes}, but the device allows {most} at most; the whole step needs {total}"
            )))
        };
        // Bindings first: they name the op and its tensor, a buffer may be shared.
        for op in &self.ops {
            for binding in op.lowered.dispatches.iter().flat_map(|d| &d.bindings) {
                let (_, bytes) = self.extent(op, binding)?;
                if bytes > caps.max_binding {
                    let what = format!("{} needs a binding for {}", op.label, op.tensor(binding));
                    return needs(what, bytes, caps.max_binding);
                }
            }
        }
        for buffer in &self.memory.buffers {
            if buffer.bytes > caps.max_buffer {
                let what = format!("{} needs a buffer", buffer.role.name());
                return needs(what, buffer.bytes, caps.max_buffer);
            }
        }
        Ok(())
    }

    /// Where a binding of an op begins and how many bytes it shows.
    ///
    /// # Errors
    /// [`Error::Internal`] where it shows a value without memory.
    pub fn extent(&self, op: &OpInstance, binding: &Binding) -> Result<(Location, u64)> {
        let node = &self.graph.nodes[op.node];
        let value = |v: ValueId| {
            let missing = || Error::Internal(format!("{}: a value has no memory", op.label));
            let place = self.memory.locations[v.0].ok_or_else(missing)?;
            Ok::<_, Error>((place, self.graph.values[v.0].clone()))
        };
        let (place, spec) = match binding.operand {
            Operand::Input(n) => value(node.inputs[n])?,
            Operand::Output(n) => value(node.outputs[n])?,
            Operand::Scratch(n) => (self.memory.scratch[op.node][n], op.lowered.scratch[n].clone()),
        };
        let size = spec.dtype.size() as u64;
        let bytes = match binding.len {
            Some(len) => (len as u64 * size).next_multiple_of(4),
            None => spec.bytes() - binding.offset as u64 * size,
        };
        Ok((Location { offset: place.offset + binding.offset as u64 * size, ..place }, bytes))
    }

    /// Number of values in the model's parameters.
    pub fn parameters(&self) -> usize {
        let learns = |group: &&ParamGroup| group.set == PARAMETERS || group.set == TABLES;
        self.graph.groups.iter().filter(learns).map(ParamGroup::parameters).sum()
    }

    /// The inputs with their shapes.
    pub fn inputs(&self) -> Vec<(&str, &TensorSpec)> {
        let nodes = self.graph.nodes.iter();
        let input = nodes.filter_map(|node| match &node.kind {
            NodeKind::Input { name } => {
                Some((name.as_str(), &self.graph.values[node.outputs[0].0]))
            }
            _ => None,
        });
        input.collect()
    }

    /// The outputs with their shapes.
    pub fn outputs(&self) -> Vec<(&str, &TensorSpec)> {
        let outputs = self.graph.outputs.iter();
        outputs.map(|(name, v)| (name.as_str(), &self.graph.values[v.0])).collect()
    }
}
