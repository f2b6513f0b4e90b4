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
use crate::op::conv2d::WINOGRAD;
use crate::op::matmul::MATRICES;
use crate::program::check::check_variant;
use crate::record::{Peaks, Reading, Record, Run};
use crate::stats::{median, quantile};
use crate::tensor::TensorSpec;
use crate::terms::Speeds;

use super::kernel::{program_of, program_over_any};
use super::sample::{Budget, step_times};
use super::submission::encoding;
use super::yardstick::{Part, Rule, repetition};

mod ops;

pub use ops::{Copy, Empty, Fma, Read, Shared};

/// What the device can reach at most, and how that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Ceilings {
    /// The best of what was tried.
    pub peaks: Peaks,
    /// Every kernel shape tried, with its operations or bytes a second.
    pub candidates: Vec<(String, f64)>,
    /// The best shapes: of the multiply-adds, of the copy.
    pub(super) shapes: [Variant; 2],
    /// Turns of the multiply-adds that take [`kernel_ns`].
    fma: Fma,
    /// Elements of the copy.
    elements: usize,
}

/// Nanoseconds that a kernel of a ceiling should take: long enough for any clock, short for any watchdog. A CPU's clock
/// needs less, and a CPU adapter's time is the processor's.
fn kernel_ns(gpu: &Gpu) -> f64 {
    if gpu.caps.software { 4e6 } else { 20e6 }
}

/// Nanoseconds that a copy takes at least on an adapter that computes on the CPU, unless it is over all that memory has.
const COPY_NS: f64 = 10e6;

/// Turns of the multiply-adds at least: of four halvings each, so that all chains have come to their limit.
const LEAST_TURNS: u32 = 16;

/// Shares of the time that a part takes, whichever are tried.
const PARTS: u32 = 15;

/// Time for the ceilings, at each end of a run. An adapter that computes on the CPU has no clocks to raise, its kernels are
/// short, and two thirds of memnet's start went into its ceilings.
pub fn time(gpu: &Gpu) -> Duration {
    Duration::from_millis(if gpu.caps.software { 500 } else { 1000 })
}

/// What the ceilings at both ends of a run take, with making the kernels: announced before it begins.
pub const ABOUT: Duration = Duration::from_secs(6);

/// Dispatches of the yardstick's launching part.
const YARDSTICK_LAUNCHES: usize = 64;

/// Measures all ceilings in about `time`.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::Verification`] where a kernel computes nonsense.
pub fn measure(gpu: &Gpu, time: Duration, progress: &dyn Fn(f64)) -> Result<Ceilings> {
    let shapes = ops::Shapes::of(&gpu.caps);
    let parts = shapes.parts();
    let budget = Budget { time: time / PARTS, noise: 0.01, min_samples: 3 };
    // A few runs tell which shapes are the fastest; only these are measured for long.
    let brief = Budget { time: budget.time / 8, min_samples: 2, ..budget };
    let mut candidates = Vec::new();
    let mut done = 0;
    let mut tried = |variant: &Variant, reading: Reading| {
        candidates.push((format!("peak/{variant}"), reading.rate));
        done += 1;
        progress(done as f64 / parts as f64);
    };
    let (fma_shape, fma, tried_fma) = best_fma(gpu, shapes.fma, &brief, &mut tried)?;
    let (copy_shape, elements, tried_copy) = best_copy(gpu, shapes.copy, &brief, &mut tried)?;
    let mut fma_reading = fma_rate(gpu, &fma, &fma_shape, &budget)?;
    fma_reading.rate = fma_reading.rate.max(tried_fma);
    tried(&fma_shape, fma_reading);
    let mut copy_reading = copy_rate(gpu, elements, &copy_shape, &budget)?;
    copy_reading.rate = copy_reading.rate.max(tried_copy);
    tried(&copy_shape, copy_reading);
    let read = best_read(gpu, shapes.read, elements, &brief, &mut tried)?;
    let shared = shared_rate(gpu, &brief)?;
    tried(&Shared::variant(), shared);

    // Many launches in one submission, so that its own cost hardly counts.
    let launches = Empty { dispatches: shapes.launches }.shared();
    let launching = program_of(gpu, &launches, &[], &Empty::variant())?;
    let launch = step_times(gpu, &launching, &brief, None)?;
    let transferred = shapes.transferred.min(gpu.caps.max_buffer);
    let [upload, download] = ops::transfers(gpu, transferred)?;
    let peaks = Peaks {
        fma_f32_flop_per_s: fma_reading.rate,
        copy_bytes_per_s: copy_reading.rate,
        launch_ns: median(&launch) / shapes.launches as f64,
        submit_ns: submission(gpu)?,
        pipeline_ns: ops::pipeline_creation(gpu)?,
        read_bytes_per_s: Some(read),
        shared_bytes_per_s: Some(shared.rate),
        upload_bytes_per_s: Some(upload),
        download_bytes_per_s: Some(download),
        encode_ns: Some(encoding(gpu, &launching, 1)?),
        fma: vec![fma_reading],
        copy: vec![copy_reading],
        raised_by: None,
    };
    progress(1.0);
    Ok(Ceilings { peaks, candidates, shapes: [fma_shape, copy_shape], fma, elements })
}

