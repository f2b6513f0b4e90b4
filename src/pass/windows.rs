//! Merges slices and pads with each other and with their sums: each alone would move a whole tensor once more.

use std::sync::Arc;

use crate::graph::chain::{Chain, Function};
use crate::graph::{Graph, NodeKind, ValueId};
use crate::op::pad::Pad;
use crate::op::slice::Slice;
use crate::op::window::{Block, Window};

/// The same graph in which a slice or pad of a slice or pad that nothing else reads is one op, and so is a sum of
/// two pads that do not overlap. Values keep their ids.
pub fn windows(mut graph: Graph) -> Graph {
    let mut merged = 0;
    for at in 0..graph.nodes.len() {
        // A node may be merged with several before it, one after the other.
        while merge(&mut graph, at) {
            merged += 1;
        }
    }
    graph.drop_idle();
    log::debug!("windows: {merged} slices and pads are part of others");
    graph
}

/// A node as blocks, and what each is a block of.
type Parts = (Window, Vec<ValueId>);

/// A slice or pad along one of the last two axes, or what such ops were merged into.
fn parts(graph: &Graph, at: usize) -> Option<Parts> {
    let node = &graph.nodes[at];
    if let Some(window) = node.kind.as_op::<Window>() {
        return Some((window.clone(), node.inputs.clone()));
    }
    let last_two = |value: ValueId| {
        let dims = graph.values[value.0].dims();
        let leading = dims.len().checked_sub(2)?;
        Some((leading, [dims[leading], dims[leading + 1]]))
    };
    let (leading, before) = last_two(*node.inputs.first()?)?;
    let (_, size) = last_two(*node.outputs.first()?)?;
    let mut block =
        Block { to: [0, 0], from: [0, 0], size: [0, 1].map(|i| before[i].min(size[i])) };
    if let Some(slice) = node.kind.as_op::<Slice>() {
        block.from[slice.axis.checked_sub(leading)?] = slice.start;
    } else {
        let pad = node.kind.as_op::<Pad>()?;
        block.to[pad.axis.checked_sub(leading)?] = pad.before;
    }
    Some((Window { size, blocks: vec![block] }, node.inputs.clone()))
}

/// The parts of a value that one reader alone needs.
fn parts_of(graph: &Graph, uses: &[usize], value: ValueId) -> Option<Parts> {
    parts(graph, graph.makers[value.0]).filter(|_| uses[value.0] == 1)
}

/// Tries to merge the makers of what node `at` reads into it.
fn merge(graph: &mut Graph, at: usize) -> bool {
    let uses = graph.uses();
    let merged = seen_through(graph, &uses, at).or_else(|| sum(graph, &uses, at));
    let Some((window, inputs, makers)) = merged else {
        return false;
    };
    let Some(kind) = NodeKind::of(Arc::new(window), &graph.specs(&inputs)) else {
        return false;
    };
    graph.nodes[at].kind = kind;
    graph.nodes[at].inputs = inputs;
    for maker in makers {
        graph.nodes[maker].inputs.clear();
        graph.nodes[maker].outputs.clear();
    }
    true
}

/// The merged window, what it reads, and the nodes that are then needed no more.
type Merged = (Window, Vec<ValueId>, Vec<usize>);

/// A window over a window.
fn seen_through(graph: &Graph, uses: &[usize], at: usize) -> Option<Merged> {
    let (outer, inputs) = parts(graph, at)?;
    let inner = |(i, value): (usize, &ValueId)| Some((i, *value, parts_of(graph, uses, *value)?));
    let (i, value, (inner, read)) = inputs.iter().enumerate().find_map(inner)?;
    let mut blocks = outer.blocks.clone();
    let mut all = inputs.clone();
    let seen = inner.blocks.iter().zip(&read);
    let seen = seen.filter_map(|(block, v)| Some((outer.blocks[i].through(block)?, *v)));
    let (new, read): (Vec<_>, Vec<_>) = seen.unzip();
    blocks.splice(i..=i, new);
    all.splice(i..=i, read);
    let window = Window { blocks, ..outer };
    (!all.is_empty()).then(|| (window, all, vec![graph.makers[value.0]]))
}

/// A sum of windows that have nothing in common.
fn sum(graph: &Graph, uses: &[usize], at: usize) -> Option<Merged> {
    let node = &graph.nodes[at];
    let chain = node.kind.as_op::<Chain>()?;
    let &[a, b] = &node.inputs[..] else {
        return None;
    };
    if *chain != Chain::one(Function::Add) || graph.values[a.0] != graph.values[b.0] {
        return None;
    }
    let (left, right) = (parts_of(graph, uses, a)?, parts_of(graph, uses, b)?);
    let is_apart = |x: &Block| right.0.blocks.iter().all(|y| x.is_apart(y));
    if !left.0.blocks.iter().all(is_apart) {
        return None;
    }
    let blocks = [left.0.blocks, right.0.blocks].concat();
    let window = Window { size: left.0.size, blocks };
    let makers = vec![graph.makers[a.0], graph.makers[b.0]];
    Some((window, [left.1, right.1].concat(), makers))
}
