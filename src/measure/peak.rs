//! A device's ceilings, measured in the same run as the models: what no kernel can exceed.
//!
//! Each ceiling is measured with several kernel shapes, whose results are checked; the best counts.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::op::{Distribution, Op};
use crate::host::Instant;
use crate::kernel::Variant;
use crate::program::check::check_variant;
use crate::record::Peaks;
use crate::stats::{median, quantile};
use crate::tensor::TensorSpec;

use super::kernel::{program_of, time_variant};
use super::sample::Budget;

mod ops;

pub use ops::{Copy, Empty, Fma};

/// What the device can reach at most, and how that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Ceilings {
    /// The best of what was tried.
    pub peaks: Peaks,
    /// Every kernel shape tried, with its operations or bytes a second.
    pub candidates: Vec<(String, f64)>,
}

/// Time a kernel of a ceiling should take: long enough for any clock, short for any watchdog.
const KERNEL: f64 = 20e6;

/// What [`measure`] takes as a run asks for it, with the kernels' making: told before a run begins.
pub const ABOUT: Duration = Duration::from_secs(4);

/// Dispatches of the launch measurement.
const LAUNCHES: usize = 256;

/// Measures all ceilings in about `time`.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::Verification`] where a kernel computes nonsense.
pub fn measure(gpu: &Gpu, time: Duration, progress: &dyn Fn(f64)) -> Result<Ceilings> {
    let mut candidates = Vec::new();
    let invocations = if gpu.caps.software { 1 << 12 } else { 1 << 20 };
    let elements = copy_elements(gpu);
    let shapes = ops::FMA_SHAPES.len() + ops::COPY_SHAPES.len();
    let budget = Budget { time: time / (shapes as u32 + 1), noise: 0.01, min_samples: 3 };
    let mut best = [0.0f64; 2];
    for (i, &(chains, width)) in ops::FMA_SHAPES.iter().enumerate() {
        let mut fma = Fma { invocations, loops: 16 };
        let shared = |fma: &Fma| -> Arc<dyn Op> { Arc::new(*fma) };
        let variant = Variant::new("fma", [("CHAINS", chains), ("WIDTH", width)]);
        // From a short kernel to one of the wanted length, in steps that can't overshoot far.
        for _ in 0..4 {
            let quick = Budget { time: Duration::from_millis(1), ..budget };
            let ns = quantile(&time_variant(gpu, &shared(&fma), &[], &variant, &quick)?, 0.0);
            let factor = (KERNEL / ns).clamp(1.0, 30.0);
            fma.loops = (f64::from(fma.loops) * factor) as u32;
        }
        let rate = rate(gpu, &shared(&fma), &[], &variant, &budget, fma.flops(&variant) as f64)?;
        candidates.push((format!("peak/{variant}"), rate));
        best[0] = best[0].max(rate);
        progress((i + 1) as f64 / (shapes + 1) as f64);
    }
    for (i, &(width, steps)) in ops::COPY_SHAPES.iter().enumerate() {
        let copy: Arc<dyn Op> = Arc::new(Copy);
        let inputs = [TensorSpec::f32([elements])];
        let variant = Variant::new("copy", [("WIDTH", width), ("STEPS", steps)]);
        // Four bytes read and four written for each element.
        let rate = rate(gpu, &copy, &inputs, &variant, &budget, 8.0 * elements as f64)?;
        candidates.push((format!("peak/{variant}"), rate));
        best[1] = best[1].max(rate);
        progress((ops::FMA_SHAPES.len() + i + 1) as f64 / (shapes + 1) as f64);
    }
    // Many launches in one submission, so that its own cost hardly counts.
    let empty = |dispatches| {
        let variant = Variant::new("empty", []);
        let empty: Arc<dyn Op> = Arc::new(Empty { dispatches });
        time_variant(gpu, &empty, &[], &variant, &budget)
    };
    let peaks = Peaks {
        fma_f32_flop_per_s: best[0],
        copy_bytes_per_s: best[1],
        launch_ns: median(&empty(LAUNCHES)?) / LAUNCHES as f64,
        submit_ns: submission(gpu)?,
        pipeline_ns: ops::pipeline_creation(gpu)?,
    };
    Ok(Ceilings { peaks, candidates })
}

/// Elements of the copy: beyond the caches of a GPU, a little on a CPU adapter.
fn copy_elements(gpu: &Gpu) -> usize {
    let wanted: u64 = if gpu.caps.software { 32 << 20 } else { 512 << 20 };
    (wanted.min(gpu.caps.max_binding).min(gpu.caps.max_buffer) / 4 / 1024 * 1024) as usize
}

/// Work a second of a variant whose result was checked.
fn rate(
    gpu: &Gpu,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    variant: &Variant,
    budget: &Budget,
    work: f64,
) -> Result<f64> {
    let small: Vec<_> = inputs.iter().map(|_| TensorSpec::f32([4096])).collect();
    let verdicts = check_variant(gpu, op, &small, variant, &[Distribution::Uniform])?;
    if let Some(verdict) = verdicts.iter().find(|verdict| !verdict.passed()) {
        return Err(Error::Verification(format!(
            "{} is wrong ({}) on {}: the ceilings cannot be measured",
            verdict.label, verdict.detail, gpu.summary
        )));
    }
    // The least time: a ceiling is what can be reached.
    let ns = quantile(&time_variant(gpu, op, inputs, variant, budget)?, 0.0);
    Ok(work / ns * 1e9)
}

/// Nanoseconds of an empty submission.
fn submission(gpu: &Gpu) -> Result<f64> {
    let empty: Arc<dyn Op> = Arc::new(Empty { dispatches: 1 });
    let program = program_of(gpu, &empty, &[], &Variant::new("empty", []))?;
    let mut times = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        program.run(gpu, 1)?;
        gpu.wait()?;
        times.push(begun.elapsed().as_nanos() as f64);
    }
    Ok(median(&times))
}
