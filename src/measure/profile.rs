//! Times each op of a step: timestamps around it inside the pass, as the timed steps have it, where the device
//! can do that; else a pass an op with a pair of timestamps, as on Metal and in browsers.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::gpu::timestamp::{Stamp, Timer, faults_of_steps};
use crate::host::Instant;
use crate::program::Program;
use crate::record::{Doubt, Method, OpTime, Profile};
use crate::stats::mean;
use crate::terms::{ClockFault, FaultCount};

use super::restart::Restart;
use super::sample::interrupted;

/// Steps after which more tell nothing new: stationarity wants as many, and every sample goes to the record.
const MOST_STEPS: usize = 100;

/// The profiled steps of a program.
#[derive(Debug, Clone)]
pub struct Profiled {
    /// The step as a whole; nothing where the clock did not run, or ran backwards: its times mean nothing then.
    pub profile: Option<Profile>,
    /// Each op's time, in the program's order; none without a profile.
    pub ops: Vec<OpTime>,
    /// Why they are to be doubted.
    pub doubts: Vec<Doubt>,
}

/// Nanoseconds of the steps so far.
#[derive(Debug, Default)]
struct Steps {
    /// For each op of the program, its time in each step.
    ops: Vec<Vec<f64>>,
    /// From the first op's start to the last one's end, for each step.
    spans: Vec<f64>,
    /// What of that lies between ops, for each step.
    gaps: Vec<f64>,
}

impl Steps {
    /// What they come to beside a timed step. Rounded times may be shown with the fault beside them.
    fn summarise(self, faults: Vec<FaultCount>, method: Method, timed_ns: Option<f64>) -> Profiled {
        if faults.iter().any(|found| found.fault != ClockFault::Coarse) {
            let doubts = vec![Doubt::NoProfile { faults }];
            return Profiled { profile: None, ops: Vec::new(), doubts };
        }
        let mut doubts = Vec::new();
        if !faults.is_empty() {
            doubts.push(Doubt::RoundedProfile { faults });
        }
        let middle = self.middle();
        // Means of the same steps add up, as medians of each op alone do not.
        let middle_mean =
            |samples: &[f64]| mean(&middle.iter().map(|&i| samples[i]).collect::<Vec<_>>());
        let (span_ns, gaps_ns) = (middle_mean(&self.spans), middle_mean(&self.gaps));
        let over_timed = timed_ns.map(|timed| span_ns / timed);
        let (steps, method) = (self.spans.len(), Some(method));
        let profile = Profile { steps, span_ns, gaps_ns, method, over_timed };
        doubts.extend(Doubt::of_profile(&profile));
        let op = |samples: Vec<f64>| {
            let mean = middle_mean(&samples);
            OpTime::of(samples, mean)
        };
        Profiled { profile: Some(profile), ops: self.ops.into_iter().map(op).collect(), doubts }
    }

    /// The steps of the middle half by span: neither those that were disturbed nor those that were lucky.
    fn middle(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.spans.len()).collect();
        order.sort_by(|&a, &b| self.spans[a].total_cmp(&self.spans[b]));
        let cut = order.len() / 4;
        order[cut..order.len() - cut].to_vec()
    }
}

/// Times the ops of single steps, of one program and of others with as many ops.
#[derive(Debug)]
pub(super) struct OpClock {
    timer: Timer,
}

impl OpClock {
    /// For steps like those of `program`; nothing where the device has no timestamps.
    pub(super) fn new(gpu: &Gpu, program: &Program) -> Result<Option<Self>> {
        Ok(timer(gpu, program)?.map(|timer| Self { timer }))
    }

    /// Nanoseconds of each op in one step; nothing where the clock did not run, or ran backwards.
    pub(super) fn step(&self, gpu: &Gpu, program: &Program) -> Result<Option<Vec<f64>>> {
        let stamps = run(gpu, program, &self.timer)?;
        let faults = faults_of_steps(&stamps, stamps.len());
        if faults.iter().any(|found| found.fault != ClockFault::Coarse) {
            return Ok(None);
        }
        let ns = |(from, to)| (to - from) as f64 * gpu.timestamp_period;
        Ok(Some(places(&stamps).into_iter().map(ns).collect()))
    }
}

