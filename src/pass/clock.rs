//! Has the update of the parameters advance the step's clock: a dispatch of one invocation less.

use std::sync::Arc;

use crate::graph::{Graph, Node, NodeKind};
use crate::op::advance_step::AdvanceStep;
use crate::op::optimizer::Optimizer;

/// The same graph in which the last op that is given the clock advances it, where that is an update that does not read
/// it. Values keep their ids.
pub fn clock(mut graph: Graph) -> Graph {
    if merge(&mut graph).is_some() {
        graph.drop_idle();
    }
    graph
}

fn merge(graph: &mut Graph) -> Option<()> {
    let advances = |node: &Node| node.kind.as_op::<AdvanceStep>().is_some();
    let advance = graph.nodes.iter().position(advances)?;
    let clock = graph.nodes[advance].inputs[0];
    let last = graph.nodes[..advance].iter().rposition(|node| node.inputs.contains(&clock))?;
    let update = Arc::new(graph.nodes[last].kind.as_op::<Optimizer>()?.advancing()?);
    graph.nodes[last].kind = NodeKind::of(update, &graph.specs(&graph.nodes[last].inputs))?;
    let advanced = std::mem::take(&mut graph.nodes[advance].outputs);
    graph.nodes[last].outputs.extend(advanced);
    Some(())
}
