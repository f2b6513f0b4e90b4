//! Has the gradients computed in place in the flat buffer that clipping and updates read.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::chain::{Chain, Function};
use crate::graph::op::Op;
use crate::graph::{Graph, NodeKind, ValueId};
use crate::tensor::TensorSpec;
use crate::terms::Phase;

use super::plan::roots;

/// The same graph in which every input of a pack can be computed in its place there: a copy is put
/// in front where the value has a place already, is packed twice, or is made by an op that reads
/// from the same pack, which one dispatch may not do.
///
/// # Errors
/// [`Error::Internal`] where a value that is packed is not f32.
pub fn pack(graph: Graph) -> Result<Graph> {
    let roots = roots(&graph);
    let mut times: HashMap<ValueId, usize> = HashMap::new();
    let packs =
        || graph.nodes.iter().enumerate().filter(|(_, n)| matches!(n.kind, NodeKind::Flat { .. }));
    for input in packs().flat_map(|(_, n)| &n.inputs) {
        *times.entry(roots[input.0]).or_default() += 1;
    }
    let mut copies: Vec<(usize, usize)> = Vec::new(); // pack node, input
    for (at, node) in packs() {
        let inside = |v: &ValueId| node.inputs.iter().any(|p| roots[p.0] == roots[v.0]);
        for (i, input) in node.inputs.iter().enumerate() {
            let root = roots[input.0];
            let maker = &graph.nodes[graph.makers[root.0]];
            // State and inputs have buffers of their own, so their values can only be copied in.
            let computed = matches!(maker.kind, NodeKind::Op { .. });
            if !computed || times[&root] > 1 || maker.inputs.iter().any(inside) {
                copies.push((at, i));
            }
        }
    }
    let mut out = Graph { nodes: Vec::new(), ..graph.clone() };
    for (at, node) in graph.nodes.iter().enumerate() {
        let mut node = node.clone();
        for (_, i) in copies.iter().filter(|(pack, _)| *pack == at) {
            let from = node.inputs[*i];
            let spec = graph.values[from.0].clone();
            node.inputs[*i] = copy(&mut out, from, spec, &node.scope, Phase::Backward)?;
        }
        out.nodes.push(node);
    }
    out.index_makers();
    log::debug!("pack: {} copies into flat buffers", copies.len());
    Ok(out)
}

/// Adds a copy of a value, stored as `spec` has it.
///
/// # Errors
/// [`Error::Internal`] where the value is no float.
pub(super) fn copy(
    graph: &mut Graph,
    value: ValueId,
    spec: TensorSpec,
    scope: &str,
    phase: Phase,
) -> Result<ValueId> {
    let op = Arc::new(Chain::one(Function::Copy));
    let problem = op.problem(&graph.specs(&[value])).map_err(Error::Internal)?;
    let kind = NodeKind::Op { op, problem: Arc::from(problem) };
    Ok(graph.push(kind, vec![value], vec![spec], scope, phase)[0])
}
