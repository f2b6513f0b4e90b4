//! A suite's tuning: the device's table read, added to where a step is new, used, and named in the record.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::{Caps, Variant};
use crate::measure::probe::probe;
use crate::measure::run::{Plan, key};
use crate::measure::sample::{going_on, interrupted};
use crate::measure::suite::{Chosen, Suite, schedules};
use crate::pass::{Options, Schedule};
use crate::record::{RunKey, Tuning, store};
use crate::terms::Effort;
use crate::workload::{Opened, Split};

use super::table::{Device, Table};
use super::{Outcome, Scope, Tuner};

/// Time that a quick tuning adds to a workload, however many modes and batches of it are run.
const QUICK: Duration = Duration::from_secs(10);

/// What is left of it for a workload.
struct Budget {
    /// Ops of the runs that are still to be tuned.
    ops: usize,
    left: Duration,
}

impl Budget {
    /// A run's by its ops. What it does not need is left to those after it.
    fn share(&self, ops: usize) -> Duration {
        self.left.mul_f64(ops as f64 / self.ops as f64)
    }

    fn spend(&mut self, ops: usize, spent: Duration) {
        self.left = self.left.saturating_sub(spent);
        self.ops -= ops;
    }
}

/// What is to be tuned of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its run.
    pub key: RunKey,
    /// Problems that the device's table lacks; none of a step that was tuned before.
    pub problems: usize,
    /// The kernels there are for them.
    pub kernels: usize,
}

/// What is to be tuned of each step of what is chosen; nothing of a device that is not.
///
/// # Errors
/// As [`schedules`].
pub fn planned(effort: Effort, gpu: &Gpu, chosen: &[Chosen], plan: &Plan) -> Result<Vec<Planned>> {
    if effort == Effort::Off {
        return Ok(Vec::new());
    }
    let table = kept(gpu).unwrap_or_else(|| Table::new(Device::of(gpu), gpu.caps.speeds));
    // Its steps are those that are planned by its speeds.
    let caps = Caps { speeds: table.speeds, ..gpu.caps.clone() };
    let scope = Scope { caps: &caps, options: &plan.options, effort };
    let steps = schedules(chosen, &caps, &plan.options)?;
    let planned = |((model, mode), step): (&Chosen, &Schedule)| {
        let (problems, kernels) = scope.lacking(step, &table);
        Planned { key: key(model.as_ref(), *mode), problems, kernels }
    };
    Ok(chosen.iter().zip(&steps).map(planned).collect())
}

/// A device's table, where there is one that can be used.
fn kept(gpu: &Gpu) -> Option<Table> {
    let device = Device::of(gpu);
    let path = store::folder().map(|folder| Table::path(&folder, &device));
    path.and_then(|path| Table::load(&path, &device).ok().flatten())
}

/// Has steps planned as runs plan them that find nothing to tune: by what the device's table knows. Tells how many problems
/// have another kernel than the estimates' first; nothing, and nothing changes, where there is no table.
///
/// # Errors
/// As [`schedules`].
pub fn recall(gpu: &mut Gpu, chosen: &[Chosen], options: &mut Options) -> Result<Option<usize>> {
    let Some(table) = kept(gpu) else { return Ok(None) };
    gpu.caps.speeds = table.speeds;
    gpu.set_pace(table.speeds);
    let first = schedules(chosen, &gpu.caps, options)?;
    let (known, changed) = choices(&table, &first, &gpu.caps)?;
    options.choice.tuned = Arc::new(known);
    Ok(Some(changed))
}

/// What a table chooses for the problems of steps, and for how many of them that is not the estimates' first.
fn choices(
    table: &Table,
    first: &[Schedule],
    caps: &Caps,
) -> Result<(HashMap<String, Variant>, usize)> {
    let chosen = table.choose(first, caps)?;
    let ops = first.iter().flat_map(|schedule| &schedule.ops).map(|op| (op.problem_key(), op));
    let changed = ops.filter(|(key, op)| chosen.get(key).is_some_and(|known| *known != op.variant));
    let changed = changed.map(|(key, _)| key).collect::<BTreeSet<_>>().len();
    Ok((chosen, changed))
}

