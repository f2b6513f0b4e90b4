//! Kernels in GPU time at the shapes that the eight workloads really use: `cargo bench -- matmul`.
//!
//! Shapes come from the models' own steps, training and inference; of each workload the heaviest problem of
//! each op is taken, in every variant. `FATHOM_PRESET=full|tiny` chooses the models' size: full, on software
//! adapters tiny. The time comes from the GPU's timestamps, or the wall clock where there are none.
//! `cargo bench -- encode` takes the host's time to encode a dispatch of each workload's training step.
//! Throughput is in operations where a kernel is bound by arithmetic, in bytes where it is bound by memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fathom::gpu::{Gpu, Selector};
use fathom::graph::op::{Cost, Op, Problem};
use fathom::measure::encoding;
use fathom::measure::kernel::program_of;
use fathom::measure::sample::{Budget, step_times};
use fathom::pass::Options;
use fathom::session::{Session, schedule};
use fathom::stats::median;
use fathom::tensor::TensorSpec;
use fathom::terms::Checks;
use fathom::terms::{Mode, Preset};
use fathom::workload::WORKLOADS;

/// Operations a byte above which a kernel counts as bound by arithmetic.
const INTENSITY: u64 = 8;

/// An op as a workload uses it.
struct Use {
    op: Arc<dyn Op>,
    problem: Arc<dyn Problem>,
    inputs: Vec<TensorSpec>,
    cost: Cost,
    /// `speech train 480x512 512x512`.
    name: String,
}

/// The heaviest problem of each op of each workload, by the op's name.
fn problems(gpu: &Gpu, preset: Preset) -> BTreeMap<&'static str, Vec<Use>> {
    let mut all: BTreeMap<&'static str, Vec<Use>> = BTreeMap::new();
    for entry in WORKLOADS {
        let mut heaviest: BTreeMap<&'static str, Use> = BTreeMap::new();
        for mode in [Mode::Train, Mode::Infer] {
            let model = (entry.configure)(preset, None);
            let schedule = schedule(model.as_ref(), mode, &gpu.caps, &Options::default())
                .unwrap_or_else(|error| panic!("{error}"));
            for one in &schedule.ops {
                let work = |cost: &Cost| cost.flops + cost.bytes;
                let known = heaviest.get(one.op.kind().name);
                if known.is_some_and(|known| work(&known.cost) >= work(&one.cost)) {
                    continue;
                }
                let shapes: Vec<_> = one.inputs.iter().map(|spec| spec.shape.to_string()).collect();
                let problem = Use {
                    op: Arc::clone(&one.op),
                    problem: Arc::clone(&one.problem),
                    inputs: one.inputs.clone(),
                    cost: one.cost,
                    name: format!("{} {mode} {}", entry.name, shapes.join(" ")),
                };
                heaviest.insert(one.op.kind().name, problem);
            }
        }
        for (name, problem) in heaviest {
            all.entry(name).or_default().push(problem);
        }
    }
    all
}

/// The device that is asked for, and the models' size on it.
fn device() -> (Gpu, Preset) {
    let selector = Selector { device: std::env::var("FATHOM_DEVICE").ok(), ..Selector::default() };
    let gpu = Gpu::open(&selector, Checks::Off).unwrap_or_else(|error| panic!("{error}"));
    let preset = match std::env::var("FATHOM_PRESET").as_deref() {
        Ok("full") => Preset::Full,
        Ok("tiny") => Preset::Tiny,
        Ok(other) => panic!("FATHOM_PRESET is {other}: full or tiny"),
        Err(_) if gpu.caps.software => Preset::Tiny,
        Err(_) => Preset::Full,
    };
    (gpu, preset)
}

fn kernels(criterion: &mut Criterion) {
    let (gpu, preset) = device();
    for (op, problems) in problems(&gpu, preset) {
        let mut group = criterion.benchmark_group(op);
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_secs(1));
        for problem in problems {
            let cost = problem.cost;
            group.throughput(if cost.flops > INTENSITY * cost.bytes {
                Throughput::Elements(cost.flops)
            } else {
                Throughput::Bytes(cost.bytes)
            });
            for variant in problem.problem.variants(&gpu.caps) {
                let id = BenchmarkId::new(variant.to_string(), &problem.name);
                group.bench_function(id, |bencher| {
                    let program = program_of(&gpu, &problem.op, &problem.inputs, &variant)
                        .unwrap_or_else(|error| panic!("{error}"));
                    bencher.iter_custom(|iterations| {
                        let budget =
                            Budget { time: Duration::from_millis(1), noise: 1.0, min_samples: 1 };
                        let times = step_times(&gpu, &program, &budget, None)
                            .unwrap_or_else(|error| panic!("{error}"));
                        let ns = median(&times).max(1.0);
                        Duration::from_nanos((ns * iterations as f64) as u64)
                    });
                });
            }
        }
        group.finish();
    }
}

/// The host's time to encode a dispatch of each workload's training step: one step a submission, and eight.
fn encode(criterion: &mut Criterion) {
    let (gpu, preset) = device();
    let mut group = criterion.benchmark_group("encode");
    group.sample_size(10).warm_up_time(Duration::from_millis(50));
    for entry in WORKLOADS {
        let model = (entry.configure)(preset, None);
        let mut session = Session::new(&gpu, 0);
        let program = session
            .compile(model.as_ref(), Mode::Train, &Options::default())
            .unwrap_or_else(|error| panic!("{error}"));
        for steps in [1, 8] {
            let id = BenchmarkId::new(entry.name, format!("{steps} steps, a dispatch"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|iterations| {
                    let ns =
                        encoding(&gpu, &program, steps).unwrap_or_else(|error| panic!("{error}"));
                    Duration::from_nanos((ns * iterations as f64) as u64)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encode, kernels);
criterion_main!(benches);
