//! Reverse-mode differentiation: graph to graph.

use std::collections::HashMap;

use crate::op::Op;
use crate::tensor::TensorSpec;

use super::{Graph, Init, Kind, ONE, Phase, Tensor, ValueId};

impl Graph {
    /// Adds the backward pass of `loss`, a single value, and returns its gradient with respect to each
    /// of `targets`. Each op's own rule is asked, from the last node to the first; where a value is
    /// used more than once its gradients are summed.
    pub fn gradients<'g>(&'g self, loss: Tensor<'g>, targets: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
        self.set_phase(Phase::Backward);
        let nodes = self.with_nodes(|nodes| nodes.nodes.clone());
        let wanted = self.reaching(&nodes, targets);
        let mut gradients: HashMap<ValueId, Tensor<'g>> = HashMap::new();
        let one = self.scoped("loss", || self.variable(ONE, loss.spec(), Init::Constant(1.0)));
        gradients.insert(loss.id, one);
        for node in nodes.iter().rev() {
            let dy: Vec<_> = node.outputs.iter().map(|v| gradients.get(v).copied()).collect();
            if dy.iter().all(Option::is_none) || !node.inputs.iter().any(|v| wanted[v.0]) {
                continue;
            }
            let x: Vec<_> = node.inputs.iter().map(|&v| self.tensor(v)).collect();
            let y: Vec<_> = node.outputs.iter().map(|&v| self.tensor(v)).collect();
            let dx = self.scoped(&node.scope, || match &node.kind {
                Kind::Op(op) => op.gradient(&x, &y, &dy),
                Kind::Reshape => vec![dy[0].map(|d| d.reshape(x[0].spec().shape))],
                _ => vec![None; x.len()],
            });
            for (x, dx) in x.iter().zip(dx) {
                let Some(dx) = dx.filter(|_| wanted[x.id.0]) else {
                    continue;
                };
                if dx.spec() != x.spec() {
                    self.fail(format!(
                        "the gradient of a {} is a {} ({:?})",
                        x.spec(),
                        dx.spec(),
                        node.kind
                    ));
                }
                let sum = match gradients.get(&x.id) {
                    Some(&before) => self.scoped(&node.scope, || before + dx),
                    None => dx,
                };
                gradients.insert(x.id, sum);
            }
        }
        targets
            .iter()
            .map(|t| {
                gradients.get(&t.id).copied().unwrap_or_else(|| {
                    self.fail(format!("the loss does not depend on a {}", t.spec()));
                    *t
                })
            })
            .collect()
    }

    /// For each value, whether it depends on a target: other gradients need not be computed.
    fn reaching(&self, nodes: &[super::Node], targets: &[Tensor<'_>]) -> Vec<bool> {
        let mut reaching = self.with_nodes(|nodes| vec![false; nodes.values.len()]);
        for t in targets {
            reaching[t.id.0] = true;
        }
        for node in nodes {
            if node.inputs.iter().any(|v| reaching[v.0]) {
                node.outputs.iter().for_each(|v| reaching[v.0] = true);
            }
        }
        reaching
    }
}

/// The gradient of every input of one op in f64 by central differences of its reference, for the sum
/// of all outputs weighted by `weights`: what tests hold the gradient rules against.
pub fn finite_differences(
    op: &dyn Op,
    inputs: &[crate::tensor::Array],
    weights: &[crate::tensor::Array],
    input: usize,
) -> Vec<f64> {
    let value = |inputs: &[crate::tensor::Array]| -> f64 {
        let references: Vec<_> = inputs.iter().collect();
        let outputs = op.reference(&references);
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
/// As [`Graph::finish`].
pub fn rule_in_f64(
    op: std::sync::Arc<dyn Op>,
    inputs: &[crate::tensor::Array],
    weights: &[crate::tensor::Array],
) -> crate::error::Result<Vec<Option<crate::tensor::Array>>> {
    let graph = Graph::new();
    let specs: Vec<TensorSpec> = inputs.iter().map(|a| a.spec.clone()).collect();
    let leaf = |prefix: &str, i: usize, spec: &TensorSpec| {
        graph.input(&format!("{prefix}{i}"), spec.shape.clone(), spec.dtype)
    };
    let x: Vec<_> = specs.iter().enumerate().map(|(i, s)| leaf("x", i, s)).collect();
    let outputs = op.output(&specs).map_err(crate::error::Error::Internal)?;
    let y = graph.add(Kind::Op(op.clone()), &x, outputs);
    let w: Vec<_> = weights.iter().enumerate().map(|(i, a)| leaf("w", i, &a.spec)).collect();
    let dy: Vec<_> = w.iter().map(|w| Some(*w)).collect();
    let dx = op.gradient(&x, &y, &dy);
    let ids: Vec<_> = dx.iter().map(|d| d.map(|d| d.id)).collect();
    for id in ids.iter().flatten() {
        graph.output("gradient", graph.tensor(*id));
    }
    let nodes = graph.finish()?;
    let feed = |name: &str| {
        let (kind, index) = name.split_at(1);
        let index: usize = index.parse().unwrap_or(0);
        if kind == "x" { inputs[index].clone() } else { weights[index].clone() }
    };
    let values = nodes.evaluate(&feed);
    Ok(ids.iter().map(|id| id.and_then(|id| values[id.0].clone())).collect())
}

impl super::Nodes {
    /// Every value by the f64 references, inputs and variables taken from `feed` by name. Values of
    /// banks are fed by their members' names; the loss's own gradient is known; flat tensors are not computed.
    pub fn evaluate(
        &self,
        feed: &dyn Fn(&str) -> crate::tensor::Array,
    ) -> Vec<Option<crate::tensor::Array>> {
        let mut values: Vec<Option<crate::tensor::Array>> = vec![None; self.values.len()];
        for node in &self.nodes {
            let inputs: Option<Vec<_>> = node.inputs.iter().map(|v| values[v.0].as_ref()).collect();
            let outputs = match (&node.kind, inputs) {
                (Kind::Variable { name, init: Init::Constant(one) }, _)
                    if name.starts_with(ONE) =>
                {
                    let spec = self.values[node.outputs[0].0].clone();
                    let all = vec![f64::from(*one); spec.len()];
                    vec![crate::tensor::Array::new(spec, all)]
                }
                (Kind::Input { name } | Kind::Variable { name, .. }, _) => vec![feed(name)],
                (Kind::Member { bank, member, first }, _) => {
                    let whole = feed(&self.banks[*bank].members[*member].name);
                    let spec = self.values[node.outputs[0].0].clone();
                    let part = whole.data[*first..first + spec.len()].to_vec();
                    vec![crate::tensor::Array::new(spec, part)]
                }
                (Kind::Reshape, Some(inputs)) => {
                    let spec = self.values[node.outputs[0].0].clone();
                    vec![crate::tensor::Array::new(spec, inputs[0].data.clone())]
                }
                (Kind::Op(op), Some(inputs)) => op.reference(&inputs),
                _ => continue,
            };
            for (id, value) in node.outputs.iter().zip(outputs) {
                values[id.0] = Some(value);
            }
        }
        values
    }
}