/// Profiles steps of `program` for `time`, at least `min_steps`, beside the time of a step that was timed whole.
/// Training is started again by `restart` in time. `None` where the device has no timestamps.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails.
pub fn profile(
    gpu: &Gpu,
    program: &Program,
    time: Duration,
    min_steps: usize,
    timed_ns: Option<f64>,
    restart: &Restart<'_>,
    progress: &dyn Fn(f64),
) -> Result<Option<Profiled>> {
    let Some(timer) = timer(gpu, program)? else {
        return Ok(None);
    };
    let mut steps = Steps { ops: vec![Vec::new(); program.schedule.ops.len()], ..Steps::default() };
    let mut stamps_of_steps = Vec::new();
    let start = Instant::now();
    // The first profiled step pays for what the timed steps had warm.
    run(gpu, program, &timer)?;
    loop {
        restart.before(1)?;
        let stamps = run(gpu, program, &timer)?;
        add(&mut steps, &stamps, gpu.timestamp_period);
        stamps_of_steps.extend(stamps);
        let spent = start.elapsed().as_secs_f64() / time.as_secs_f64();
        progress(spent.min(1.0));
        let taken = steps.spans.len();
        let enough = (taken >= min_steps && spent >= 1.0) || taken >= MOST_STEPS.max(min_steps);
        if enough || interrupted() {
            break;
        }
    }
    let faults = faults_of_steps(&stamps_of_steps, program.schedule.ops.len());
    let method = if timer.inside { Method::InPass } else { Method::PassPerOp };
    Ok(Some(steps.summarise(faults, method, timed_ns)))
}

fn timer(gpu: &Gpu, program: &Program) -> Result<Option<Timer>> {
    let ops = program.schedule.ops.len();
    match Timer::inside(gpu, ops)? {
        None => Timer::new(gpu, ops),
        inside => Ok(inside),
    }
}

fn run(gpu: &Gpu, program: &Program, timer: &Timer) -> Result<Vec<Stamp>> {
    for part in &program.parts {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let ops = part.clone().zip(&program.schedule.ops[part.clone()]);
        if timer.inside {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for (i, op) in ops {
                timer.stamp(&mut pass, i, 0);
                program.encode_range(&mut pass, op.dispatches.clone());
                timer.stamp(&mut pass, i, 1);
            }
        } else {
            for (i, op) in ops {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: Some(&op.label),
                    timestamp_writes: Some(timer.writes(i)),
                });
                program.encode_range(&mut pass, op.dispatches.clone());
            }
        }
        if part.end == program.schedule.ops.len() {
            timer.resolve(&mut encoder);
        }
        gpu.submit([encoder.finish()]);
    }
    timer.read(gpu)
}

/// Where each entry of one step begins and ends, in nanoseconds from the first one's start: of `steps`
/// steps the one whose span is the median. Ops that overlap are cut as in [`profile`]. `None` where the
/// device has no timestamps.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::Device`] where its timestamps are faulty.
pub fn one_step(gpu: &Gpu, program: &Program, steps: usize) -> Result<Option<Vec<(f64, f64)>>> {
    let Some(timer) = timer(gpu, program)? else {
        return Ok(None);
    };
    // As in `profile`, the first step pays for what is cold.
    run(gpu, program, &timer)?;
    let mut taken: Vec<Vec<_>> = Vec::new();
    for _ in 0..steps.max(1) {
        let stamps = run(gpu, program, &timer)?;
        let faults = faults_of_steps(&stamps, stamps.len());
        if let Some(fault) = faults.first() {
            return Err(Error::Device(format!("{}: {fault}", gpu.summary)));
        }
        let ns = |ticks| ticks as f64 * gpu.timestamp_period;
        taken.push(places(&stamps).into_iter().map(|(from, to)| (ns(from), ns(to))).collect());
        if interrupted() {
            break;
        }
    }
    let span = |step: &Vec<(f64, f64)>| step.last().map_or(0.0, |op| op.1);
    taken.sort_by(|a, b| span(a).total_cmp(&span(b)));
    Ok(Some(taken.swap_remove(taken.len() / 2)))
}

/// Where each op of a step begins and ends, in ticks from the first one's start. Ops are counted in order: where a driver
/// lets neighbours overlap, the later one begins where the earlier one ends, so that ops and gaps always sum to the span.
fn places(stamps: &[Stamp]) -> Vec<(u64, u64)> {
    let first = stamps.first().map_or(0, |s| s.start);
    let mut end = first;
    let place = |stamp: &Stamp| {
        let from = stamp.start.max(end);
        end = end.max(stamp.end).max(from);
        (from - first, end - first)
    };
    stamps.iter().map(place).collect()
}

