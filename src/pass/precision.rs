//! Has the values between ops stored as f16, where those on both sides take it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::op::Storage;
use crate::graph::{Graph, Node, NodeKind, ValueId};
use crate::kernel::Caps;
use crate::op::matmul::MATRICES;
use crate::tensor::{DType, TensorSpec};
use crate::terms::Phase;

use super::pack::copy;
use super::plan::roots;

/// The same graph with f16 values wherever every op that touches one takes it ([`Storage`]): between the ops, since what
/// is read or written from outside, state and gradients in a flat buffer stay f32. Values of the backward pass are
/// kept scaled, each by itself, so that no loss has to be.
///
/// A device that multiplies matrices of f16 gets the factors of its products as f16 too, where it is expected to multiply
/// them so and to gain more by it than the copies take: a weight is rounded once a step.
///
/// # Errors
/// [`Error::Usage`] where the device has no f16.
pub fn halved(mut graph: Graph, caps: &Caps) -> Result<Graph> {
    if !caps.f16 {
        return Err(Error::Usage(
            "--precision f16: this device, or what is used of it, has no f16 in shaders; f32 runs everywhere"
                .into(),
        ));
    }
    let roots = roots(&graph);
    let dtypes = dtypes(&graph, &roots);
    for (value, root) in roots.iter().enumerate() {
        if let Some(dtype) = dtypes[root.0] {
            graph.values[value].dtype = dtype;
        }
    }
    if caps.matrices.is_some() {
        graph = cast(&graph, &roots, caps)?;
    }
    retyped(&mut graph)?;
    let halves = |spec: &&TensorSpec| spec.dtype.is_half();
    log::debug!("precision: {} values are f16", graph.values.iter().filter(halves).count());
    Ok(graph)
}

/// For each value that memory is planned for its type, where that is f16.
fn dtypes(graph: &Graph, roots: &[ValueId]) -> Vec<Option<DType>> {
    let mut dtypes = vec![None; graph.values.len()];
    let mut f32s: Vec<ValueId> = graph.outputs.iter().map(|(_, value)| *value).collect();
    for node in &graph.nodes {
        let NodeKind::Op { op, problem } = &node.kind else {
            if !matches!(node.kind, NodeKind::Reshape) {
                f32s.extend(node.inputs.iter().chain(&node.outputs));
            }
            continue;
        };
        let made = node.outputs.iter().zip(problem.outputs());
        for (value, output) in made {
            let kept = output.saved || output.in_place.is_some();
            if kept || op.storage() != Storage::F16 || output.spec.dtype != DType::F32 {
                f32s.push(*value);
            } else {
                dtypes[value.0] = Some(half(node.phase));
            }
        }
        if matches!(op.storage(), Storage::F32(_)) {
            f32s.extend(&node.inputs);
        }
    }
    for value in f32s {
        dtypes[roots[value.0].0] = None;
    }
    dtypes
}

/// Has the ops know the types of what they read.
fn retyped(graph: &mut Graph) -> Result<()> {
    let specs: Vec<_> = graph.nodes.iter().map(|node| graph.specs(&node.inputs)).collect();
    for (node, inputs) in graph.nodes.iter_mut().zip(specs) {
        let NodeKind::Op { op, problem } = &mut node.kind else { continue };
        if inputs.iter().any(|input| input.dtype.is_half()) {
            let place = |why| Error::Internal(format!("{}: {why}", node.scope));
            *problem = Arc::from(op.problem(&inputs).map_err(place)?);
        }
    }
    Ok(())
}

/// The same graph in which products read f16 copies of factors that are f32, where `matrices` then comes first.
fn cast(graph: &Graph, roots: &[ValueId], caps: &Caps) -> Result<Graph> {
    let mut out = Graph { nodes: Vec::new(), ..graph.clone() };
    let mut copies: HashMap<ValueId, ValueId> = HashMap::new();
    for node in &graph.nodes {
        let mut node = node.clone();
        for (spec, value) in
            by_matrices(graph, roots, &node, &copies, caps)?.into_iter().zip(&mut node.inputs)
        {
            if spec == graph.values[value.0] {
                continue;
            }
            if !copies.contains_key(value) {
                copies.insert(*value, copy(&mut out, *value, spec, &node.scope, node.phase)?);
            }
            *value = copies[value];
        }
        out.nodes.push(node);
    }
    out.index_makers();
    log::debug!("precision: {} factors are copied to f16", copies.len());
    Ok(out)
}

/// The factors of a product as f16, if `matrices` would come first then and save what those of them cost of which there is
/// no copy yet; none of a product that reads them so already.
fn by_matrices(
    graph: &Graph,
    roots: &[ValueId],
    node: &Node,
    copies: &HashMap<ValueId, ValueId>,
    caps: &Caps,
) -> Result<Vec<TensorSpec>> {
    let NodeKind::Op { op, .. } = &node.kind else { return Ok(Vec::new()) };
    let mut inputs = graph.specs(&node.inputs);
    let singles = op.problem(&inputs).map_err(Error::Internal)?.planned(caps);
    let mut copying = 0.0;
    let factors = op.factors();
    if !inputs[..factors].iter().any(|spec| spec.dtype == DType::F32) {
        return Ok(Vec::new());
    }
    for (spec, value) in inputs[..factors].iter_mut().zip(&node.inputs) {
        if spec.dtype == DType::F32 {
            let maker = &graph.nodes[graph.makers[roots[value.0].0]];
            spec.dtype = match maker.kind {
                NodeKind::Op { .. } => half(maker.phase),
                _ => DType::F16,
            };
            if !copies.contains_key(value) {
                let bytes = graph.values[value.0].bytes() + spec.bytes();
                copying += caps.speeds.dispatches_ns(1) + caps.speeds.bytes_ns(bytes as f64);
            }
        }
    }
    let halves = op.problem(&inputs).map_err(Error::Internal)?.planned(caps);
    let gains = match (singles.first(), halves.first()) {
        (Some(single), Some(half)) => {
            half.variant.name == MATRICES && half.ns + copying < single.ns
        }
        _ => false,
    };
    inputs.truncate(if gains { factors } else { 0 });
    Ok(inputs)
}

