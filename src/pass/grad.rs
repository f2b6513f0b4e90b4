//! Reverse-mode differentiation: graph to graph.

use std::collections::HashMap;

use crate::graph::op::Backward;
use crate::graph::{Builder, Node, NodeKind, Tensor, ValueId};
use crate::terms::Phase;

impl Builder {
    /// Adds the backward pass of `loss`, a single value, and returns its gradient with respect to each
    /// of `targets`. Each op's own rule is asked, from the last node to the first; where a value is
    /// used more than once its gradients are summed.
    pub fn gradients<'g>(&'g self, loss: Tensor<'g>, targets: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
        self.set_phase(Phase::Backward);
        let nodes = self.with_graph(|graph| graph.nodes.clone());
        let wanted = self.reaching(&nodes, targets);
        let mut gradients: HashMap<ValueId, Tensor<'g>> = HashMap::new();
        let dloss = self.scoped("loss", || self.loss_gradient(loss.spec(), 1.0));
        gradients.insert(loss.id, dloss);
        // Backwards, so that all uses of a value have added to its gradient before its maker asks for it.
        for node in nodes.iter().rev() {
            let dy: Vec<_> = node.outputs.iter().map(|v| gradients.get(v).copied()).collect();
            // The loss does not depend on the node, or no target lies before it.
            if dy.iter().all(Option::is_none) || !node.inputs.iter().any(|v| wanted[v.0]) {
                continue;
            }
            let x: Vec<_> = node.inputs.iter().map(|&v| self.tensor(v)).collect();
            let y: Vec<_> = node.outputs.iter().map(|&v| self.tensor(v)).collect();
            let dx = self.scoped(&node.scope, || match &node.kind {
                NodeKind::Op { op, .. } => op.gradient(Backward { x: &x, y: &y, dy: &dy }),
                NodeKind::Reshape => vec![dy[0].map(|d| d.reshape(x[0].spec().shape))],
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
        let backward = self.with_graph(|graph| graph.nodes.len()) - nodes.len();
        log::debug!(
            "grad: {backward} nodes added to {}, for {} gradients",
            nodes.len(),
            targets.len()
        );
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
    fn reaching(&self, nodes: &[Node], targets: &[Tensor<'_>]) -> Vec<bool> {
        let mut reaching = self.with_graph(|graph| vec![false; graph.values.len()]);
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
