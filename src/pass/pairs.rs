//! Has both gradients of a convolution made by one op, where they share work: dispatches, and readings of the gradient of its
//! result.

use std::sync::Arc;

use crate::graph::{Graph, NodeKind, ValueId};
use crate::kernel::Caps;
use crate::op::conv2d::{Conv2dGrads, WINOGRAD};

use super::choose::Choice;

/// The same graph with the gradients of a convolution as one op wherever the estimates have all three by Winograd's products:
/// each alone, and both. They stay apart where a variant is forced on one of them, and on a CPU adapter, which takes longer
/// for dispatches of several parts. Values keep their ids.
///
/// What was tuned makes no difference, so that the programs of a tuning have the same ops.
pub fn pairs(mut graph: Graph, caps: &Caps, choice: &Choice) -> Graph {
    let forced = |name| choice.forced_on(name).is_some();
    if caps.software || forced("conv2d_grad_input") || forced("conv2d_grad_weight") {
        return graph;
    }
    let mut paired = 0;
    for at in 0..graph.nodes.len() {
        let mut others = 0..graph.nodes.len();
        let pair = others.find_map(|other| Some((other, pair(&graph, [at, other], caps)?)));
        if let Some((other, (kind, inputs))) = pair {
            let made = std::mem::take(&mut graph.nodes[other].outputs);
            graph.nodes[other].inputs.clear();
            graph.nodes[at].kind = kind;
            graph.nodes[at].inputs = inputs;
            graph.nodes[at].outputs.extend(made);
            paired += 1;
        }
    }
    graph.drop_idle();
    log::debug!("pairs: both gradients of {paired} convolutions are made by one op");
    graph
}

/// What two nodes are together, the gradient in x and that in w, with what it reads.
fn pair(graph: &Graph, nodes: [usize; 2], caps: &Caps) -> Option<(NodeKind, Vec<ValueId>)> {
    let [of_x, of_w] = nodes.map(|at| &graph.nodes[at]);
    let [input, weight] = [of_x.kind.as_op()?, of_w.kind.as_op()?];
    let op = Conv2dGrads::of(input, weight)?;
    // Of one dy; and what is made together has to be there before it is read.
    let mut early = graph.nodes[..nodes[0]].iter().flat_map(|node| &node.inputs);
    if of_x.inputs.first() != of_w.inputs.get(1) || early.any(|read| of_w.outputs.contains(read)) {
        return None;
    }
    let x = *of_w.inputs.first()?;
    let inputs = [of_x.inputs.as_slice(), &[x]].concat();
    let kind = NodeKind::of(Arc::new(op), &graph.specs(&inputs))?;
    let in_tiles = [&of_x.kind, &of_w.kind, &kind].iter().all(|kind| is_in_tiles(kind, caps));
    in_tiles.then_some((kind, inputs))
}

/// Whether the estimates have an op by Winograd's products.
fn is_in_tiles(kind: &NodeKind, caps: &Caps) -> bool {
    let NodeKind::Op { problem, .. } = kind else { return false };
    problem.planned(caps).first().is_some_and(|first| first.variant.name == WINOGRAD)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;
    use crate::kernel::Variant;
    use crate::pass::Options;
    use crate::session::schedule;
    use crate::terms::{Mode, Preset};
    use crate::workload;

    /// How many ops of a full training step of residual make both gradients of a convolution; how many ops there are.
    fn pairs_of(choice: Choice, caps: &Caps) -> (usize, usize) {
        let model = (workload::find("residual").unwrap().configure)(Preset::Full, None);
        let options = Options { choice, ..Options::default() };
        let step = schedule(model.as_ref(), Mode::Train, caps, &options).unwrap();
        let pairs = step.ops.iter().filter(|op| op.op.kind().name == "conv2d_grads");
        (pairs.count(), step.ops.len())
    }

    #[test]
    fn gradients_in_tiles_are_pairs_on_a_gpu_unless_a_variant_of_one_is_forced() {
        let caps = Caps::portable();
        // All convolutions of 3 x 3 whose windows lie side by side.
        let (pairs, ops) = pairs_of(Choice::default(), &caps);
        assert_eq!(pairs, 29);
        let forced = vec!["conv2d_grad_input/direct".into()];
        let apart = pairs_of(Choice { forced, ..Choice::default() }, &caps);
        assert_eq!(apart, (0, ops + pairs));
        let forced = vec!["conv2d_grads/apart".into()];
        assert_eq!(pairs_of(Choice { forced, ..Choice::default() }, &caps), (pairs, ops));
        assert_eq!(pairs_of(Choice::default(), &Caps::portable_software()), (0, ops + pairs));
    }

    #[test]
    fn what_was_tuned_leaves_the_ops_as_they_are() {
        let caps = Caps::portable();
        let model = (workload::find("residual").unwrap().configure)(Preset::Full, None);
        let step = schedule(model.as_ref(), Mode::Train, &caps, &Options::default()).unwrap();
        let apart = |op: &crate::pass::OpInstance| (op.problem_key(), Variant::new("apart", []));
        let tuned: HashMap<_, _> = step.ops.iter().map(apart).collect();
        let choice = Choice { tuned: Arc::new(tuned), ..Choice::default() };
        assert_eq!(pairs_of(choice, &caps), pairs_of(Choice::default(), &caps));
    }
}
