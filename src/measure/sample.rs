//! Times whole steps: warm up until the step time is stable, then sample until the median is known as
//! precisely as requested, or the time is up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::gpu::timestamp::{Stamp, Timer, faults};
use crate::host::{Instant, cpu_time};
use crate::program::Program;
use crate::record::{Clock, Doubt, Statistics, Timing};
use crate::stats::median;
use crate::terms::FaultCount;

use super::restart::Restart;
use super::submission::submit;
use super::yardstick::{self, Readings, Rule};

/// Shortest and longest submission aimed at: long enough that its ends don't count, short enough that
/// no watchdog sees it.
const SUBMIT: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(200));

/// Most steps in a submission.
const MOST_STEPS: usize = 256;

/// How far GPU span and wall time may disagree before the timestamps are not believed.
const PLAUSIBLE: f64 = 1.03;

/// Time after which a CPU adapter is warm.
const WARM_PROCESSOR: Duration = Duration::from_millis(50);

/// Time after which a GPU is taken as it is, whatever its clocks.
const WARM_GPU: Duration = Duration::from_secs(2);

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Most time a run is sampled for, warm-up not counted.
    pub time: Duration,
    /// Half-width of the median's 95 % interval, as a share of it, that is good enough.
    pub noise: f64,
    /// Samples taken at least.
    pub min_samples: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { time: Duration::from_secs(5), noise: 0.01, min_samples: 10 }
    }
}

/// Set by Ctrl-C: the present sample is finished, then measuring ends.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Ends work between two of its parts.
///
/// # Errors
/// [`Error::Interrupted`] once Ctrl-C was pressed.
pub fn going_on() -> Result<()> {
    if interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}

/// The timed steps of a program.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// The times.
    pub timing: Timing,
    /// Why they are to be doubted.
    pub doubts: Vec<Doubt>,
}

/// The times of a program's step, for one that no steps change: a kernel by itself.
///
/// # Errors
/// As [`sample`].
pub fn step_times(
    gpu: &Gpu,
    program: &Program,
    budget: &Budget,
    rule: Option<&Rule>,
) -> Result<Vec<f64>> {
    Ok(sample(gpu, program, budget, rule, &Restart::never(), &|_| {})?.timing.step_ns)
}

/// Times `program`, and known work beside it where there is a `rule`; `progress` is told how much of the budget is
/// spent, 0 to 1. Training is started again by `restart` in time.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::Interrupted`] where Ctrl-C came before any sample.
pub fn sample(
    gpu: &Gpu,
    program: &Program,
    budget: &Budget,
    rule: Option<&Rule>,
    restart: &Restart<'_>,
    progress: &dyn Fn(f64),
) -> Result<Sampled> {
    let timer = Timer::new(gpu, 1)?;
    let steps = warm_up(gpu, program, budget, rule, restart)?;
    let mut taken = Taken { computed: Some(Duration::ZERO), ..Taken::default() };
    let mut readings = rule.map(|rule| Readings::begin(gpu, rule)).transpose()?;
    let start = Instant::now();
    while !interrupted() {
        if let Some(readings) = &mut readings {
            readings.between(taken.walls.len())?;
        }
        restart.before(steps)?;
        taken.add(gpu, program, steps, timer.as_ref())?;
        let spent = start.elapsed().as_secs_f64() / budget.time.as_secs_f64();
        progress(spent.min(1.0));
        let enough = taken.walls.len() >= budget.min_samples;
        if enough && (spent >= 1.0 || is_settled(&Statistics::of(taken.steps()), budget)) {
            break;
        }
    }
    if taken.walls.is_empty() {
        return Err(Error::Interrupted);
    }
    let yardstick = readings.map(|readings| readings.end(taken.walls.len())).transpose()?;
    let faults = faults(&taken.stamps);
    let mut timing = Timing { yardstick, ..taken.timing(steps) };
    timing.settled = is_settled(&timing.step, budget);
    let mut doubts = doubts(&timing, faults, budget);
    doubts.extend(timing.yardstick.iter().flat_map(|y| yardstick::doubts(gpu, y)));
    Ok(Sampled { doubts, timing })
}

/// Whether the median is known well enough. Few samples have no interval, and a single one would seem to be exact.
fn is_settled(step: &Statistics, budget: &Budget) -> bool {
    step.noise().is_some_and(|noise| noise <= budget.noise)
}

/// What was read of each submission so far, in nanoseconds of a step.
#[derive(Default)]
struct Taken {
    /// By the GPU's clock, where it has one.
    spans: Vec<f64>,
    walls: Vec<f64>,
    encodes: Vec<f64>,
    stamps: Vec<Stamp>,
    /// The processors' time of all of them, where the system tells it.
    computed: Option<Duration>,
}

