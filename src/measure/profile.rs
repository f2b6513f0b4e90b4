//! Times each op of a step: a pass an op with its own pair of timestamps.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::gpu::timestamp::{Stamp, Timer, faults_of_steps};
use crate::program::Program;
use crate::stats::Summary;
use crate::terms::{ClockFault, FaultCount};

use super::sample::interrupted;

/// Steps after which more tell nothing new: stationarity wants 100, and every sample goes to the record.
const MOST_STEPS: usize = 200;

/// Op times of many steps.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// For each entry of the program, its nanoseconds in each profiled step.
    pub op_ns: Vec<Vec<f64>>,
    /// From the first op's start to the last one's end, for each step.
    pub span_ns: Vec<f64>,
    /// What of that lies between ops, for each step.
    pub gaps_ns: Vec<f64>,
    /// Faults seen, with how many pairs have them.
    pub faults: Vec<FaultCount>,
}

impl Profile {
    /// Whether its times may be shown: rounded ones may, with the fault beside them; where the clock did not
    /// run, or ran backwards, they mean nothing.
    pub fn is_sound(&self) -> bool {
        self.faults.iter().all(|found| found.fault == ClockFault::Coarse)
    }

    /// All statistics of an entry's time, its coefficient of variation and drift among them.
    pub fn op_summary(&self, entry: usize) -> Summary {
        Summary::of(&self.op_ns[entry])
    }
}

/// Profiles steps of `program` for `time`, at least `min_steps`. `None` where the device has no timestamps.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails.
pub fn profile(
    gpu: &Gpu,
    program: &Program,
    time: Duration,
    min_steps: usize,
    progress: &dyn Fn(f64),
) -> Result<Option<Profile>> {
    let Some(timer) = Timer::new(gpu, program.schedule.ops.len()) else {
        return Ok(None);
    };
    let mut profile =
        Profile { op_ns: vec![Vec::new(); program.schedule.ops.len()], ..Profile::default() };
    let mut all = Vec::new();
    let start = Instant::now();
    // The first profiled step pays for what the timed steps had warm.
    run(gpu, program, &timer)?;
    loop {
        let stamps = run(gpu, program, &timer)?;
        add(&mut profile, &stamps, gpu.timestamp_period);
        all.extend(stamps);
        let spent = start.elapsed().as_secs_f64() / time.as_secs_f64();
        progress(spent.min(1.0));
        let steps = profile.span_ns.len();
        let enough = (steps >= min_steps && spent >= 1.0) || steps >= MOST_STEPS.max(min_steps);
        if enough || interrupted() {
            break;
        }
    }
    profile.faults = faults_of_steps(&all, program.schedule.ops.len());
    Ok(Some(profile))
}

fn run(gpu: &Gpu, program: &Program, timer: &Timer) -> Result<Vec<Stamp>> {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    for (i, entry) in program.schedule.ops.iter().enumerate() {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(&entry.label),
            timestamp_writes: Some(timer.writes(i)),
        });
        program.encode_range(&mut pass, entry.dispatches.clone());
    }
    timer.resolve(&mut encoder);
    gpu.queue.submit([encoder.finish()]);
    timer.read(gpu)
}

/// Where each entry of one step begins and ends, in nanoseconds from the first one's start: of `steps`
/// steps the one whose span is the median. Ops that overlap are cut as in a [`Profile`]. `None` where the
/// device has no timestamps.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::Device`] where its timestamps are faulty.
pub fn one_step(gpu: &Gpu, program: &Program, steps: usize) -> Result<Option<Vec<(f64, f64)>>> {
    let Some(timer) = Timer::new(gpu, program.schedule.ops.len()) else {
        return Ok(None);
    };
    run(gpu, program, &timer)?;
    let mut taken = Vec::new();
    for _ in 0..steps.max(1) {
        let stamps = run(gpu, program, &timer)?;
        let found = faults_of_steps(&stamps, stamps.len());
        if let Some(fault) = found.first() {
            return Err(Error::Device(format!("{}: {fault}", gpu.summary)));
        }
        taken.push(places(&stamps, gpu.timestamp_period));
        if interrupted() {
            break;
        }
    }
    let span = |step: &Vec<(f64, f64)>| step.last().map_or(0.0, |op| op.1);
    taken.sort_by(|a, b| span(a).total_cmp(&span(b)));
    Ok(Some(taken.swap_remove(taken.len() / 2)))
}

fn places(stamps: &[Stamp], period: f64) -> Vec<(f64, f64)> {
    let first = stamps.first().map_or(0, |s| s.start);
    let mut end = first;
    let place = |stamp: &Stamp| {
        let from = stamp.start.max(end);
        end = end.max(stamp.end).max(from);
        ((from - first) as f64 * period, (end - first) as f64 * period)
    };
    stamps.iter().map(place).collect()
}

/// Adds one step. Ops are counted in order: where a driver lets neighbours overlap, the shared time
/// goes to the later one, so that ops and gaps always sum to the span.
fn add(profile: &mut Profile, stamps: &[Stamp], period: f64) {
    let mut sum = 0.0;
    let mut end = stamps.first().map_or(0, |s| s.start);
    let first = end;
    for (stamp, times) in stamps.iter().zip(&mut profile.op_ns) {
        let from = stamp.start.max(end);
        let ticks = stamp.end.saturating_sub(from) as f64;
        times.push(ticks * period);
        sum += ticks * period;
        end = end.max(stamp.end);
    }
    let span = (end - first) as f64 * period;
    profile.span_ns.push(span);
    profile.gaps_ns.push(span - sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other_without_overlap() {
        let stamp = |start, end| Stamp { start, end };
        let stamps = [stamp(10, 20), stamp(15, 30), stamp(22, 25), stamp(34, 40)];
        let expected = [(0.0, 20.0), (20.0, 40.0), (40.0, 40.0), (48.0, 60.0)];
        assert_eq!(places(&stamps, 2.0), expected);
    }

    #[test]
    fn ops_and_gaps_sum_to_the_span() {
        let mut profile = Profile { op_ns: vec![vec![]; 3], ..Profile::default() };
        let stamp = |start, end| Stamp { start, end };
        add(&mut profile, &[stamp(10, 20), stamp(15, 30), stamp(34, 40)], 2.0);
        assert_eq!(profile.op_ns, vec![vec![20.0], vec![20.0], vec![12.0]]);
        assert_eq!(profile.span_ns, vec![60.0]);
        assert_eq!(profile.gaps_ns, vec![8.0]);
    }
}
