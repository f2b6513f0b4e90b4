//! What GPUs would run: the variants that the plans of all full models choose on any of them.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Mutex;

use fathom::graph::op::Problem;
use fathom::graph::{Graph, NodeKind};
use fathom::kernel::{Caps, Variant};
use fathom::pass::choose::Choice;
use fathom::pass::fused;
use fathom::pass::pack::pack;
use fathom::pass::pairs::pairs;
use fathom::pass::split::split;
use fathom::terms::{Mode, Preset};
use fathom::workload::{Model, WORKLOADS, step};
use rayon::prelude::*;

/// Bytes that a binding may show.
const BINDINGS: [u64; 2] = [128 << 20, 2 << 30];

/// GPUs of every sort, as far as a choice may depend on it, all with bindings of so many bytes.
fn gpus(max_binding: u64) -> Vec<Caps> {
    let mut gpus = Vec::new();
    let base = Caps { max_binding, max_buffer: 2 * max_binding, ..Caps::portable() };
    for subgroup in [None, Some(8), Some(32), Some(64)] {
        for max_shared in [16 << 10, 32 << 10, 48 << 10] {
            for max_invocations in [256, 1024] {
                for max_bindings in [8, 32] {
                    let base = base.clone();
                    let caps = Caps { subgroup, max_shared, max_invocations, max_bindings, ..base };
                    gpus.push(caps);
                }
            }
        }
    }
    gpus
}

/// What `of` says of the variants in every full model's plan, training and inference, on every GPU: each
/// answer once. It is told the op's type, the op at its sizes, the variant and the first GPU that it is chosen on.
pub(crate) fn of_plans<T: Eq + Hash + Clone + Send>(
    of: impl Fn(&'static str, &dyn Problem, &Variant, &Caps) -> Vec<T> + Sync,
) -> HashSet<T> {
    let cells = WORKLOADS.iter().flat_map(|info| Mode::ALL.map(|mode| (info, mode)));
    let cells: Vec<_> =
        cells.flat_map(|cell| BINDINGS.map(|max_binding| (cell, max_binding))).collect();
    let found = Mutex::new(HashSet::new());
    cells.par_iter().for_each(|&((info, mode), max_binding)| {
        let gpus = gpus(max_binding);
        let workload = (info.configure)(Preset::Full, None);
        let buckets = workload.buckets();
        let models = buckets.iter().map(|bucket| bucket.as_ref() as &dyn Model);
        for model in std::iter::once(workload.as_ref() as &dyn Model).chain(models) {
            let graph = step::graph(model, mode, &gpus[0], false).unwrap();
            let graph = pack(split(fused(graph), &gpus[0]).unwrap()).unwrap();
            let answers: HashSet<T> = chosen(&graph, &gpus, &of);
            let of_pairs: HashSet<T> =
                chosen(&pairs(graph, &gpus[0], &Choice::default()), &gpus, &of);
            found.lock().unwrap().extend(answers.into_iter().chain(of_pairs));
        }
    });
    found.into_inner().unwrap()
}

/// The same of one graph. Layers of the same sizes are looked at once.
fn chosen<T: Eq + Hash>(
    graph: &Graph,
    gpus: &[Caps],
    of: &impl Fn(&'static str, &dyn Problem, &Variant, &Caps) -> Vec<T>,
) -> HashSet<T> {
    let (mut answers, mut known) = (HashSet::new(), HashSet::new());
    for node in &graph.nodes {
        let NodeKind::Op { op, problem } = &node.kind else {
            continue;
        };
        let operands = [graph.specs(&node.inputs), graph.specs(&node.outputs)];
        if !known.insert(format!("{op:?} {operands:?}")) {
            continue;
        }
        let mut variants = Vec::new();
        for caps in gpus {
            let variant =
                Choice::default().of(op.as_ref(), problem.as_ref(), &operands, caps).unwrap();
            if variants.contains(&variant) {
                continue;
            }
            answers.extend(of(op.kind().name, problem.as_ref(), &variant, caps));
            variants.push(variant);
        }
    }
    answers
}