impl Ceilings {
    /// The device's speeds, as far as a step is cut into submissions by them.
    pub fn pace(&self) -> Speeds {
        let peaks = &self.peaks;
        let whole = |x: f64| x.round().clamp(1.0, 4e9) as u32;
        Speeds {
            processors: 1,
            busy: 1,
            products_per_us: whole(peaks.fma_f32_flop_per_s / 2e6),
            bytes_per_us: whole(peaks.copy_bytes_per_s / 1e6),
            dispatch_ns: whole(peaks.launch_ns),
        }
    }

    /// Measures the best shapes once more, as at the end of a run; the better figure of each is kept.
    ///
    /// # Errors
    /// As [`measure`].
    fn again(&mut self, gpu: &Gpu, time: Duration) -> Result<()> {
        let budget = Budget { time: time / 2, noise: 0.01, min_samples: 3 };
        let fma = fma_rate(gpu, &self.fma, &self.shapes[0], &budget)?;
        let copy = copy_rate(gpu, self.elements, &self.shapes[1], &budget)?;
        let peaks = &mut self.peaks;
        peaks.fma_f32_flop_per_s = peaks.fma_f32_flop_per_s.max(fma.rate);
        peaks.copy_bytes_per_s = peaks.copy_bytes_per_s.max(copy.rate);
        peaks.fma.push(fma);
        peaks.copy.push(copy);
        Ok(())
    }

    /// Measures the best shapes once more as a record ends, which takes the better figures; what its runs did counts too.
    ///
    /// # Errors
    /// As [`measure`].
    pub fn end(&mut self, gpu: &Gpu, record: &mut Record) -> Result<()> {
        self.again(gpu, time(gpu))?;
        record.peaks = self.peaks.clone();
        record.runs.iter().for_each(|run| raise(&mut record.peaks, run));
        Ok(())
    }

    /// Known work of the shapes that gave the ceilings, in sizes that take about a millisecond.
    ///
    /// # Errors
    /// As [`program_of`].
    pub fn rule(&self, gpu: &Gpu) -> Result<Rule> {
        let peaks = &self.peaks;
        let [fma_shape, copy_shape] = &self.shapes;
        let mut fma = Fma::on(gpu);
        let repetition = repetition(gpu);
        let turns = repetition * 1e-9 * peaks.fma_f32_flop_per_s / fma.flops(fma_shape) as f64;
        fma.loops = (turns.ceil() as u32).max(LEAST_TURNS);
        let work = fma.flops(fma_shape) as f64;
        let program = program_of(gpu, &fma.shared(), &[], fma_shape)?;
        let fma = Part::new(program, work, peaks.fma_f32_flop_per_s, repetition);

        // Beyond the caches of most, but little beside a model's own memory.
        let elements: usize = if gpu.caps.software { 1 << 20 } else { 16 << 20 };
        let copied = [TensorSpec::f32([elements])];
        let program = program_over_any(gpu, &Copy.shared(), &copied, copy_shape)?;
        let copy = Part::new(program, 8.0 * elements as f64, peaks.copy_bytes_per_s, repetition);

        let empty = Empty { dispatches: YARDSTICK_LAUNCHES };
        let program = program_of(gpu, &empty.shared(), &[], &Empty::variant())?;
        let rate = 1e9 / peaks.launch_ns.max(1.0);
        let launch = Part::new(program, YARDSTICK_LAUNCHES as f64, rate, repetition);
        Ok(Rule { fma, copy, launch })
    }
}

/// Ops shorter than this are too short for their rate to be known well.
const SHORTEST: f64 = 1e5;

