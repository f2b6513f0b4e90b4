//! What a step needs memory for only while it runs: the values between ops, and the ops' scratch.

use std::collections::HashMap;

use crate::graph::{Graph, ValueId};
use crate::kernel::{Binding, Operand};
use crate::pass::OpInstance;

use super::Plan;
use super::slots::Temporary;

/// Whose memory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// A value's, and that of all values that are the same memory.
    Value(ValueId),
    /// The n-th scratch tensor's of an op at a node.
    Scratch(usize, usize),
}

/// All values that `plan` has no place for yet, and the scratch of `ops`, in the order in which they are made.
pub(super) fn temporaries(
    graph: &Graph,
    ops: &[OpInstance],
    roots: &[ValueId],
    plan: &Plan,
) -> (Vec<Owner>, Vec<Temporary>) {
    let mut last_use: HashMap<ValueId, usize> = HashMap::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        for value in node.inputs.iter().chain(&node.outputs) {
            last_use.insert(roots[value.0], at);
        }
    }
    let scratch: HashMap<usize, &OpInstance> = ops.iter().map(|op| (op.node, op)).collect();
    let (mut owners, mut temporaries) = (Vec::new(), Vec::new());
    let mut add = |owner: Owner, bytes: u64, life: [usize; 2]| {
        owners.push(owner);
        temporaries.push(Temporary { bytes, life, ..Temporary::default() });
    };
    for (at, node) in graph.nodes.iter().enumerate() {
        for &value in &node.outputs {
            if roots[value.0] == value && plan.locations[value.0].is_none() {
                let last = last_use.get(&value).copied().unwrap_or(at);
                add(Owner::Value(value), graph.values[value.0].bytes(), [at, last]);
            }
        }
        for (n, spec) in scratch.get(&at).iter().flat_map(|op| &op.lowered.scratch).enumerate() {
            add(Owner::Scratch(at, n), spec.bytes(), [at, at]);
        }
    }
    keep_apart(graph, ops, roots, &owners, &mut temporaries);
    (owners, temporaries)
}

/// Notes what one dispatch reads and writes.
fn keep_apart(
    graph: &Graph,
    ops: &[OpInstance],
    roots: &[ValueId],
    owners: &[Owner],
    temporaries: &mut [Temporary],
) {
    let numbers: HashMap<Owner, usize> = owners.iter().enumerate().map(|(i, o)| (*o, i)).collect();
    for op in ops {
        let node = &graph.nodes[op.node];
        let number = |binding: &Binding| -> Option<usize> {
            let owner = match binding.operand {
                Operand::Input(n) => Owner::Value(roots[node.inputs[n].0]),
                Operand::Output(n) => Owner::Value(roots[node.outputs[n].0]),
                Operand::Scratch(n) => Owner::Scratch(op.node, n),
            };
            numbers.get(&owner).copied()
        };
        for dispatch in &op.lowered.dispatches {
            let (written, read): (Vec<_>, Vec<_>) =
                dispatch.bindings.iter().partition(|binding| binding.write);
            let read: Vec<usize> = read.into_iter().filter_map(number).collect();
            for written in written.into_iter().filter_map(number) {
                for &value in &read {
                    temporaries[written].apart.insert(value);
                    temporaries[value].apart.insert(written);
                    if read.iter().filter(|other| **other == value).count() > 1 {
                        temporaries[written].never_with.insert(value);
                        temporaries[value].never_with.insert(written);
                    }
                }
            }
        }
    }
}

/// The most bytes that are alive at once.
pub(super) fn most_alive(temporaries: &[Temporary]) -> u64 {
    let nodes = temporaries.iter().map(|value| value.life[1] + 1).max().unwrap_or(0);
    let mut alive = vec![0; nodes];
    for value in temporaries {
        alive[value.life[0]..=value.life[1]].iter_mut().for_each(|bytes| *bytes += value.bytes);
    }
    alive.into_iter().max().unwrap_or(0)
}
