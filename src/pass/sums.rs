//! Has products sum the columns that they read anyway: a weight's gradient reads the whole gradient of its layer's
//! result, whose columns' sums are the gradient of the bias. That saves a dispatch and a reading of it each.

use std::sync::Arc;

use crate::graph::{Graph, Node, NodeKind, ValueId};
use crate::op::reduce::{Reduce, Reduction};
use crate::tensor::TensorSpec;

use super::plan::roots;

/// The same graph without the sums of columns that a product's second operand has as well. Values keep their ids.
pub fn sums(mut graph: Graph) -> Graph {
    let roots = roots(&graph);
    let mut merged = 0;
    for at in 0..graph.nodes.len() {
        if columns(&graph, at).is_some_and(|columns| merge(&mut graph, &roots, at, columns)) {
            merged += 1;
        }
    }
    graph.drop_idle();
    log::debug!("sums: {merged} sums of columns are made by products");
    graph
}

/// How many columns a node sums, if that is what it does.
fn columns(graph: &Graph, at: usize) -> Option<usize> {
    let reduce = graph.nodes[at].kind.as_op::<Reduce>()?;
    let dims = graph.values[graph.nodes[at].inputs[0].0].dims();
    let end = reduce.axes.first + reduce.axes.count;
    // Nothing but the last axis is left of each matrix.
    (reduce.reduction == Reduction::Sum && end + 1 == dims.len()).then(|| dims[end])
}

/// Lets a product that has what node `sum` sums for its second operand make the sums.
fn merge(graph: &mut Graph, roots: &[ValueId], sum: usize, columns: usize) -> bool {
    let (summed, result) = (graph.nodes[sum].inputs[0], graph.nodes[sum].outputs[0]);
    let needed = |node: &Node| node.inputs.contains(&result);
    let first_use = graph.nodes.iter().position(needed).unwrap_or(graph.nodes.len());
    for at in 0..first_use {
        let node = &graph.nodes[at];
        let NodeKind::Op { op, .. } = &node.kind else {
            continue;
        };
        let Some(&operand) = node.inputs.get(1).filter(|v| roots[v.0] == roots[summed.0]) else {
            continue;
        };
        let whole = graph.values[operand.0].len() == graph.values[summed.0].len();
        let Some(op) = op.with_column_sums().filter(|_| whole && node.outputs.len() == 1) else {
            continue;
        };
        let Ok(problem) = op.problem(&graph.specs(&node.inputs)) else {
            continue;
        };
        let sums = problem.output_specs().pop();
        let alike =
            |spec: &TensorSpec| *spec == graph.values[result.0] && spec.shape.last() == columns;
        if sums.as_ref().is_some_and(alike) {
            graph.nodes[at].kind =
                NodeKind::Op { op: Arc::clone(&op), problem: Arc::from(problem) };
            graph.nodes[at].outputs.push(result);
            graph.nodes[sum].outputs.clear();
            graph.nodes[sum].inputs.clear();
            return true;
        }
    }
    false
}