/// Raises the ceiling of arithmetic in f32 to a model's kernel that was faster: what was done can be done. Not to one that
/// does less than its op is counted, nor to one by matrix units, which multiply halves.
pub fn raise(peaks: &mut Peaks, run: &Run) {
    let others = [WINOGRAD, MATRICES].map(|name| format!("/{name}"));
    for op in run.ops.iter().filter(|op| !others.iter().any(|other| op.label.contains(other))) {
        let Some(ns) = op.time_ns().filter(|ns| *ns >= SHORTEST) else { continue };
        let rate = op.flops as f64 / ns * 1e9;
        if rate > peaks.fma_f32_flop_per_s {
            peaks.fma_f32_flop_per_s = rate;
            peaks.raised_by = Some(format!("{}: {}", run.key(), op.label));
        }
    }
}

/// The fastest shape of the multiply-adds, with the turns that are long enough, and its rate.
fn best_fma(
    gpu: &Gpu,
    shapes: &[(u32, u32)],
    brief: &Budget,
    tried: &mut dyn FnMut(&Variant, Reading),
) -> Result<(Variant, Fma, f64)> {
    let (mut kernels, mut work) = (Vec::new(), None);
    for &(chains, width) in shapes {
        let variant = Variant::new("fma", [("CHAINS", chains), ("WIDTH", width)]);
        let mut fma = Fma::on(gpu);
        // As much work for each: drivers that compile the turns in do so twice for the first shape, once for others.
        let work = match work {
            Some(work) => work,
            None => {
                let of = |loops| Fma { loops, ..fma }.shared();
                let loops = long_enough(gpu, of, &variant, brief, (LEAST_TURNS, 16))?;
                *work.insert(u64::from(loops) * fma.flops(&variant))
            }
        };
        fma.loops = (work / fma.flops(&variant)).max(LEAST_TURNS.into()) as u32;
        let reading = fma_rate(gpu, &fma, &variant, brief)?;
        tried(&variant, reading);
        kernels.push((variant, fma, reading.rate));
    }
    fastest(kernels, |kernel| kernel.2)
}

/// The fastest shape of the copy, with the elements that are long enough, and its rate.
fn best_copy(
    gpu: &Gpu,
    shapes: &[(u32, u32)],
    brief: &Budget,
    tried: &mut dyn FnMut(&Variant, Reading),
) -> Result<(Variant, usize, f64)> {
    let elements = elements(gpu, Copy::variant(shapes[0]), brief)?;
    let mut copies = Vec::new();
    for variant in shapes.iter().copied().map(Copy::variant) {
        let reading = copy_rate(gpu, elements, &variant, brief)?;
        tried(&variant, reading);
        copies.push((variant, elements, reading.rate));
    }
    fastest(copies, |copy| copy.2)
}

/// The best rate at which that many elements are read.
fn best_read(
    gpu: &Gpu,
    steps: &[usize],
    elements: usize,
    brief: &Budget,
    tried: &mut dyn FnMut(&Variant, Reading),
) -> Result<f64> {
    let (inputs, bytes) = ([TensorSpec::f32([elements])], 4.0 * elements as f64);
    let mut best: f64 = 0.0;
    for &steps in steps {
        let op = Read { steps };
        let reading = rate(gpu, &op.shared(), &inputs, &op.variant(), brief, bytes)?;
        tried(&op.variant(), reading);
        best = best.max(reading.rate);
    }
    Ok(best)
}

/// The one of the highest rate; of equals the first.
fn fastest<T>(shapes: Vec<T>, rate: impl Fn(&T) -> f64) -> Result<T> {
    let fastest = shapes.into_iter().rev().max_by(|a, b| rate(a).total_cmp(&rate(b)));
    fastest.ok_or_else(|| Error::Internal("no kernel shapes for the ceilings".into()))
}

/// Turns of a kernel that take about [`kernel_ns`]: from `loops` on, in at most `attempts` attempts that can't
/// overshoot far.
fn long_enough(
    gpu: &Gpu,
    of: impl Fn(u32) -> Arc<dyn Op>,
    variant: &Variant,
    budget: &Budget,
    (mut loops, attempts): (u32, usize),
) -> Result<u32> {
    let quick = Budget { time: Duration::from_millis(1), min_samples: 1, ..*budget };
    for _ in 0..attempts {
        let program = program_of(gpu, &of(loops), &[], variant)?;
        let ns = quantile(&step_times(gpu, &program, &quick, None)?, 0.0);
        let short = kernel_ns(gpu) / ns;
        // Another number of turns may be another kernel to the driver: near enough is good enough.
        if short < 2.0 {
            break;
        }
        loops = (f64::from(loops) * short.min(30.0)) as u32;
    }
    Ok(loops)
}