/// What tuning may add to the runs: so much for each workload with anything to tune. A thorough one ends when all is
/// measured, which nobody knows beforehand.
pub fn expected(effort: Effort, planned: &[Planned]) -> Option<Duration> {
    let new = planned.iter().filter(|step| step.problems > 0);
    let workloads: BTreeSet<&str> = new.map(|step| step.key.workload.as_str()).collect();
    let is_known = effort != Effort::Full || workloads.is_empty();
    is_known.then_some(QUICK * workloads.len() as u32)
}

/// Who is told of a tuning.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Notes for the user, a line each.
    pub note: &'a dyn Fn(&str),
    /// Losses, of which the user is told in any case.
    pub warn: &'a dyn Fn(&str),
    /// The part, and how much of it is done.
    pub progress: &'a dyn Fn(&str, f64),
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// The tuning of a suite's steps on its device.
#[derive(Debug)]
pub struct SuiteTuner<'a> {
    watch: Watch<'a>,
    effort: Effort,
    table: Table,
    /// As it was read or last written.
    kept: Option<Table>,
    /// Where it is kept; nowhere without a folder for records.
    path: Option<PathBuf>,
    /// Problems that were measured now.
    measured: usize,
    /// Candidates that there was no time to measure.
    left_out: usize,
    /// Problems whose kernel is not the estimates' first.
    changed: usize,
}

impl<'a> SuiteTuner<'a> {
    /// Reads the device's table, or begins one with a probe of its speeds; the device plans by these from now on.
    /// A table that cannot be used is said and replaced.
    ///
    /// # Errors
    /// As [`probe`] and [`Suite::plan_again`].
    pub fn open(suite: &mut Suite, effort: Effort, watch: Watch<'a>) -> Result<Self> {
        let gpu = &mut suite.gpu;
        let device = Device::of(gpu);
        let path = store::folder().map(|folder| Table::path(&folder, &device));
        let loaded = path.as_ref().map_or(Ok(None), |path| Table::load(path, &device));
        let known = loaded.unwrap_or_else(|why| {
            (watch.note)(&format!("warning: {why}; it is not used, and a new one is made"));
            None
        });
        let kept = known.clone();
        let table = match known {
            Some(table) => table,
            None => {
                (watch.progress)("probing the device", 0.0);
                Table::new(device, probe(gpu)?)
            }
        };
        gpu.caps.speeds = table.speeds;
        gpu.set_pace(table.speeds);
        suite.plan_again()?;
        Ok(Self { watch, effort, table, kept, path, measured: 0, left_out: 0, changed: 0 })
    }

    /// Tunes what was not tuned before, a step after the other, and lets the runs use what is known then.
    ///
    /// # Errors
    /// As [`Tuner::tune`]; [`crate::error::Error::Interrupted`]. What was measured before is kept.
    pub fn tune(&mut self, suite: &mut Suite, samples: &mut Opened<'_>) -> Result<()> {
        let outcome = self.tune_all(suite, samples);
        self.use_for(suite)?;
        outcome
    }

    fn tune_all(&mut self, suite: &Suite, samples: &mut Opened<'_>) -> Result<()> {
        let steps = || suite.chosen.iter().zip(suite.schedules());
        let mut budgets: HashMap<&str, Budget> = HashMap::new();
        for ((model, _), first) in steps() {
            let new = Budget { ops: 0, left: QUICK };
            budgets.entry(model.info().name).or_insert(new).ops += first.ops.len();
        }
        for ((model, mode), first) in steps() {
            let key = key(model.as_ref(), *mode);
            let Some(budget) = budgets.get_mut(model.info().name) else { continue };
            let part = format!("{key}: tuning");
            (self.watch.progress)(&part, 0.0);
            let tuner = Tuner {
                gpu: &suite.gpu,
                options: &suite.plan.options,
                effort: self.effort,
                time: budget.share(first.ops.len()),
                seed: suite.plan.seed,
            };
            let batch = samples.of(model.as_ref())?.batch(Split::Train, 0)?.tensors();
            let progress = |share| (self.watch.progress)(&part, share);
            let Outcome { measured, left_out, spent, stale } =
                tuner.tune(model.as_ref(), *mode, first, &batch, &mut self.table, &progress)?;
            budget.spend(first.ops.len(), spent);
            if stale > 0 {
                (self.watch.note)(&format!(
                    "{key}: {stale} entries of the tuning table are of kernels that have changed: they are not used"
                ));
            }
            self.measured += measured;
            self.left_out += left_out;
            self.keep();
            going_on()?;
        }
        Ok(())
    }

