//! Merges elementwise ops into their neighbours, so that intermediate values stay in registers.
//!
//! The table has two rows: an op with an epilogue takes the elementwise op behind it, and an elementwise
//! op takes the one behind it. Both only where the intermediate value has no other reader and is not an
//! output.

use std::any::Any;
use std::sync::Arc;

use crate::op::Op;
use crate::op::map::Map;

use super::{Kind, Nodes, ValueId};

/// Storage bindings every WebGPU device has in a stage; the output and a kernel's own take their share.
const MAX_INPUTS: usize = 7;

impl Nodes {
    /// The fused graph. Values keep their ids.
    pub fn fused(&self) -> Self {
        let mut out = self.clone();
        let mut at = 0;
        while at < out.nodes.len() {
            // A node may take several producers, one after the other.
            while fuse_producer(&mut out, at) {}
            at += 1;
        }
        let mut fused = out;
        fused.nodes.retain(|n| !n.outputs.is_empty());
        fused.index_makers();
        fused
    }
}

/// Tries to merge one producer of the elementwise node `at` into it. The merged node stands at `at`; the
/// producer loses its outputs.
fn fuse_producer(nodes: &mut Nodes, at: usize) -> bool {
    let Some(map) = as_map(&nodes.nodes[at].kind) else {
        return false;
    };
    let uses = nodes.uses();
    for position in 0..map.inputs {
        let value = nodes.nodes[at].inputs[position];
        let producer = nodes.makers[value.0];
        let Kind::Op(op) = &nodes.nodes[producer].kind else {
            continue;
        };
        // An epilogue is over the first output; the others are then made where the merged node stands.
        let others = nodes.nodes[producer].outputs[1..].to_vec();
        let needed = |v: &ValueId| nodes.nodes[..at].iter().any(|n| n.inputs.contains(v));
        if nodes.nodes[producer].outputs.first() != Some(&value) || others.iter().any(needed) {
            continue;
        }
        let spec = &nodes.values[value.0];
        if uses[value.0] != 1 || *spec != nodes.values[nodes.nodes[at].outputs[0].0] {
            continue;
        }
        let outer = &nodes.nodes[at].inputs;
        let inner = &nodes.nodes[producer].inputs;
        let merged: Option<(Arc<dyn Op>, Vec<ValueId>)> = match as_map(&nodes.nodes[producer].kind)
        {
            Some(first) => {
                let inputs = [&outer[..position], inner, &outer[position + 1..]].concat();
                Some((Arc::new(map.after(first, position)), inputs))
            }
            // The stored value is argument 0 of an epilogue, so the others move up behind it.
            None => op.with_epilogue(&map.with_first(position)).map(|op| {
                let rest = outer.iter().enumerate().filter(|(i, _)| *i != position);
                let rest = rest.map(|(_, v)| *v);
                (Arc::from(op), inner.iter().copied().chain(rest).collect())
            }),
        };
        if let Some((op, inputs)) = merged.filter(|(_, inputs)| inputs.len() <= MAX_INPUTS) {
            nodes.nodes[at].kind = Kind::Op(op);
            nodes.nodes[at].inputs = inputs;
            // Named after the layer that does the work.
            nodes.nodes[at].scope = nodes.nodes[producer].scope.clone();
            nodes.nodes[at].outputs.extend(others);
            nodes.nodes[producer].outputs.clear();
            nodes.nodes[producer].inputs.clear();
            return true;
        }
    }
    false
}

fn as_map(kind: &Kind) -> Option<&Map> {
    match kind {
        Kind::Op(op) => (op.as_ref() as &dyn Any).downcast_ref(),
        _ => None,
    }
}
