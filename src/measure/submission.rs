//! One submission of steps, timed: by the GPU's own clock, by the host's, and what encoding it took.

use crate::error::Result;
use crate::gpu::Gpu;
use crate::gpu::timestamp::{Stamp, Timer};
use crate::host::Instant;
use crate::program::Program;
use crate::stats::median;

/// One submission's times, in nanoseconds a step.
#[derive(Debug)]
pub(super) struct Submission {
    /// From handing it over to its end.
    pub(super) wall: f64,
    /// Encoding: the host's share, before the wall time begins.
    pub(super) encode: f64,
    /// Its pass, in ticks; nothing without a timer.
    pub(super) stamp: Option<Stamp>,
}

impl Submission {
    /// By the GPU's clock, or by the wall where that says nothing.
    pub(super) fn step_ns(&self, gpu: &Gpu, steps: usize) -> f64 {
        match self.stamp {
            Some(stamp) if stamp.fault().is_none() => {
                (stamp.end - stamp.start) as f64 * gpu.timestamp_period / steps as f64
            }
            _ => self.wall,
        }
    }
}

/// Nanoseconds of the host to encode a dispatch, from the beginning of the commands of `steps` steps to their end: the
/// median of twenty times.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails.
pub fn encoding(gpu: &Gpu, program: &Program, steps: usize) -> Result<f64> {
    let dispatches = (steps * program.schedule.dispatches()).max(1) as f64;
    let times = (0..20).map(|_| {
        let begun = Instant::now();
        drop(program.encoded(gpu, steps, None)?);
        Ok(begun.elapsed().as_nanos() as f64 / dispatches)
    });
    Ok(median(&times.collect::<Result<Vec<f64>>>()?))
}

/// Submits `steps` steps and waits for them.
pub(super) fn submit(
    gpu: &Gpu,
    program: &Program,
    steps: usize,
    timer: Option<&Timer>,
) -> Result<Submission> {
    let begun = Instant::now();
    let commands = program.encoded(gpu, steps, timer)?;
    let encode = begun.elapsed().as_nanos() as f64 / steps as f64;
    let submitted = Instant::now();
    for part in commands {
        gpu.submit(part);
    }
    gpu.wait()?;
    let wall = submitted.elapsed().as_nanos() as f64 / steps as f64;
    let stamp = match timer {
        Some(timer) => timer.read(gpu)?.first().copied(),
        None => None,
    };
    Ok(Submission { wall, encode, stamp })
}
