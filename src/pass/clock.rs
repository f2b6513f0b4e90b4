//! Has the update of the parameters advance the step's clock: a dispatch of one invocation less.

use std::any::Any;
use std::sync::Arc;

use crate::graph::op::Op;
use crate::graph::{Graph, NodeKind};
use crate::op::advance_step::AdvanceStep;
use crate::op::optimizer::Optimizer;

/// The same graph in which the last op that is given the clock advances it, where that is an update that does not read
/// it. Values keep their ids.
pub fn clock(mut graph: Graph) -> Graph {
    if merge(&mut graph).is_some() {
        graph.nodes.retain(|node| !node.outputs.is_empty());
        graph.index_makers();
    }
    graph
}

fn merge(graph: &mut Graph) -> Option<()> {
    let op = |at: usize| match &graph.nodes[at].kind {
        NodeKind::Op { op, .. } => Some(op.as_ref() as &dyn Any),
        _ => None,
    };
    let advances = |at: &usize| op(*at).is_some_and(|op| op.is::<AdvanceStep>());
    let advance = (0..graph.nodes.len()).find(advances)?;
    let clock = graph.nodes[advance].inputs[0];
    let last = graph.nodes[..advance].iter().rposition(|node| node.inputs.contains(&clock))?;
    let update = op(last)?.downcast_ref::<Optimizer>()?.advancing()?;
    let problem = update.problem(&graph.specs(&graph.nodes[last].inputs)).ok()?;
    graph.nodes[last].kind = NodeKind::Op { op: Arc::new(update), problem: Arc::from(problem) };
    let advanced = std::mem::take(&mut graph.nodes[advance].outputs);
    graph.nodes[last].outputs.extend(advanced);
    Some(())
}
