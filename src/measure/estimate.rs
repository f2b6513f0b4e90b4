//! How long runs will take, said before they start: arithmetic on their schedules, with rates that are guessed by
//! the kind of device or follow from its ceilings.
//!
//! An estimate is for planning a day, not for comparing devices: it may well be off by a factor of two.

use std::cell::Cell;
use std::collections::HashSet;

use crate::graph::op::Cost;
use crate::host::Instant;
use crate::kernel::Caps;
use crate::pass::{OpInstance, Schedule};
use crate::record::Peaks;

use super::run::Plan;
use super::sample::Budget;
use super::verify::distinct;

/// Share of the ceilings that models reach on a usual device, for arithmetic and for bytes.
const REACHED: [f64; 2] = [0.1, 0.5];

/// Arithmetic a second of the f64 references, which are written like their formulas, on one core: those that run on all of
/// them end sooner than this says.
const REFERENCE_FLOP_PER_S: f64 = 2.5e8;

/// Seconds of a check beside its reference: inputs, upload, reading back.
const CHECK_S: f64 = 0.004;

/// Seconds that checking a kernel may take before it is timed by itself: else a smaller case stands for its own.
pub(super) const AFFORDABLE_S: f64 = 2.0;

/// What a device does in a second, or takes seconds for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Arithmetic of a step's ops.
    flop_per_s: f64,
    /// Bytes of a step's ops.
    bytes_per_s: f64,
    /// Beginning a dispatch.
    dispatch_s: f64,
    /// Making a pipeline, with what the driver compiles at its first dispatch.
    pipeline_s: f64,
}

impl Rates {
    /// Of a device of this kind.
    pub fn guess(caps: &Caps) -> Self {
        if caps.software {
            return Self { flop_per_s: 4e9, bytes_per_s: 4e9, dispatch_s: 2e-5, pipeline_s: 0.1 };
        }
        Self { flop_per_s: 1e12, bytes_per_s: 2e11, dispatch_s: 5e-6, pipeline_s: 0.04 }
    }

    /// Of a device with these ceilings.
    pub fn measured(caps: &Caps, peaks: &Peaks) -> Self {
        Self {
            flop_per_s: REACHED[0] * peaks.fma_f32_flop_per_s,
            bytes_per_s: REACHED[1] * peaks.copy_bytes_per_s,
            dispatch_s: peaks.launch_ns / 1e9,
            // A ceiling's pipeline is small: those of models take longer.
            ..Self::guess(caps)
        }
    }

    /// A kernel that does this work.
    pub(super) fn work(&self, cost: Cost) -> f64 {
        let work = cost.flops as f64 / self.flop_per_s;
        work.max(cost.bytes as f64 / self.bytes_per_s)
    }

    /// A kernel timed by itself: made, checked, warmed up and sampled.
    pub(super) fn alone(&self, cost: Cost, budget: &Budget) -> f64 {
        let (step, time) = (self.work(cost) + self.dispatch_s, budget.time.as_secs_f64());
        let least = (budget.min_samples + 2) as f64 * step;
        self.pipeline_s + referenced(cost).min(AFFORDABLE_S) + f64::max(1.25 * time, least)
    }

    /// A step of a program.
    fn step(&self, schedule: &Schedule) -> f64 {
        let ops: f64 = schedule.ops.iter().map(|op| self.work(op.cost)).sum();
        ops + schedule.dispatches() as f64 * self.dispatch_s
    }
}

