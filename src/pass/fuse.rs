//! Merges elementwise ops into their neighbours, so that intermediate values stay in registers.
//!
//! The table has three rows: an op with an epilogue absorbs the elementwise op after it, an elementwise op absorbs
//! the one after it, and an op with a prologue absorbs the elementwise op before it. All only where the intermediate
//! value has no other reader and is not an output; or, of the second row, where all that read it are elementwise ops
//! that can compute it again for less than it takes to store and load. The first two look through a reshape between
//! the two that gives the same values another shape.

use std::borrow::Cow;
use std::sync::Arc;

use crate::graph::chain::{Chain, Read};
use crate::graph::op::Op;
use crate::graph::{Graph, Node, NodeKind, ValueId};
use crate::op::reduce::Reduce;
use crate::tensor::TensorSpec;

/// Storage bindings every WebGPU device has in a stage; the output and a kernel's own take their share.
const MAX_INPUTS: usize = 7;

/// Elements up to which a value is better computed again from several others than stored: a dispatch takes longer
/// than reading so many.
const FEW: usize = 1 << 14;

/// The fused graph. Values keep their ids.
pub fn fuse(graph: Graph) -> Graph {
    let before = graph.nodes.len();
    let mut graph = sink_reshapes(graph);
    let mut at = 0;
    while at < graph.nodes.len() {
        // A node may take several producers, one after the other.
        while fuse_producer(&mut graph, at) || fuse_prologue(&mut graph, at) {}
        at += 1;
    }
    graph.drop_idle();
    log::debug!("fuse: {} nodes from {before}", graph.nodes.len());
    graph
}

/// Tries to merge one producer of the elementwise node `at` into it. The merged node stands at `at`; the
/// producer loses its outputs.
fn fuse_producer(graph: &mut Graph, at: usize) -> bool {
    let Some(map) = graph.nodes[at].kind.as_op::<Chain>() else {
        return false;
    };
    let uses = graph.uses();
    let values = (0..map.inputs).filter(|&position| map.read(position) == Read::Value);
    for position in values {
        let value = graph.nodes[at].inputs[position];
        let producer = graph.makers[value.0];
        let NodeKind::Op { op, .. } = &graph.nodes[producer].kind else {
            continue;
        };
        // An epilogue is over the first output; the others are then made where the merged node stands.
        let others = graph.nodes[producer].outputs[1..].to_vec();
        let needed = |v: &ValueId| graph.nodes[..at].iter().any(|n| n.inputs.contains(v));
        if graph.nodes[producer].outputs.first() != Some(&value) || others.iter().any(needed) {
            continue;
        }
        let spec = &graph.values[value.0];
        let alone = uses[value.0] == 1;
        if *spec != graph.values[graph.nodes[at].outputs[0].0]
            || !(alone || is_computed_again(graph, value, producer))
        {
            continue;
        }
        let outer = &graph.nodes[at].inputs;
        let inner = &graph.nodes[producer].inputs;
        let merged: Option<(Arc<dyn Op>, Vec<ValueId>)> = match as_chain(graph, producer) {
            Some(first) => {
                let inputs = [&outer[..position], inner, &outer[position + 1..]].concat();
                Some((Arc::new(map.after(&first, position)), inputs))
            }
            None if map.reads_rows() => None,
            // The stored value is argument 0 of an epilogue, so the others move up behind it.
            None => op.with_epilogue(&map.with_first(position)).map(|op| {
                let rest = outer.iter().enumerate().filter(|(i, _)| *i != position);
                let rest = rest.map(|(_, v)| *v);
                (op, inner.iter().copied().chain(rest).collect())
            }),
        };
        let merged = merged.filter(|(_, inputs)| inputs.len() <= MAX_INPUTS);
        // An op that cannot take these inputs refuses them here, and stays apart.
        let merged = merged
            .and_then(|(op, inputs)| Some((NodeKind::of(op, &graph.specs(&inputs))?, inputs)));
        if let Some((kind, inputs)) = merged {
            graph.nodes[at].kind = kind;
            graph.nodes[at].inputs = inputs;
            if !alone {
                return true;
            }
            // Named after the layer that does the work.
            graph.nodes[at].scope = graph.nodes[producer].scope.clone();
            graph.nodes[at].outputs.extend(others);
            graph.nodes[producer].outputs.clear();
            graph.nodes[producer].inputs.clear();
            return true;
        }
    }
    false
}