/// Adds one step.
fn add(steps: &mut Steps, stamps: &[Stamp], period: f64) {
    let places = places(stamps);
    let mut sum = 0.0;
    for ((from, to), times) in places.iter().zip(&mut steps.ops) {
        let ns = (to - from) as f64 * period;
        times.push(ns);
        sum += ns;
    }
    let span = places.last().map_or(0, |(_, end)| *end) as f64 * period;
    steps.spans.push(span);
    steps.gaps.push(span - sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other_without_overlap() {
        let stamp = |start, end| Stamp { start, end };
        let stamps = [stamp(10, 20), stamp(15, 30), stamp(22, 25), stamp(34, 40)];
        assert_eq!(places(&stamps), [(0, 10), (10, 20), (20, 20), (24, 30)]);
    }

    #[test]
    fn ops_and_gaps_sum_to_the_span() {
        let mut steps = Steps { ops: vec![vec![]; 3], ..Steps::default() };
        let stamp = |start, end| Stamp { start, end };
        add(&mut steps, &[stamp(10, 20), stamp(15, 30), stamp(34, 40)], 2.0);
        assert_eq!(steps.ops, vec![vec![20.0], vec![20.0], vec![12.0]]);
        assert_eq!(steps.spans, vec![60.0]);
        assert_eq!(steps.gaps, vec![8.0]);
    }

    #[test]
    fn times_are_kept_where_they_mean_something() {
        let steps =
            || Steps { ops: vec![vec![10.0; 3]], spans: vec![20.0; 3], gaps: vec![10.0; 3] };
        let summarise = |faults| steps().summarise(faults, Method::InPass, Some(20.0));
        let profiled = summarise(vec![]);
        let profile = profiled.profile.unwrap();
        assert_eq!((profile.steps, profile.span_ns, profile.gaps_ns), (3, 20.0, 10.0));
        assert_eq!((profile.method, profile.over_timed), (Some(Method::InPass), Some(1.0)));
        assert_eq!(
            (profiled.ops[0].mean, profiled.doubts),
            (Some(10.0), vec![Doubt::Gaps { share: 0.5 }])
        );
        let coarse = vec![FaultCount { fault: ClockFault::Coarse, pairs: 3 }];
        let profiled = summarise(coarse.clone());
        assert_eq!(profiled.doubts[0], Doubt::RoundedProfile { faults: coarse });
        assert!(profiled.profile.is_some());
        let reversed = vec![FaultCount { fault: ClockFault::Reversed, pairs: 1 }];
        let profiled = summarise(reversed.clone());
        assert_eq!((profiled.profile, profiled.ops), (None, vec![]));
        assert_eq!(profiled.doubts, [Doubt::NoProfile { faults: reversed }]);
    }

    #[test]
    fn a_profile_of_another_step_than_the_timed_one_is_doubted() {
        for (timed, doubted) in [(100.0, false), (95.0, false), (51.5, true), (500.0, true)] {
            let steps =
                Steps { ops: vec![vec![100.0; 5]], spans: vec![100.0; 5], gaps: vec![0.0; 5] };
            let profiled = steps.summarise(vec![], Method::PassPerOp, Some(timed));
            let doubts = vec![Doubt::ProfileUnlike { ratio: 100.0 / timed }];
            assert_eq!(profiled.doubts, if doubted { doubts } else { vec![] }, "{timed}");
        }
    }

    #[test]
    fn ops_and_gaps_of_noisy_steps_add_up_to_the_span() {
        let mut rng = crate::random::Rng::new(1);
        let mut steps = Steps { ops: vec![vec![]; 7], ..Steps::default() };
        for _ in 0..41 {
            let mut tick = 0;
            let mut stamp = || {
                let start = tick + rng.below(5) as u64;
                // Each op is slow now and then, but not all at once: medians add up to less.
                tick = start + if rng.below(3) == 0 { 500 } else { 100 };
                Stamp { start, end: tick }
            };
            let stamps: Vec<_> = (0..7).map(|_| stamp()).collect();
            add(&mut steps, &stamps, 1.0);
        }
        let profiled = steps.summarise(vec![], Method::InPass, None);
        let profile = profiled.profile.unwrap();
        let ops: f64 = profiled.ops.iter().filter_map(|op| op.mean).sum();
        assert!((ops + profile.gaps_ns - profile.span_ns).abs() < 1e-6 * profile.span_ns);
        let medians: f64 = profiled.ops.iter().map(|op| op.median).sum();
        assert!(medians < 0.8 * profile.span_ns, "{medians} of {}", profile.span_ns);
    }
}
