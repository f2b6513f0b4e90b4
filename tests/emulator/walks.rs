//! How far an invocation walks over the ids of a batch: an id that has half of all places must not keep one invocation
//! at work while the others have finished. The built-in data at preset full, and the kernels that go by ids.

use std::collections::HashMap;

use fathom::graph::op::{Distribution, Sampler};
use fathom::kernel::Caps;
use fathom::op::Case;
use fathom::op::embedding_bag::{EmbeddingBag, Tables};
use fathom::op::sparse::SortIds;
use fathom::pass::Options;
use fathom::random::Rng;
use fathom::session::schedule;
use fathom::tensor::{Array, HostTensor, TensorSpec};
use fathom::terms::{Mode, Preset};
use fathom::workload::{self, DataSource, Split};

use super::cases::longest_walk;
use super::compiler::Compiler;
use super::translate::Result;

/// Turns of all loops of an invocation together on a GPU, and on a CPU adapter, where a word's places are not shared
/// out among its few threads: there memnet's commonest word has 273 places, and each of 561 masks takes two turns, its own
/// and that in which the loop over its bits ends.
const MOST_TURNS: [u32; 2] = [288, 1400];

/// The kinds of op that go by ids.
const KINDS: [&str; 4] = ["embedding_bag", "embedding_bag_grad", "sort_ids", "sum_rows"];

/// A line for each kernel of a model in which an invocation walks too far; fails where there is no such kernel.
pub(crate) fn check(model: &str, compiler: &Compiler) -> Result<()> {
    let devices = [Caps::portable(), Caps::portable_software()];
    let mut lines = Vec::new();
    for (device, most) in devices.iter().zip(MOST_TURNS) {
        let cases = cases(model, device)?;
        if cases.is_empty() {
            return Err(format!("{model} has no kernel that goes by ids"));
        }
        for (case, inputs) in cases {
            let turns = longest_walk(&case, &inputs, device, compiler)?;
            if turns == 0 || turns > most {
                lines.push(format!("{}: {turns} turns of at most {most}", case.name));
            }
        }
    }
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
}

/// The ops of a model's training step that go by ids, on the first batch of its data.
fn cases(model: &str, device: &Caps) -> Result<Vec<(Case, Vec<Array>)>> {
    let info = workload::find(model).map_err(|e| e.to_string())?;
    let model = (info.configure)(Preset::Full, None);
    let mut samples = model.samples(&DataSource::default()).map_err(|e| e.to_string())?;
    let batch = samples.batch(Split::Train, 0).map_err(|e| e.to_string())?.tensors();
    let batch: HashMap<_, _> = batch.into_iter().collect();
    let step = schedule(model.as_ref(), Mode::Train, device, &Options::default());
    let step = step.map_err(|e| e.to_string())?;
    let ops = step.ops.iter().filter(|op| KINDS.contains(&op.op.kind().name));
    let cases = ops.map(|op| {
        let (name, inputs, stored) = (op.label.clone(), op.inputs.clone(), op.stored());
        let case = Case { name, op: op.op.clone(), inputs, stored };
        let inputs = inputs_of(&case, &batch);
        (case, inputs)
    });
    Ok(cases.collect())
}

/// Values of no consequence, and the ids of a batch.
fn inputs_of(case: &Case, batch: &HashMap<&str, HostTensor>) -> Vec<Array> {
    let problem = case.problem();
    let mut inputs = problem.sample(&case.inputs, &mut Sampler::new(Distribution::Uniform, 1));
    let given = |name: &str| Array::from_bytes(batch[name].spec.clone(), &batch[name].bytes);
    let kind = case.op.kind().name;
    if kind.starts_with("embedding_bag") {
        (inputs[0], inputs[1]) = (given("story"), given("question"));
        if kind == "embedding_bag_grad" {
            inputs[4] = index(&inputs, &case.inputs[4]);
        }
        return inputs;
    }
    let count = inputs[0].data.len();
    let mut ids = ["source", "target"].map(given).into_iter().map(|ids| ids.data);
    let ids = ids
        .find(|ids| ids.len() == count)
        .unwrap_or_else(|| looked_up(given("target").data, count));
    inputs[0] = Array::new(TensorSpec::u32([count]), ids);
    if kind == "sum_rows" {
        let sort = Case::new("", SortIds, [TensorSpec::u32([count])]).problem();
        inputs[1] = sort.reference(&[&inputs[0]]).swap_remove(0);
    }
    inputs
}

/// The index of stories and questions, as the forward pass makes it.
fn index(inputs: &[Array], spec: &TensorSpec) -> Array {
    let tables = Tables { dimension: 1, vocabulary: spec.dims()[0] };
    let memories = inputs[0].spec.dims()[1];
    let stacks = [tables.vocabulary, memories].map(|n| Array::zeros(TensorSpec::f32([1, n])));
    let inputs = [&inputs[0], &inputs[1], &stacks[0], &stacks[1]];
    let specs: Vec<_> = inputs.iter().map(|x| x.spec.clone()).collect();
    let bag = Case::new("", EmbeddingBag { tables, indexed: true }, specs).problem();
    bag.reference(&inputs).swap_remove(2)
}

/// The words that a sampled softmax looks up: what follows each word of the target, and draws from the log-uniform
/// distribution.
fn looked_up(target: Vec<f64>, count: usize) -> Vec<f64> {
    let mut rng = Rng::new(2);
    let drawn = (target.len()..count).map(|_| (rng.uniform() * 40_001f64.ln()).exp().floor() - 1.0);
    target.iter().copied().chain(drawn).collect()
}