/// Seconds that the parts of a run take, under the names that it reports its progress by.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// In their order; 0 for what takes next to nothing, or is not known.
    pub parts: [(&'static str, f64); PARTS.len()],
}

impl Estimate {
    /// All parts together.
    pub fn total(&self) -> f64 {
        self.parts.iter().map(|(_, seconds)| seconds).sum()
    }

    /// Several runs, part by part.
    pub fn sum(estimates: &[Self]) -> Self {
        let mut parts = PARTS.map(|part| (part, 0.0));
        for estimate in estimates {
            for (sum, (_, seconds)) in parts.iter_mut().zip(estimate.parts) {
                sum.1 += seconds;
            }
        }
        Self { parts }
    }
}

const PARTS: [&str; 6] =
    ["building", "reading data", "verifying", "timing", "choosing actions", "profiling"];

/// Of some runs in a row: a kernel is compiled for the first of those that use it.
pub fn estimates(schedules: &[Schedule], plan: &Plan, rates: &Rates) -> Vec<Estimate> {
    let mut compiled = HashSet::new();
    let estimate = |schedule: &Schedule| {
        let kernels = schedule.ops.iter().flat_map(|op| &op.lowered.dispatches);
        let fresh = kernels.filter(|dispatch| compiled.insert(dispatch.kernel.clone())).count();
        let time = plan.budget.time.as_secs_f64();
        let step = rates.step(schedule);
        let least = plan.budget.min_samples as f64 * step;
        let verifying = if plan.verify { distinct(schedule).map(checked).sum() } else { 0.0 };
        // Warm-up takes a tenth to half of the time; whoever settles sooner ends sooner.
        let timing = (1.25 * time).max(least + 2.0 * step);
        let profiling = if plan.profile { (time / 5.0).max(least) } else { 0.0 };
        let building = fresh as f64 * rates.pipeline_s;
        let seconds = [building, 0.0, verifying, timing, 0.0, profiling];
        Estimate { parts: std::array::from_fn(|at| (PARTS[at], seconds[at])) }
    };
    schedules.iter().map(estimate).collect()
}

/// Checking an op against its reference, at smaller sizes where it has them.
pub(super) fn checked(op: &OpInstance) -> f64 {
    let reduced = op.reduced_inputs().and_then(|inputs| op.op.problem(&inputs).ok());
    referenced(reduced.map_or(op.cost, |problem| problem.cost()))
}

fn referenced(cost: Cost) -> f64 {
    // A reference visits each value, even where it does no arithmetic with it.
    (cost.flops + cost.bytes / 4) as f64 / REFERENCE_FLOP_PER_S + CHECK_S
}

/// Where some runs in a row are, and how long the rest will take.
#[derive(Debug, Clone)]
pub struct Pace {
    runs: Vec<Estimate>,
}

impl Pace {
    /// Of these runs.
    pub fn new(runs: Vec<Estimate>) -> Self {
        Self { runs }
    }

    /// Seconds of all of them.
    pub fn total(&self) -> f64 {
        self.runs.iter().map(Estimate::total).sum()
    }

    /// The share that is done, and the seconds left, where `share` of a part of run `at` is done after `elapsed`
    /// seconds. What has taken longer than estimated is taken to go on so.
    pub fn at(&self, at: usize, part: &str, share: f64, elapsed: f64) -> (f64, f64) {
        let total = self.total();
        let mut done: f64 = self.runs[..at].iter().map(Estimate::total).sum();
        for (name, seconds) in self.runs[at].parts {
            if name == part {
                done += share * seconds;
                break;
            }
            done += seconds;
        }
        // The first tenth is too little to go by.
        let trust = 0.1 * total;
        let slower = (elapsed + trust) / (done + trust);
        (done / total, (total - done) * slower)
    }
}

/// How far some runs in a row are.
#[derive(Debug)]
pub struct Countdown {
    pace: Pace,
    begun: Instant,
    /// The largest share so far.
    most: Cell<f64>,
}

impl Countdown {
    /// Of runs that begin now.
    pub fn start(pace: Pace) -> Self {
        Self { pace, begun: Instant::now(), most: Cell::new(0.0) }
    }

    /// The share that is done.
    pub fn done(&self) -> f64 {
        self.most.get()
    }

    /// As [`Pace::at`], but a part that is begun once more, or a run that is tried again, takes nothing back.
    pub fn at(&self, at: usize, part: &str, share: f64) -> (f64, f64) {
        let (done, left) = self.pace.at(at, part, share, self.begun.elapsed().as_secs_f64());
        self.most.set(done.max(self.most.get()));
        (self.most.get(), left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::Options;
    use crate::session::schedule;
    use crate::terms::{Mode, Preset};
    use crate::workload::find;

    fn plan() -> Plan {
        Plan {
            preset: Preset::Tiny,
            options: Options::default(),
            verify: true,
            profile: true,
            budget: Budget::default(),
            seed: 1,
            queue_depth: 1,
            rule: None,
        }
    }

    fn schedules(workload: &str) -> Vec<Schedule> {
        let model = (find(workload).unwrap().configure)(Preset::Tiny, None);
        let step = |mode| {
            schedule(model.as_ref(), mode, &Caps::portable_software(), &Options::default()).unwrap()
        };
        Mode::ALL.map(step).into()
    }

    fn seconds(estimate: &Estimate, part: &str) -> f64 {
        estimate.parts.iter().find(|(name, _)| *name == part).unwrap().1
    }

    #[test]
    fn building_verifying_timing_and_profiling_each_have_their_share() {
        let rates = Rates::guess(&Caps::portable_software());
        let both = estimates(&schedules("autoenc"), &plan(), &rates);
        // Behind training nothing is left to build for inference, whose kernels are all among training's.
        for alone in schedules("autoenc") {
            assert!(seconds(&estimates(&[alone], &plan(), &rates)[0], "building") > 0.0);
        }
        for part in ["verifying", "timing", "profiling"] {
            assert!(both.iter().all(|estimate| seconds(estimate, part) > 0.0), "{part}");
        }
        assert_eq!(seconds(&both[0], "timing"), 6.25);
        let twice = [schedules("autoenc").remove(0), schedules("autoenc").remove(0)];
        let again = estimates(&twice, &plan(), &rates);
        assert_eq!(seconds(&again[1], "building"), 0.0, "the kernels are compiled already");
        let without = Plan { verify: false, profile: false, ..plan() };
        let sum = Estimate::sum(&estimates(&schedules("autoenc"), &without, &rates));
        assert_eq!((seconds(&sum, "verifying"), seconds(&sum, "profiling")), (0.0, 0.0));
        assert_eq!(seconds(&sum, "timing"), 12.5);
    }

    #[test]
    fn a_step_of_seconds_is_sampled_longer_than_the_time_allowed() {
        let slow = Rates { flop_per_s: 1e6, ..Rates::guess(&Caps::portable_software()) };
        let schedules = schedules("autoenc");
        let step = slow.step(&schedules[0]);
        let timing = seconds(&estimates(&schedules, &plan(), &slow)[0], "timing");
        assert!(step > 1.0 && (timing - 12.0 * step).abs() < 1e-9, "{step} s a step, {timing} s");
    }

    #[test]
    fn the_time_left_goes_by_the_time_taken_so_far() {
        let figures = [1.0, 0.0, 2.0, 6.0, 0.0, 1.0];
        let parts = std::array::from_fn(|at| (PARTS[at], figures[at]));
        let pace = Pace::new(vec![Estimate { parts }; 4]);
        assert_eq!(pace.at(0, "building", 0.0, 0.0), (0.0, 40.0));
        assert_eq!(pace.at(0, "reading data", 0.0, 1.0), (0.025, 39.0));
        assert_eq!(pace.at(1, "timing", 0.5, 16.0), (0.4, 24.0));
        let (done, left) = pace.at(2, "building", 0.0, 40.0);
        assert_eq!(done, 0.5);
        assert!((35.0..40.0).contains(&left), "twice as slow as thought: {left}");
        assert_eq!(pace.at(3, "profiling", 1.0, 40.0), (1.0, 0.0));
    }

    #[test]
    fn what_is_done_stays_done_though_a_part_is_begun_once_more() {
        let runs = vec![Estimate { parts: PARTS.map(|name| (name, 1.0)) }; 2];
        let countdown = Countdown::start(Pace::new(runs));
        let walk = [
            (0, "building", 0.0),
            (0, "building", 0.5),
            (0, "reading data", 0.0),
            (0, "building", 0.5),
            (0, "timing", 0.5),
            (1, "building", 0.0),
            (1, "timing", 1.0),
            (1, "building", 0.0),
        ];
        let shown = walk.map(|(at, part, share)| countdown.at(at, part, share).0);
        assert!(shown.is_sorted() && shown[7] < 1.0, "{shown:?}");
    }
}