/// What a value that is made in this part of a step is stored as.
fn half(phase: Phase) -> DType {
    if phase == Phase::Backward { DType::ScaledF16 } else { DType::F16 }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::kernel::Caps;
    use crate::pass::{Options, compile};
    use crate::session::schedule;
    use crate::terms::{Mode, Precision, Preset};
    use crate::workload;

    fn caps() -> Caps {
        Caps { f16: true, ..Caps::portable() }
    }

    #[test]
    fn activations_and_their_gradients_are_halves_and_what_outlives_a_step_is_not() {
        let model = (workload::find("residual").unwrap().configure)(Preset::Tiny, None);
        let of = |precision| {
            let options = Options { precision, ..Options::default() };
            schedule(model.as_ref(), Mode::Train, &caps(), &options).unwrap()
        };
        let (single, half) = (of(Precision::F32), of(Precision::F16));
        assert!(half.cost().bytes < single.cost().bytes);
        assert!(half.memory.slot_bytes() < single.memory.slot_bytes() * 3 / 4);
        assert_eq!(half.dispatches(), single.dispatches());
        for (node, op) in half.graph.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Op { op, .. } => Some((node, op)),
            other => {
                let specs = half.graph.specs(&node.outputs);
                let fixed = !matches!(other, NodeKind::Reshape);
                assert!(!fixed || specs.iter().all(|spec| !spec.dtype.is_half()), "{other:?}");
                None
            }
        }) {
            let scaled = if node.phase == Phase::Backward { DType::ScaledF16 } else { DType::F16 };
            for spec in half.graph.specs(&node.outputs) {
                assert!(!spec.dtype.is_half() || spec.dtype == scaled, "{} {spec}", node.scope);
            }
            if matches!(op.storage(), Storage::F32(_)) {
                let specs = half.graph.specs(&node.inputs);
                assert!(specs.iter().all(|spec| !spec.dtype.is_half()), "{}", node.scope);
            }
        }
    }

    #[test]
    fn products_by_matrices_read_weights_that_were_rounded_once() {
        let model = (workload::find("residual").unwrap().configure)(Preset::Full, None);
        let caps = Caps::portable_matrices();
        let options = Options { precision: Precision::F16, ..Options::default() };
        let step = schedule(model.as_ref(), Mode::Train, &caps, &options).unwrap();
        let by_matrices = step.ops.iter().filter(|op| op.variant.name == MATRICES);
        for op in by_matrices.clone() {
            assert!(op.inputs[..2].iter().all(|factor| factor.dtype.is_half()), "{}", op.label);
        }
        assert!(by_matrices.count() > 60);
        let copies = step.ops.iter().filter(|op| {
            op.op.kind().name == "copy"
                && op.inputs[0].dtype == DType::F32
                && op.outputs[0].dtype.is_half()
        });
        // Forward and backward read the same copy of a weight.
        assert!((20..=45).contains(&copies.clone().count()), "{}", copies.count());
    }

    /// What is verified and tuned once is one kernel, however many ops of equal inputs are stored in other ways.
    #[test]
    fn problems_of_one_key_are_stored_alike() {
        let (mut of_key, mut of_inputs) = (HashMap::new(), HashMap::<_, HashSet<_>>::new());
        for info in workload::WORKLOADS {
            let model = (info.configure)(Preset::Tiny, None);
            let options = Options { precision: Precision::F16, fuse: false, ..Options::default() };
            let step = schedule(model.as_ref(), Mode::Train, &caps(), &options).unwrap();
            for op in &step.ops {
                let known = of_key.entry(op.problem_key()).or_insert_with(|| op.stored());
                assert_eq!(*known, op.stored(), "{}", op.label);
                let computed = format!("{:?} {:?}", op.op, op.inputs);
                of_inputs.entry(computed).or_default().insert(op.stored());
            }
        }
        assert!(of_inputs.values().any(|stored| stored.len() > 1));
    }

    #[test]
    fn small_products_are_not_worth_a_rounding_of_their_weights() {
        let model = (workload::find("autoenc").unwrap().configure)(Preset::Full, None);
        for mode in [Mode::Train, Mode::Infer] {
            let dispatches = |precision| {
                let options = Options { precision, ..Options::default() };
                schedule(model.as_ref(), mode, &Caps::portable_matrices(), &options)
                    .unwrap()
                    .dispatches()
            };
            assert_eq!(dispatches(Precision::F16), dispatches(Precision::F32), "{mode:?}");
        }
    }

    #[test]
    fn a_device_without_f16_says_so() {
        let options = Options { precision: Precision::F16, ..Options::default() };
        let error = compile(Graph::default(), &Caps::portable(), &options).unwrap_err();
        assert!(matches!(&error, Error::Usage(why) if why.contains("no f16")), "{error}");
    }
}
