//! The f64 interpreter: a graph, and an op's gradient rule, computed with the references of their ops.

use std::sync::Arc;

use crate::error::Result;
use crate::tensor::{Array, TensorSpec};

use super::op::{Backward, Op, Problem};
use super::{Builder, Graph, Init, NodeKind};

/// The gradient of every input of one op in f64 by central differences of its reference, for the sum
/// of all outputs weighted by `weights`: what tests hold the gradient rules against.
pub fn finite_differences(
    problem: &dyn Problem,
    inputs: &[Array],
    weights: &[Array],
    input: usize,
) -> Vec<f64> {
    let value = |inputs: &[Array]| -> f64 {
        let references: Vec<_> = inputs.iter().collect();
        let outputs = problem.reference(&references);
        let weighted = outputs.iter().zip(weights);
        weighted.flat_map(|(y, w)| y.data.iter().zip(&w.data).map(|(y, w)| y * w)).sum()
    };
    let step = 1e-5;
    let mut inputs = inputs.to_vec();
    (0..inputs[input].data.len())
        .map(|i| {
            let x = inputs[input].data[i];
            inputs[input].data[i] = x + step;
            let above = value(&inputs);
            inputs[input].data[i] = x - step;
            let below = value(&inputs);
            inputs[input].data[i] = x;
            (above - below) / (2.0 * step)
        })
        .collect()
}

/// The gradients of one op's inputs as f64 references compute them, for outputs weighted by `weights`:
/// the op's own rule, run through the references of the ops it is made of.
///
/// # Errors
/// As [`Builder::finish`].
pub fn rule_in_f64(
    op: Arc<dyn Op>,
    inputs: &[Array],
    weights: &[Array],
) -> Result<Vec<Option<Array>>> {
    let builder = Builder::new();
    let specs: Vec<TensorSpec> = inputs.iter().map(|a| a.spec.clone()).collect();
    let leaf = |prefix: &str, i: usize, spec: &TensorSpec| {
        builder.input(&format!("{prefix}{i}"), spec.shape.clone(), spec.dtype)
    };
    let x: Vec<_> = specs.iter().enumerate().map(|(i, s)| leaf("x", i, s)).collect();
    let y = builder.apply_shared(Arc::clone(&op), &x);
    let w: Vec<_> = weights.iter().enumerate().map(|(i, a)| leaf("w", i, &a.spec)).collect();
    let dy: Vec<_> = w.iter().map(|w| Some(*w)).collect();
    let dx = op.gradient(Backward { x: &x, y: &y, dy: &dy });
    let ids: Vec<_> = dx.iter().map(|d| d.map(|d| d.id)).collect();
    for id in ids.iter().flatten() {
        builder.output("gradient", builder.tensor(*id));
    }
    let graph = builder.finish()?;
    let feed = |name: &str| {
        let (kind, index) = name.split_at(1);
        let index: usize = index.parse().unwrap_or(0);
        if kind == "x" { inputs[index].clone() } else { weights[index].clone() }
    };
    let values = graph.evaluate(&feed);
    Ok(ids.iter().map(|id| id.and_then(|id| values[id.0].clone())).collect())
}

impl Graph {
    /// Every value by the f64 references, inputs and variables taken from `feed` by name. Values of
    /// groups are fed by their members' names; the loss's own gradient is known; flat tensors are not computed.
    pub fn evaluate(&self, feed: &dyn Fn(&str) -> Array) -> Vec<Option<Array>> {
        let mut values: Vec<Option<Array>> = vec![None; self.values.len()];
        for node in &self.nodes {
            let inputs: Option<Vec<_>> = node.inputs.iter().map(|v| values[v.0].as_ref()).collect();
            let outputs = match (&node.kind, inputs) {
                (NodeKind::Variable { init: Init::LossGradient { factor }, .. }, _) => {
                    let spec = self.values[node.outputs[0].0].clone();
                    let ones = vec![f64::from(*factor); spec.len()];
                    vec![Array::new(spec, ones)]
                }
                (NodeKind::Input { name } | NodeKind::Variable { name, .. }, _) => vec![feed(name)],
                (NodeKind::Member { group, member, first }, _) => {
                    let member = &self.groups[*group].members[*member];
                    let (whole, first) = (feed(&member.name), member.first() + first);
                    let spec = self.values[node.outputs[0].0].clone();
                    let part = whole.data[first..first + spec.len()].to_vec();
                    vec![Array::new(spec, part)]
                }
                (NodeKind::Reshape, Some(inputs)) => {
                    let spec = self.values[node.outputs[0].0].clone();
                    vec![Array::new(spec, inputs[0].data.clone())]
                }
                (NodeKind::Op { problem, .. }, Some(inputs)) => problem.reference(&inputs),
                _ => continue,
            };
            for (id, value) in node.outputs.iter().zip(outputs) {
                values[id.0] = Some(value);
            }
        }
        values
    }
}
