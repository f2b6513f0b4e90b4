//! Has the gradient of a loss make the loss: both read the logits, and neither waits for the other.

use std::sync::Arc;

use crate::graph::op::Op;
use crate::graph::{Graph, Node, NodeKind};
use crate::op::cross_entropy::{CrossEntropy, CrossEntropyGrad};

/// The same graph in which a cross-entropy whose gradient depends on nothing that follows it, since what reaches it is a
/// constant, is one op with it. Values keep their ids.
pub fn losses(mut graph: Graph) -> Graph {
    let (mut at, mut merged) = (0, 0);
    // A merged gradient takes the place of its loss: there are fewer nodes then.
    while at < graph.nodes.len() {
        merged += usize::from(merge(&mut graph, at).is_some());
        at += 1;
    }
    log::debug!("losses: {merged} are made with their gradients");
    graph
}

fn is<T: Op>(node: &Node) -> bool {
    node.kind.as_op::<T>().is_some()
}

/// Lets the gradient of node `at`, if that is a cross-entropy, make its loss, in its place.
fn merge(graph: &mut Graph, at: usize) -> Option<()> {
    let loss = Some(&graph.nodes[at]).filter(|node| is::<CrossEntropy>(node))?;
    let of_same = |node: &Node| is::<CrossEntropyGrad>(node) && node.inputs[..2] == loss.inputs;
    let gradient = graph.nodes.iter().position(of_same)?;
    let constant = graph.makers[graph.nodes[gradient].inputs[2].0];
    if !matches!(graph.nodes[constant].kind, NodeKind::Variable { .. }) {
        return None;
    }
    let op = Arc::new(CrossEntropyGrad { loss: true });
    let kind = NodeKind::of(op, &graph.specs(&graph.nodes[gradient].inputs))?;
    let losses = std::mem::take(&mut graph.nodes[at].outputs);
    graph.nodes[gradient].kind = kind;
    graph.nodes[gradient].outputs.extend(losses);
    // The gradient comes where the loss was, and the constant before it.
    let gradient = graph.nodes.remove(gradient);
    graph.nodes[at] = gradient;
    if constant > at {
        let constant = graph.nodes.remove(constant);
        graph.nodes.insert(at, constant);
    }
    graph.index_makers();
    Some(())
}
