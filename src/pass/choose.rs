//! Which variant each op runs: a forced one, else the one that tuning found, else the op's own heuristic (its first).

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::op::{Cost, Op, Problem};
use crate::graph::{Graph, NodeKind};
use crate::kernel::{Caps, Variant};
use crate::tensor::TensorSpec;

use super::OpInstance;
use super::schedule::{lowered, problem_key};

/// Where variants come from.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Variants asked for by label: `matmul/naive`, or with constants `matmul/tile[BM=64,BN=64,BK=16]`. Each applies to
    /// the op it names.
    pub forced: Vec<String>,
    /// Variants found by tuning, by [`problem_key`]. One that the op does not have on this device is passed over.
    pub tuned: Arc<HashMap<String, Variant>>,
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
        let operands = [graph.specs(&node.inputs), graph.specs(&node.outputs)];
        let variant = choice.of(op.as_ref(), problem.as_ref(), &operands, caps)?;
        ops.extend(instance(graph, at, variant, caps, dispatched));
        dispatched = ops.last().map_or(0, |op| op.dispatches.end);
    }
    log::debug!("choose: {} ops in {dispatched} dispatches", ops.len());
    Ok(ops)
}

/// Node `at` under a variant, its dispatches numbered from `first`; `None` where it is not an op.
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
    let (inputs, outputs) = (graph.specs(&node.inputs), graph.specs(&node.outputs));
    let lowered = lowered(problem.as_ref(), &variant, &inputs, &outputs, caps);
    let dot = if node.scope.is_empty() { "" } else { "." };
    Some(OpInstance {
        label: format!("{}{dot}{}/{variant}", node.scope, op.kind().name),
        scope: node.scope.clone(),
        op: Arc::clone(op),
        problem: Arc::clone(problem),
        variant,
        phase: node.phase,
        cost: cost(problem.as_ref(), &outputs),
        inputs,
        outputs,
        dispatches: first..first + lowered.dispatches.len(),
        lowered,
        node: at,
    })
}

/// Its least work, with its outputs stored as they are.
fn cost(problem: &dyn Problem, outputs: &[TensorSpec]) -> Cost {
    let Cost { flops, bytes } = problem.cost();
    let counted: u64 = problem.outputs().iter().map(|output| output.spec.bytes()).sum();
    let stored: u64 = outputs.iter().map(TensorSpec::bytes).sum();
    Cost { flops, bytes: (bytes + stored).saturating_sub(counted) }
}

impl Choice {
    /// The label that is forced on ops of this name; of several the last.
    pub fn forced_on(&self, name: &str) -> Option<&String> {
        let mut forced = self.forced.iter().rev();
        forced.find(|label| label.split_once('/').is_some_and(|(of, _)| of == name))
    }

    /// The variant for one op at its sizes: of its inputs and its outputs.
    ///
    /// # Errors
    /// [`Error::Usage`] naming a forced variant that cannot run: never another in its place.
    pub fn of(
        &self,
        op: &dyn Op,
        problem: &dyn Problem,
        [inputs, outputs]: &[Vec<TensorSpec>; 2],
        caps: &Caps,
    ) -> Result<Variant> {
        let name = op.kind().name;
        let variants = problem.variants(caps);
        let Some(wanted) = self.forced_on(name) else {
            let none = self.tuned.is_empty();
            let key = || problem_key(op, inputs, outputs);
            let tuned = if none { None } else { self.tuned.get(&key()) };
            let tuned = tuned.filter(|variant| variants.contains(variant)).cloned();
            return tuned
                .or_else(|| variants.into_iter().next())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::matmul::MatMul;

    #[test]
    fn forced_comes_before_tuned_and_tuned_before_the_estimates() {
        let (op, caps) = (MatMul::default(), Caps::portable());
        let inputs = [TensorSpec::f32([64, 64]), TensorSpec::f32([64, 64])];
        let problem = op.problem(&inputs).unwrap();
        let variants = problem.variants(&caps);
        let operands = [inputs.to_vec(), problem.output_specs()];
        let of = |choice: &Choice| choice.of(&op, problem.as_ref(), &operands, &caps).unwrap();
        let tuned = |variant: &Variant| {
            let key = problem_key(&op, &operands[0], &operands[1]);
            let tuned = HashMap::from([(key, variant.clone())]);
            Choice { tuned: Arc::new(tuned), ..Choice::default() }
        };
        assert_eq!(of(&Choice::default()), variants[0]);
        assert_eq!(of(&tuned(&variants[1])), variants[1]);
        let gone = Variant::new("subgroup", [("W", 8), ("TM", 32), ("TN", 8)]);
        assert_eq!(of(&tuned(&gone)), variants[0], "not on this device");
        let forced = Choice { forced: vec!["matmul/naive".into()], ..tuned(&variants[1]) };
        assert_eq!(of(&forced).name, "naive");
    }
}