fn fma_rate(gpu: &Gpu, fma: &Fma, variant: &Variant, budget: &Budget) -> Result<Reading> {
    rate(gpu, &fma.shared(), &[], variant, budget, fma.flops(variant) as f64)
}

fn copy_rate(gpu: &Gpu, elements: usize, variant: &Variant, budget: &Budget) -> Result<Reading> {
    // Four bytes read and four written for each element.
    let bytes = 8.0 * elements as f64;
    rate(gpu, &Copy.shared(), &[TensorSpec::f32([elements])], variant, budget, bytes)
}

fn shared_rate(gpu: &Gpu, budget: &Budget) -> Result<Reading> {
    let (invocations, variant) = (Fma::on(gpu).invocations, Shared::variant());
    let of = |loops| Shared { invocations, loops };
    let loops = long_enough(gpu, |loops| of(loops).shared(), &variant, budget, (64, 8))?;
    rate(gpu, &of(loops).shared(), &[], &variant, budget, of(loops).bytes())
}

/// Elements of the copy: beyond the caches of a GPU, a little on a CPU adapter. One that is slower than memory is so over
/// less of it as well, and there are ten such copies before the first run.
fn elements(gpu: &Gpu, variant: Variant, budget: &Budget) -> Result<usize> {
    let wanted: u64 = if gpu.caps.software { 32 << 20 } else { 512 << 20 };
    let most =
        (wanted.min(gpu.caps.max_binding).min(gpu.caps.max_buffer) / 4 / 1024 * 1024) as usize;
    if !gpu.caps.software {
        return Ok(most);
    }
    let few = most.min(1 << 20);
    let program = program_over_any(gpu, &Copy.shared(), &[TensorSpec::f32([few])], &variant)?;
    let quick = Budget { time: Duration::from_millis(1), min_samples: 1, ..*budget };
    let ns = quantile(&step_times(gpu, &program, &quick, None)?, 0.0);
    let enough = (few as f64 * COPY_NS / ns) as usize / 1024 * 1024;
    Ok(enough.clamp(few, most))
}

/// Work a second of a variant whose result was checked: the best of its runs, with their spread.
fn rate(
    gpu: &Gpu,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    variant: &Variant,
    budget: &Budget,
    work: f64,
) -> Result<Reading> {
    let small: Vec<_> = inputs.iter().map(|_| TensorSpec::f32([4096])).collect();
    let verdicts =
        check_variant(gpu, &gpu.caps, op, &small, &[], variant, &[Distribution::Uniform])?;
    if let Some(verdict) = verdicts.iter().find(|verdict| !verdict.passed()) {
        return Err(Error::Verification(format!(
            "{} is wrong ({}) on {}: the ceilings cannot be measured",
            verdict.label, verdict.detail, gpu.summary
        )));
    }
    let program = program_over_any(gpu, op, inputs, variant)?;
    let times = step_times(gpu, &program, budget, None)?;
    let rates: Vec<f64> = times.iter().map(|ns| work / ns * 1e9).collect();
    // A ceiling is what can be reached.
    Ok(Reading { rate: quantile(&rates, 1.0), ..Reading::of(&rates) })
}

/// Nanoseconds of an empty submission.
fn submission(gpu: &Gpu) -> Result<f64> {
    let program = program_of(gpu, &Empty { dispatches: 1 }.shared(), &[], &Empty::variant())?;
    let mut times = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        program.run(gpu, 1)?;
        gpu.wait()?;
        times.push(begun.elapsed().as_nanos() as f64);
    }
    Ok(median(&times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_does_less_or_other_arithmetic_than_its_op_is_counted_raises_no_ceiling() {
        let text = include_str!("../../assets/reference-tiny.json");
        let record: Record = serde_json::from_str(text).unwrap();
        let run = record.runs.iter().find(|run| run.workload == "vgg").unwrap();
        let raised = |variant: &str| {
            let mut run = run.clone();
            run.ops.retain(|op| op.time_ns().is_some_and(|ns| ns >= SHORTEST));
            run.ops.truncate(1);
            run.ops[0].label = format!("conv1_1.conv2d/{variant}[TM=4,TN=4]");
            run.ops[0].flops = 1 << 60;
            let mut peaks = record.peaks.clone();
            raise(&mut peaks, &run);
            peaks != record.peaks
        };
        assert!(raised("register"), "a rate beyond the ceiling");
        assert!(!raised(WINOGRAD), "a rate of what was not computed");
        assert!(!raised(MATRICES), "a rate of other arithmetic");
    }
}