    /// Written after each step, so that nothing measured is lost, where there is anything new.
    fn keep(&mut self) {
        if self.kept.as_ref() == Some(&self.table) {
            return;
        }
        self.kept = Some(self.table.clone());
        if let Some(Err(error)) = self.path.as_ref().map(|path| self.table.save(path)) {
            (self.watch.warn)(&format!("{error}: the tuning is not kept"));
            self.path = None;
        }
    }

    fn use_for(&mut self, suite: &mut Suite) -> Result<()> {
        let known;
        (known, self.changed) = choices(&self.table, suite.schedules(), &suite.gpu.caps)?;
        suite.plan.options.choice.tuned = Arc::new(known);
        suite.plan_again()
    }

    /// All that is known.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// `tuned: ops measured: 40, with another kernel than estimated: 12; table 3f2a91c0, ~/..`, with the candidates that
    /// there was no time for; nothing where nothing was measured.
    pub fn summary(&self) -> Option<String> {
        let place = self.path.as_ref().map(|path| format!(", {}", path.display()));
        let left_out = left_out(self.left_out, interrupted());
        let text = format!(
            "tuned: ops measured: {}, with another kernel than estimated: {}{left_out}; {}{}",
            self.measured,
            self.changed,
            self.record(&[]).called(),
            place.unwrap_or_default()
        );
        (self.measured + self.left_out > 0).then_some(text)
    }

    /// What the record says, with the variants that are forced.
    pub fn record(&self, forced: &[String]) -> Tuning {
        Tuning {
            effort: self.effort,
            table: Some(self.table.hash()),
            changed: self.changed,
            speeds: self.table.speeds,
            forced: forced.to_vec(),
        }
    }
}

/// What a summary says of candidates that were not measured.
fn left_out(count: usize, is_interrupted: bool) -> String {
    match (count, is_interrupted) {
        (0, _) => String::new(),
        (n, true) => format!(", candidates left out as it was interrupted: {n}"),
        (n, false) => format!(", candidates left out as the time was up: {n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Mode;

    #[test]
    fn candidates_are_left_out_by_a_person_or_by_the_clock() {
        assert_eq!(left_out(0, true), "");
        assert_eq!(left_out(80, true), ", candidates left out as it was interrupted: 80");
        assert_eq!(left_out(80, false), ", candidates left out as the time was up: 80");
    }

    #[test]
    fn each_workload_with_something_to_tune_has_its_time_and_a_thorough_tuning_has_none() {
        let step = |workload: &str, problems| Planned {
            key: RunKey { workload: workload.into(), mode: Mode::Train, batch: 1 },
            problems,
            kernels: 9 * problems,
        };
        let steps = [step("vgg", 3), step("vgg", 2), step("memnet", 0), step("speech", 1)];
        assert_eq!(expected(Effort::Quick, &steps), Some(2 * QUICK));
        assert_eq!(expected(Effort::Full, &steps), None);
        assert_eq!(expected(Effort::Full, &steps[2..3]), Some(Duration::ZERO));
    }

    #[test]
    fn a_run_has_its_share_by_its_ops_and_leaves_what_it_does_not_need_to_the_next() {
        let mut budget = Budget { ops: 100, left: QUICK };
        let most = budget.share(75);
        assert_eq!(most, QUICK.mul_f64(0.75));
        budget.spend(75, most / 3);
        assert_eq!(budget.share(25), QUICK - most / 3);
        budget.spend(15, 2 * QUICK);
        assert_eq!(budget.share(10), Duration::ZERO);
    }
}