/// Tries to have the node `at` compute one of its inputs itself, as it reads it. The producer loses its outputs.
fn fuse_prologue(graph: &mut Graph, at: usize) -> bool {
    let node = &graph.nodes[at];
    let NodeKind::Op { op, .. } = &node.kind else {
        return false;
    };
    let uses = graph.uses();
    let mut alone = node.inputs.iter().enumerate().filter(|(_, value)| uses[value.0] == 1);
    let merged = alone.find_map(|(position, value)| {
        let producer = graph.makers[value.0];
        let op = op.with_prologue(position, graph.nodes[producer].kind.as_op::<Chain>()?)?;
        let read = &graph.nodes[producer].inputs;
        let inputs = [&node.inputs[..position], read, &node.inputs[position + 1..]].concat();
        let kind = NodeKind::of(op, &graph.specs(&inputs))?;
        (inputs.len() <= MAX_INPUTS).then_some((kind, inputs, producer))
    });
    let Some((kind, inputs, producer)) = merged else {
        return false;
    };
    graph.nodes[at].kind = kind;
    graph.nodes[at].inputs = inputs;
    graph.nodes[producer].outputs.clear();
    graph.nodes[producer].inputs.clear();
    true
}

/// Whether every reader of a value that elementwise node `producer` makes computes it itself: from one other value of
/// its size, so that no more is read, or from several small ones.
fn is_computed_again(graph: &Graph, value: ValueId, producer: usize) -> bool {
    let node = &graph.nodes[producer];
    let cheap = |chain: &Chain| {
        let whole =
            node.inputs.iter().all(|v| graph.values[v.0].len() == graph.values[value.0].len());
        !chain.is_random() && (whole && chain.inputs == 1 || graph.values[value.0].len() <= FEW)
    };
    let mut readers = graph.nodes.iter().filter(|node| node.inputs.contains(&value));
    node.kind.as_op::<Chain>().is_some_and(cheap)
        && graph.outputs.iter().all(|(_, output)| *output != value)
        && readers.all(|reader| {
            reader.kind.as_op::<Chain>().is_some()
                && reader.outputs.iter().all(|v| graph.values[v.0] == graph.values[value.0])
        })
}

/// The same graph in which an elementwise op over the reshaped result of another op comes before the reshape, where
/// nothing else reads that result and all its operands have one shape.
fn sink_reshapes(graph: Graph) -> Graph {
    let uses = graph.uses();
    let mut out = Graph { nodes: Vec::new(), ..graph.clone() };
    for node in &graph.nodes {
        let whole = |v: &ValueId| graph.values[v.0] == graph.values[node.outputs[0].0];
        let reshaped = |v: &ValueId| {
            let maker = &graph.nodes[graph.makers[v.0]];
            let from = *maker.inputs.first().filter(|_| matches!(maker.kind, NodeKind::Reshape))?;
            let computed = matches!(graph.nodes[graph.makers[from.0]].kind, NodeKind::Op { .. });
            (computed && uses[v.0] == 1 && uses[from.0] == 1).then_some((*v, from))
        };
        let chain = node
            .kind
            .as_op::<Chain>()
            .filter(|c| c.expand.is_none() && node.inputs.iter().all(whole));
        let Some((value, from)) = chain.and_then(|_| node.inputs.iter().find_map(reshaped)) else {
            out.nodes.push(node.clone());
            continue;
        };
        let spec = graph.values[from.0].clone();
        let (scope, phase) = (&node.scope, node.phase);
        let mut inputs = Vec::new();
        for &input in &node.inputs {
            inputs.push(match input == value {
                true => from,
                false => {
                    out.push(NodeKind::Reshape, vec![input], vec![spec.clone()], scope, phase)[0]
                }
            });
        }
        let Some(problem) = node_problem(&node.kind, &out.specs(&inputs)) else {
            out.nodes.push(node.clone());
            continue;
        };
        let result = out.push(problem, inputs, vec![spec], scope, phase);
        out.nodes.push(Node { kind: NodeKind::Reshape, inputs: result, ..node.clone() });
    }
    out.index_makers();
    out.pruned()
}

/// An op's kind over other inputs, where it takes them.
fn node_problem(kind: &NodeKind, inputs: &[TensorSpec]) -> Option<NodeKind> {
    let NodeKind::Op { op, .. } = kind else {
        return None;
    };
    NodeKind::of(Arc::clone(op), inputs)
}

/// A node as an elementwise op may absorb it.
fn as_chain(graph: &Graph, at: usize) -> Option<Cow<'_, Chain>> {
    let node = &graph.nodes[at];
    let largest =
        || node.kind.as_op::<Reduce>()?.as_chain(&graph.values[node.inputs[0].0]).map(Cow::Owned);
    node.kind.as_op().map(Cow::Borrowed).or_else(largest)
}
