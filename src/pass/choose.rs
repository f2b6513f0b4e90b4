//! Which variant each op runs: a forced one, else the op's own heuristic (its first).

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::op::{Op, Problem};
use crate::graph::{Graph, NodeKind};
use crate::kernel::{Caps, Variant};
use crate::tensor::TensorSpec;

use super::OpInstance;

/// Variants asked for by label: `matmul/naive`, or with constants `matmul/tile[BM=64,BN=64,BK=16]`.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Each applies to the op it names.
    pub forced: Vec<String>,
}

/// Chooses a variant for each op of `graph` and lowers it.
///
/// # Errors
/// [`Error::Usage`] naming a forced variant that cannot run.
pub fn choose(graph: &Graph, caps: &Caps, choice: &Choice) -> Result<Vec<OpInstance>> {
    let mut ops = Vec::new();
    let mut dispatched = 0;
    for (at, node) in graph.nodes.iter().enumerate() {
        let NodeKind::Op { op, problem } = &node.kind else {
            continue;
        };
        let inputs = graph.specs(&node.inputs);
        let variant = choice.of(op.as_ref(), problem.as_ref(), &inputs, caps)?;
        ops.extend(instance(graph, at, variant, caps, dispatched));
        dispatched = ops.last().map_or(0, |op| op.dispatches.end);
    }
    log::debug!("choose: {} ops in {dispatched} dispatches", ops.len());
    Ok(ops)
}

/// Node `at` under a variant, its dispatches numbered from `first`; `None` where it is no op.
pub(super) fn instance(
    graph: &Graph,
    at: usize,
    variant: Variant,
    caps: &Caps,
    first: usize,
) -> Option<OpInstance> {
    let node = &graph.nodes[at];
    let NodeKind::Op { op, problem } = &node.kind else {
        return None;
    };
    let lowered = problem.lower(&variant, caps);
    let dot = if node.scope.is_empty() { "" } else { "." };
    Some(OpInstance {
        label: format!("{}{dot}{}/{variant}", node.scope, op.kind().name),
        scope: node.scope.clone(),
        op: Arc::clone(op),
        problem: Arc::clone(problem),
        variant,
        phase: node.phase,
        inputs: graph.specs(&node.inputs),
        outputs: graph.specs(&node.outputs),
        cost: problem.cost(),
        dispatches: first..first + lowered.dispatches.len(),
        lowered,
        node: at,
    })
}

impl Choice {
    /// The variant for one op at its sizes.
    ///
    /// # Errors
    /// [`Error::Usage`] naming a forced variant that cannot run: never another in its place.
    pub fn of(
        &self,
        op: &dyn Op,
        problem: &dyn Problem,
        inputs: &[TensorSpec],
        caps: &Caps,
    ) -> Result<Variant> {
        let name = op.kind().name;
        let variants = problem.variants(caps);
        let mut forced = self.forced.iter().rev();
        let wanted = forced.find(|label| label.split_once('/').is_some_and(|(of, _)| of == name));
        let Some(wanted) = wanted else {
            return variants
                .into_iter()
                .next()
                .ok_or_else(|| Error::Internal(format!("{name} has no variant for {inputs:?}")));
        };
        let label = |v: &Variant| format!("{name}/{v}");
        let asked = |v: &&Variant| label(v) == *wanted || format!("{name}/{}", v.name) == *wanted;
        variants.iter().find(asked).cloned().ok_or_else(|| {
            let known: Vec<_> = variants.iter().map(label).collect();
            Error::Usage(format!(
                "variant '{wanted}' cannot run on {}; the ones that can are {}",
                inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x "),
                known.join(", ")
            ))
        })
    }
}
