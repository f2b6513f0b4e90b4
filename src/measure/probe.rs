//! A short look at a device's speeds, for the choice of kernels: how many processors it has, what keeps one busy, its
//! arithmetic, its memory and what a dispatch costs. The ceilings ([`super::peak`]) are measured longer and better;
//! here a tenth is near enough.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::gpu::timestamp::Timer;
use crate::graph::op::Op;
use crate::host::{self, Instant};
use crate::kernel::Variant;
use crate::program::Program;
use crate::tensor::TensorSpec;
use crate::terms::Speeds;

use super::kernel::program_of;
use super::peak::{Copy, Empty, Fma};
use super::submission::submit;

/// Nanoseconds that one workgroup should take: many times what a dispatch costs.
const WORKGROUP: f64 = 3e5;

/// Turns of a workgroup tried first.
const FIRST_TURNS: u32 = 256;

/// Lanes of a workgroup that keeps a processor busy by itself, and of one that may not.
const LANES: [u32; 2] = [256, 64];

/// Times that each kernel is timed; the fastest counts.
const TIMES: usize = 4;

/// Dispatches in a row.
const DISPATCHES: usize = 64;

/// How long a GPU is kept busy before its speeds are taken: idle it lowers its clocks, to a sixth of what they are under load,
/// and takes a third of a second to raise them.
const AWAKE: Duration = Duration::from_millis(500);

/// Runs a program again and again until the device's clocks have risen. A software adapter is awake.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails.
pub(super) fn wake(gpu: &Gpu, program: &Program) -> Result<()> {
    let begun = Instant::now();
    while !gpu.caps.software && begun.elapsed() < AWAKE {
        submit(gpu, program, 1, None)?;
    }
    Ok(())
}

/// Measures the speeds, in less than half a second on a software adapter.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails.
pub fn probe(gpu: &Gpu) -> Result<Speeds> {
    let shape = Variant::new("fma", [("CHAINS", 8), ("WIDTH", 4)]);
    let of = |workgroups: u32, lanes: u32, loops: u32| Fma {
        invocations: (workgroups * lanes) as usize,
        lanes,
        loops,
    };
    let fma = |workgroups, lanes, loops| {
        let fma = of(workgroups, lanes, loops);
        Ok::<_, crate::error::Error>((fma, fastest(gpu, &fma.shared(), &[], &shape)?))
    };
    // A CPU adapter has no more processors than there are.
    let many: u32 = if gpu.caps.software { 8 * host::cores() as u32 } else { 8192 };
    wake(gpu, &program_of(gpu, &of(many, LANES[0], FIRST_TURNS).shared(), &[], &shape)?)?;
    let (_, tried) = fma(1, LANES[0], FIRST_TURNS)?;
    let loops = (f64::from(FIRST_TURNS) * (WORKGROUP / tried).clamp(0.1, 50.0)) as u32;
    let (_, alone) = fma(1, LANES[0], loops)?;
    let (_, narrow) = fma(1, LANES[1], loops)?;
    // Many waves, so that the last one's emptiness hardly counts.
    let (all, full) = fma(many, LANES[0], loops)?;
    let share = (alone / narrow * f64::from(LANES[1]) / f64::from(LANES[0])).min(1.0);

    let elements: usize = if gpu.caps.software { 2 << 20 } else { 16 << 20 };
    let copy = Variant::new("copy", [("WIDTH", 4), ("STEPS", 1)]);
    let copied = fastest(gpu, &Copy.shared(), &[TensorSpec::f32([elements])], &copy)?;
    let empty = Empty { dispatches: DISPATCHES }.shared();
    let launched = fastest(gpu, &empty, &[], &Empty::variant())?;
    // At least 1: nothing is divided by 0 afterwards, however wrong a clock is.
    let whole = |x: f64| x.round().clamp(1.0, 1e9) as u32;
    Ok(Speeds {
        processors: whole(f64::from(many) * alone / full),
        busy: whole(f64::from(LANES[1]) / share),
        products_per_us: whole(all.flops(&shape) as f64 / 2.0 / full * 1e3),
        bytes_per_us: whole(8.0 * elements as f64 / copied * 1e3),
        dispatch_ns: whole(launched / DISPATCHES as f64),
    })
}

/// Nanoseconds of the fastest of a few runs.
fn fastest(gpu: &Gpu, op: &Arc<dyn Op>, inputs: &[TensorSpec], variant: &Variant) -> Result<f64> {
    let program = program_of(gpu, op, inputs, variant)?;
    let timer = Timer::new(gpu, 1)?;
    let mut fastest = f64::MAX;
    // The first run pays for what is cold.
    submit(gpu, &program, 1, None)?;
    for _ in 0..TIMES {
        fastest = fastest.min(submit(gpu, &program, 1, timer.as_ref())?.step_ns(gpu, 1));
    }
    Ok(fastest.max(1.0))
}