impl Taken {
    /// Runs `steps` in a submission.
    fn add(
        &mut self,
        gpu: &Gpu,
        program: &Program,
        steps: usize,
        timer: Option<&Timer>,
    ) -> Result<()> {
        let before = cpu_time();
        let submission = submit(gpu, program, steps, timer)?;
        let spent = cpu_time().zip(before).map(|(now, then)| now - then);
        self.computed = self.computed.zip(spent).map(|(sum, spent)| sum + spent);
        self.walls.push(submission.wall);
        self.encodes.push(submission.encode);
        if let Some(stamp) = submission.stamp {
            let ticks = stamp.end.saturating_sub(stamp.start) as f64;
            self.spans.push(ticks * gpu.timestamp_period / steps as f64);
            self.stamps.push(stamp);
        }
        Ok(())
    }

    /// Which clock is to be believed: the GPU's, if there is one without faults. A span lies within the wall time around
    /// it: one that is longer by more than rounding was not measured.
    fn clock(&self) -> Clock {
        let sound = !self.spans.is_empty() && faults(&self.stamps).is_empty();
        let within = || median(&self.spans) <= PLAUSIBLE * median(&self.walls);
        if sound && within() { Clock::Timestamps } else { Clock::Wall }
    }

    /// The steps' times by that clock.
    fn steps(&self) -> &[f64] {
        match self.clock() {
            Clock::Timestamps => &self.spans,
            Clock::Wall => &self.walls,
        }
    }

    /// The times of submissions of `steps`.
    fn timing(self, steps: usize) -> Timing {
        let (clock, step_ns) = (self.clock(), self.steps().to_vec());
        let Self { walls, encodes, computed, .. } = self;
        let timed_steps = (walls.len() * steps) as f64;
        let wall = median(&walls);
        Timing {
            clock,
            steps_per_submit: steps,
            step: Statistics::of(&step_ns),
            step_ns,
            wall_median_ns: wall,
            wall_ns: walls,
            encode_ns: median(&encodes),
            overlapped_ns: None,
            queue_depth: None,
            latency_ns: None,
            cpu_ns: computed.map(|time| time.as_nanos() as f64 / timed_steps),
            settled: false,
            yardstick: None,
        }
    }
}

fn doubts(timing: &Timing, faults: Vec<FaultCount>, budget: &Budget) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if timing.clock == Clock::Wall {
        doubts.push(Doubt::WallClock { faults });
    }
    if !timing.settled {
        doubts.push(Doubt::Unsettled { interval: timing.step.noise(), wanted: Some(budget.noise) });
    }
    doubts.extend(Doubt::of_steps(&timing.step_ns));
    doubts
}

/// Steps that make a submission long enough: by the last step's wall time, or, where the clock is rounded and must tell a
/// half per cent, by the least that a step took.
fn long_enough(gpu: &Gpu, wall: f64, fastest: f64) -> f64 {
    let usual = SUBMIT.0.as_nanos() as f64 / wall;
    gpu.timestamp_resolution.map_or(usual, |ns| usual.max(400.0 * ns / fastest))
}

/// Runs the program until two submissions in a row agree within 5 %, for at least a tenth, or [`WARM_PROCESSOR`] on
/// a CPU adapter, and at most half of the budget, and chooses how many steps a submission takes. A GPU is kept at it
/// until known work runs as fast as it did when the ceilings were measured, or for [`WARM_GPU`] at most.
fn warm_up(
    gpu: &Gpu,
    program: &Program,
    budget: &Budget,
    rule: Option<&Rule>,
    restart: &Restart<'_>,
) -> Result<usize> {
    let most_steps = restart.most_steps().min(MOST_STEPS);
    let start = Instant::now();
    // A GPU's clocks take their time to rise; a processor's do not.
    let (tenth, half) = (budget.time / 10, budget.time / 2);
    let software = gpu.caps.software;
    let least = if software { tenth.min(WARM_PROCESSOR) } else { tenth };
    let clocks = rule.filter(|_| !software);
    let most_time = if clocks.is_some() { half.max(WARM_GPU) } else { half };
    let mut steps = 1;
    let (mut before, mut fastest) = (f64::INFINITY, f64::INFINITY);
    loop {
        restart.before(steps)?;
        // Without timestamps: here only the length of a submission is chosen.
        let wall = submit(gpu, program, steps, None)?.wall;
        let stable = (wall - before).abs() <= 0.05 * wall;
        before = wall;
        fastest = fastest.min(wall);
        let fitting = long_enough(gpu, wall, fastest);
        let most = SUBMIT.1.as_nanos() as f64 / wall;
        steps = (fitting.ceil() as usize).min(most as usize).clamp(1, most_steps);
        let spent = start.elapsed();
        if interrupted() || spent >= most_time {
            return Ok(steps);
        }
        if stable && spent >= least && clocks.map_or(Ok(true), |rule| rule.is_awake(gpu))? {
            return Ok(steps);
        }
    }
}
