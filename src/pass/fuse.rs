//! Merges elementwise ops into their neighbours, so that intermediate values stay in registers.
//!
//! The table has two rows: an op with an epilogue absorbs the elementwise op after it, and an elementwise
//! op absorbs the one after it. Both only where the intermediate value has no other reader and is not an
//! output.

use std::any::Any;
use std::sync::Arc;

use crate::graph::chain::Chain;
use crate::graph::op::Op;
use crate::graph::{Graph, NodeKind, ValueId};

/// Storage bindings every WebGPU device has in a stage; the output and a kernel's own take their share.
const MAX_INPUTS: usize = 7;

/// The fused graph. Values keep their ids.
pub fn fuse(mut graph: Graph) -> Graph {
    let before = graph.nodes.len();
    let mut at = 0;
    while at < graph.nodes.len() {
        // A node may take several producers, one after the other.
        while fuse_producer(&mut graph, at) {}
        at += 1;
    }
    graph.nodes.retain(|n| !n.outputs.is_empty());
    graph.index_makers();
    log::debug!("fuse: {} nodes from {before}", graph.nodes.len());
    graph
}

/// Tries to merge one producer of the elementwise node `at` into it. The merged node stands at `at`; the
/// producer loses its outputs.
fn fuse_producer(graph: &mut Graph, at: usize) -> bool {
    let Some(map) = as_map(&graph.nodes[at].kind) else {
        return false;
    };
    let uses = graph.uses();
    for position in 0..map.inputs {
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
        if uses[value.0] != 1 || *spec != graph.values[graph.nodes[at].outputs[0].0] {
            continue;
        }
        let outer = &graph.nodes[at].inputs;
        let inner = &graph.nodes[producer].inputs;
        let merged: Option<(Arc<dyn Op>, Vec<ValueId>)> = match as_map(&graph.nodes[producer].kind)
        {
            Some(first) => {
                let inputs = [&outer[..position], inner, &outer[position + 1..]].concat();
                Some((Arc::new(map.after(first, position)), inputs))
            }
            // The stored value is argument 0 of an epilogue, so the others move up behind it.
            None => op.with_epilogue(&map.with_first(position)).map(|op| {
                let rest = outer.iter().enumerate().filter(|(i, _)| *i != position);
                let rest = rest.map(|(_, v)| *v);
                (op, inner.iter().copied().chain(rest).collect())
            }),
        };
        let merged = merged.filter(|(_, inputs)| inputs.len() <= MAX_INPUTS);
        // An op that cannot take these inputs refuses them here, and stays apart.
        let merged = merged.and_then(|(op, inputs)| {
            let problem = op.problem(&graph.specs(&inputs)).ok()?;
            Some((NodeKind::Op { op, problem: Arc::from(problem) }, inputs))
        });
        if let Some((kind, inputs)) = merged {
            graph.nodes[at].kind = kind;
            graph.nodes[at].inputs = inputs;
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

fn as_map(kind: &NodeKind) -> Option<&Chain> {
    match kind {
        NodeKind::Op { op, .. } => (op.as_ref() as &dyn Any).downcast_ref(),
        _ => None,
    }
}
