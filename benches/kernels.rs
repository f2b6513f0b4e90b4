//! Every variant of every kernel on its larger cases, in GPU time: `cargo bench -- matmul`.
//!
//! The time comes from the GPU's timestamps, or the wall clock where there are none. Throughput is in
//! operations where a kernel is bound by arithmetic, in bytes where it is bound by memory.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fathom::gpu::{Checks, Gpu, Selector};
use fathom::measure::kernel::program_of;
use fathom::measure::sample::{Budget, sample};
use fathom::measure::stats::median;
use fathom::op::{Case, LIST};

/// Operations a byte above which a kernel counts as bound by arithmetic.
const INTENSITY: u64 = 8;

fn throughput(case: &Case) -> Throughput {
    let cost = case.op.cost(&case.inputs);
    if cost.flops > INTENSITY * cost.bytes {
        Throughput::Elements(cost.flops)
    } else {
        Throughput::Bytes(cost.bytes)
    }
}

fn kernels(criterion: &mut Criterion) {
    let device = std::env::var("FATHOM_DEVICE").ok();
    let selector = Selector {
        device,
        backend: None,
    };
    let gpu = match Gpu::open(&selector, Checks::Off) {
        Ok(gpu) => gpu,
        Err(error) => panic!("{error}"),
    };
    for family in LIST {
        let mut group = criterion.benchmark_group(family.name());
        group.sample_size(10);
        for case in family.benches() {
            group.throughput(throughput(&case));
            for variant in case.op.variants(&case.inputs, &gpu.caps) {
                let id = BenchmarkId::new(variant.to_string(), &case.name);
                group.bench_function(id, |bencher| {
                    let program = program_of(&gpu, case.op.as_ref(), &case.inputs, &variant)
                        .unwrap_or_else(|error| panic!("{error}"));
                    bencher.iter_custom(|iterations| {
                        let budget = Budget {
                            time: Duration::from_millis(1),
                            noise: 1.0,
                            min_samples: 1,
                        };
                        let samples = sample(&gpu, &program, &budget, &|_| {})
                            .unwrap_or_else(|error| panic!("{error}"));
                        let ns = median(&samples.step_ns).max(1.0);
                        Duration::from_nanos((ns * iterations as f64) as u64)
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
