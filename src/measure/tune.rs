//! Tuning: which kernel of each op is the fastest on a device, measured where it will run.
//!
//! Program j of a step runs the j-th candidate of every op that has that many, among the real neighbours, with the real
//! shapes and buffers. It is profiled in turns with the first, so that a machine that slows down slows both.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::op::Distribution;
use crate::host::Instant;
use crate::kernel::{Caps, Variant};
use crate::pass::{OpInstance, Options, Schedule};
use crate::program::check::check_alone;
use crate::program::{Program, make_pipelines_while};
use crate::session::{Session, schedule};
use crate::terms::{Effort, Mode};
use crate::workload::{Feed, Workload};

use super::probe::wake;
use super::profile::OpClock;
use super::sample::interrupted;

pub mod suite;
pub mod table;

pub use table::Table;
use table::{Candidate, Entry, kernel_hash, sha256};

/// Ops that take less than this share of a step keep the first.
const SHARE: f64 = 0.005;

/// The same of a quick tuning of a CPU adapter, which takes a good part of a second to compile a kernel: of a smaller op no
/// candidate would save more than a hundredth of a step, as none is tried that is estimated 1.6 times as slow as the first.
const CPU_SHARE: f64 = 0.03;

/// Most candidates of an op that a quick tuning measures.
const MOST: usize = 6;

/// Shares of the time after which the pipelines that are to be timed are made, and nothing new is built: the rest is for
/// turns and checks.
const COMPILING: f64 = 0.6;
const BUILDING: f64 = 0.7;

/// Turns that a program takes, at least and at most.
const TURNS: (usize, usize) = (3, 12);

/// What is measured of steps.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// What the device can do.
    pub caps: &'a Caps,
    /// Fusion and forced variants: ops with one are left as they are.
    pub options: &'a Options,
    /// How much.
    pub effort: Effort,
}

/// How a step is tuned.
#[derive(Debug)]
pub struct Tuner<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// As of a [`Scope`].
    pub options: &'a Options,
    /// How much is measured.
    pub effort: Effort,
    /// Time that a quick tuning of this step may take.
    pub time: Duration,
    /// Of the parameters.
    pub seed: u64,
}

/// What tuning a step came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Problems that were measured; none in a step that was tuned before as thoroughly.
    pub measured: usize,
    /// Candidates that were not measured, as the time was over.
    pub left_out: usize,
    /// What it took beyond what a run takes anyway.
    pub spent: Duration,
    /// Entries of the table that were dropped, since their kernels have changed.
    pub stale: usize,
}

/// A problem of the step that has a choice.
#[derive(Debug)]
struct Open {
    key: String,
    /// An op that has the problem.
    op: OpInstance,
    /// The estimates' choice first.
    candidates: Vec<Variant>,
    /// All ops that have it, as indices of the step's.
    places: Vec<usize>,
    measured: Vec<Candidate>,
}

impl Scope<'_> {
    /// The problems of a step that a table lacks, and all of their kernels; none of a step that was tuned before as
    /// thoroughly.
    pub fn lacking(&self, first: &Schedule, table: &Table) -> (usize, usize) {
        let mut open = self.open(first);
        if table.is_tuned(&mark(&open), self.effort) {
            return (0, 0);
        }
        open.retain(|open| !table.has(&open.key, self.effort));
        (open.len(), open.iter().map(|open| open.candidates.len()).sum())
    }

    /// The problems of a step that have more than one candidate, each once.
    fn open(&self, first: &Schedule) -> Vec<Open> {
        let mut open: Vec<Open> = Vec::new();
        for (at, op) in first.ops.iter().enumerate() {
            let key = op.problem_key();
            if let Some(known) = open.iter_mut().find(|known| known.key == key) {
                known.places.push(at);
                continue;
            }
            let candidates = self.candidates(op);
            if candidates.len() > 1 {
                let (op, places) = (op.clone(), vec![at]);
                open.push(Open { key, op, candidates, places, measured: Vec::new() });
            }
        }
        open
    }

    fn candidates(&self, op: &OpInstance) -> Vec<Variant> {
        if self.options.choice.forced_on(op.op.kind().name).is_some() {
            return Vec::new();
        }
        let mut candidates = match self.effort {
            Effort::Off => Vec::new(),
            Effort::Quick => op.problem.candidates(self.caps),
            Effort::Full => op.problem.variants(self.caps),
        };
        if self.effort == Effort::Quick {
            candidates.truncate(MOST);
        }
        candidates.retain(|variant| *variant != op.variant);
        candidates.insert(0, op.variant.clone());
        candidates
    }
}

impl Tuner<'_> {
    /// Tunes a model's step, `first` as the estimates plan it, and enters what was found into the table, after Ctrl-C as
    /// far as it came. `progress` is told the share done.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails.
    pub fn tune(
        &self,
        model: &dyn Workload,
        mode: Mode,
        first: &Schedule,
        batch: &Feed,
        table: &mut Table,
        progress: &dyn Fn(f64),
    ) -> Result<Outcome> {
        let (caps, options, effort) = (&self.gpu.caps, self.options, self.effort);
        let mut open = Scope { caps, options, effort }.open(first);
        let mark = mark(&open);
        let stale = table.drop_stale(first, caps)?;
        if table.is_tuned(&mark, effort) && stale == 0 {
            return Ok(Outcome::default());
        }
        // What is left in the table is of these kernels; as thoroughly known, it need not be measured again.
        open.retain(|open| !table.has(&open.key, effort));
        let mut session = Session::new(self.gpu, self.seed);
        // What the first program takes to build is the run's own time, not tuning's.
        let mut begun = Instant::now();
        let mut left_out = 0;
        if !open.is_empty() {
            let first = session.build(first.clone())?;
            session.feed(&first, batch)?;
            session.run(&first, 1)?;
            self.gpu.wait()?;
            begun = Instant::now();
            let turns = Turns { tuner: self, begun, model, mode, batch, first };
            left_out = turns.take(&mut session, &mut open, progress)?;
        }
        let measured = open.iter().filter(|open| !open.measured.is_empty()).count();
        self.enter_all(open, begun, table)?;
        if !interrupted() {
            table.steps.insert(mark, effort);
        }
        Ok(Outcome { measured, left_out, spent: begun.elapsed(), stale })
    }

    /// Whether a share of the time is over, which it never is for a thorough tuning, or a person ended it.
    fn is_over(&self, begun: Instant, share: f64) -> bool {
        !self.lasts(begun, share)(Duration::ZERO)
    }

    /// Whether that share lasts for another pipeline, which may take as long as the longest so far.
    fn lasts(&self, begun: Instant, share: f64) -> impl Fn(Duration) -> bool + Sync + use<> {
        let (time, bounded) = (self.time.mul_f64(share), self.effort == Effort::Quick);
        move |longest| {
            !interrupted() && (!bounded || begun.elapsed() < time.saturating_sub(longest))
        }
    }

    /// Enters what was measured of each problem. Kernels that are to be checked are compiled side by side before.
    fn enter_all(&self, open: Vec<Open>, begun: Instant, table: &mut Table) -> Result<()> {
        let measured = open.into_iter().filter(|open| !open.measured.is_empty());
        let entries: Vec<_> = measured.map(|open| self.entry(open)).collect();
        let alone = entries.iter().filter_map(|(open, entry)| {
            let fastest = open.candidate(&entry.fastest()?.variant)?;
            let alone = || open.op.alone(fastest, &self.gpu.caps);
            (*fastest != open.op.variant).then(alone)
        });
        let alone = alone.collect::<Result<Vec<_>>>()?;
        let ops: Vec<_> = alone.iter().flat_map(|alone| &alone.ops).collect();
        make_pipelines_while(self.gpu, &ops, &self.lasts(begun, 1.0))?;
        for (open, entry) in entries {
            self.enter(&open, entry, begun, table)?;
        }
        Ok(())
    }

    fn entry(&self, mut open: Open) -> (Open, Entry) {
        let entry = Entry {
            op: open.op.op.kind().name.to_string(),
            inputs: open.op.inputs.iter().map(ToString::to_string).collect(),
            effort: self.effort,
            chosen: open.op.variant.to_string(),
            candidates: std::mem::take(&mut open.measured),
        };
        (open, entry)
    }

    /// Checks the fastest, or if it is wrong the next, and enters it. What there is no time to check is not chosen.
    fn enter(
        &self,
        open: &Open,
        mut entry: Entry,
        begun: Instant,
        table: &mut Table,
    ) -> Result<()> {
        while let Some(fastest) = entry.fastest() {
            let label = fastest.variant.clone();
            // The first is checked before any run that uses it.
            if label == entry.chosen || self.is_over(begun, 1.0) {
                break;
            }
            let Some(variant) = open.candidate(&label) else { break };
            let right = self.is_right(&open.op, variant)?;
            let known = entry.candidates.iter_mut().filter(|known| known.variant == label);
            known.for_each(|known| known.verified = Some(right));
            if right {
                entry.chosen = label;
                break;
            }
        }
        table.entries.insert(open.key.clone(), entry);
        Ok(())
    }

    fn is_right(&self, op: &OpInstance, variant: &Variant) -> Result<bool> {
        let alone = op.alone(variant, &self.gpu.caps)?;
        let verdicts = check_alone(self.gpu, alone, &[Distribution::Uniform])?;
        Ok(verdicts.iter().all(|verdict| verdict.passed()))
    }
}

/// The variants that a program takes, by problem.
type Taken = HashMap<String, Variant>;

/// The step with other variants than the first program's.
struct Other {
    taken: Taken,
    /// Its schedule; nothing where it was made before some of the variants were taken back.
    schedule: Option<Schedule>,
}

/// The j-th candidates.
fn taken(open: &[Open], j: usize) -> Taken {
    let of = |open: &Open| Some((open.key.clone(), open.candidates.get(j)?.clone()));
    open.iter().filter_map(of).collect()
}

/// The problems of a step and their candidates as one number.
fn mark(open: &[Open]) -> String {
    let line = |open: &Open| {
        let labels: Vec<_> = open.candidates.iter().map(ToString::to_string).collect();
        format!("{} {}\n", open.key, labels.join(" "))
    };
    sha256(&open.iter().map(line).collect::<String>())
}

/// The first program of a step, and others in turns with it.
struct Turns<'a> {
    tuner: &'a Tuner<'a>,
    begun: Instant,
    model: &'a dyn Workload,
    mode: Mode,
    batch: &'a Feed,
    first: Program,
}

impl Turns<'_> {
    /// Measures program after program while there is time, and tells how many candidates were left out.
    fn take(
        &self,
        session: &mut Session<'_>,
        open: &mut Vec<Open>,
        progress: &dyn Fn(f64),
    ) -> Result<usize> {
        let gpu = self.tuner.gpu;
        let Some(clock) = OpClock::new(gpu, &self.first)? else { return Ok(0) };
        self.leave_out_small(&clock, open)?;
        let most = open.iter().map(|open| open.candidates.len()).max().unwrap_or(0);
        let mut left_out = open.iter().map(|open| open.candidates.len() - 1).sum();
        let programs = self.compiled((1..most).map(|j| taken(open, j)).collect(), open)?;
        // While kernels are compiled a GPU lowers its clocks, which slows arithmetic more than memory.
        wake(gpu, &self.first)?;
        let count = programs.len();
        for (at, other) in programs.into_iter().enumerate() {
            progress((at + 1) as f64 / (count + 1) as f64);
            if self.tuner.is_over(self.begun, BUILDING) {
                break;
            }
            let Some((program, taken)) = self.build_other(session, open, other)? else { continue };
            let steps = self.steps(&clock, &program, count - at)?;
            for open in open.iter_mut() {
                if let Some(variant) = taken.get(&open.key) {
                    self.note(open, variant, &steps)?;
                }
            }
            left_out -= taken.len();
        }
        Ok(left_out)
    }

    /// The candidates of all programs whose kernels can be compiled while there is time, those of the first programs before
    /// others and within one the op that counts most: all side by side, as a driver may take seconds for each.
    fn compiled(&self, programs: Vec<Taken>, open: &[Open]) -> Result<Vec<Other>> {
        let schedules = programs.iter().map(|taken| self.schedule(taken));
        let schedules = schedules.collect::<Result<Vec<_>>>()?;
        let (mut ops, mut keys) = (Vec::new(), Vec::new());
        for (at, (taken, schedule)) in programs.iter().zip(&schedules).enumerate() {
            for open in open.iter().filter(|open| taken.contains_key(&open.key)) {
                ops.extend(open.places.iter().map(|&place| &schedule.ops[place]));
                keys.extend(open.places.iter().map(|_| (at, &open.key)));
            }
        }
        let goes_on = self.tuner.lasts(self.begun, COMPILING);
        let made = make_pipelines_while(self.tuner.gpu, &ops, &goes_on)?;
        let others = programs.into_iter().zip(schedules);
        let mut others: Vec<_> =
            others.map(|(taken, schedule)| Other { taken, schedule: Some(schedule) }).collect();
        for ((at, key), _) in keys.into_iter().zip(made).filter(|(_, made)| !made) {
            others[at].taken.remove(key);
            others[at].schedule = None;
        }
        others.retain(|other| !other.taken.is_empty());
        Ok(others)
    }

    /// Ops that hardly count keep what they have; the others come by their share, the largest first.
    fn leave_out_small(&self, clock: &OpClock, open: &mut Vec<Open>) -> Result<()> {
        let mut fastest = vec![f64::MAX; self.first.schedule.ops.len()];
        for _ in 0..TURNS.0 {
            let Some(ns) = clock.step(self.tuner.gpu, &self.first)? else { continue };
            fastest.iter_mut().zip(ns).for_each(|(best, ns)| *best = best.min(ns));
        }
        let step: f64 = fastest.iter().sum();
        let quick = self.tuner.effort == Effort::Quick;
        let share = if quick && self.tuner.gpu.caps.software { CPU_SHARE } else { SHARE };
        open.retain(|open| open.of(&fastest) >= share * step);
        open.sort_by(|a, b| b.of(&fastest).total_cmp(&a.of(&fastest)));
        Ok(())
    }

    /// The program of another step with the variants that it runs, each kernel compiled by being run once. Those for which
    /// there is no time are taken back. Nothing where all are, or the step does not fit beside the first.
    fn build_other(
        &self,
        session: &mut Session<'_>,
        open: &[Open],
        Other { mut taken, schedule }: Other,
    ) -> Result<Option<(Program, Taken)>> {
        let schedule = schedule.map_or_else(|| self.schedule(&taken), Ok)?;
        let Some(mut program) = self.build(session, schedule)? else { return Ok(None) };
        let planned = taken.len();
        for open in open {
            if self.tuner.is_over(self.begun, BUILDING) {
                taken.remove(&open.key);
            } else if taken.contains_key(&open.key) {
                program.run_op(self.tuner.gpu, &program.schedule.ops[open.places[0]])?;
            }
        }
        if taken.is_empty() {
            return Ok(None);
        }
        if taken.len() < planned {
            let Some(rest) = self.build(session, self.schedule(&taken)?)? else { return Ok(None) };
            program = rest;
        }
        session.run(&program, 1)?;
        self.tuner.gpu.wait()?;
        Ok(Some((program, taken)))
    }

    fn schedule(&self, taken: &Taken) -> Result<Schedule> {
        let mut options = self.tuner.options.clone();
        options.choice.tuned = Arc::new(taken.clone());
        schedule(self.model, self.mode, &self.tuner.gpu.caps, &options)
    }

    fn build(&self, session: &mut Session<'_>, schedule: Schedule) -> Result<Option<Program>> {
        let program = match session.build(schedule) {
            Err(Error::OutOfMemory(why)) => {
                log::info!("tuning: a program does not fit beside the first: {why}");
                return Ok(None);
            }
            built => built?,
        };
        session.feed(&program, self.batch)?;
        Ok(Some(program))
    }

    /// Steps of both in turns, each op's nanoseconds: of the first program and of the other.
    fn steps(
        &self,
        clock: &OpClock,
        other: &Program,
        programs_left: usize,
    ) -> Result<Vec<[Vec<f64>; 2]>> {
        let (gpu, begun) = (self.tuner.gpu, Instant::now());
        let left = self.tuner.time.mul_f64(BUILDING).saturating_sub(self.begun.elapsed());
        let slice = left.div_f64(2.0 * programs_left as f64);
        let mut steps = Vec::new();
        for turn in 0..TURNS.1 {
            let spent = self.tuner.effort == Effort::Quick && begun.elapsed() > slice;
            if interrupted() || (turn >= TURNS.0 && spent) {
                break;
            }
            if let (Some(ours), Some(theirs)) =
                (clock.step(gpu, &self.first)?, clock.step(gpu, other)?)
            {
                steps.push([ours, theirs]);
            }
        }
        Ok(steps)
    }

    /// Adds what the steps say of a candidate; of the first one as well, from its first turns.
    fn note(&self, open: &mut Open, variant: &Variant, steps: &[[Vec<f64>; 2]]) -> Result<()> {
        if steps.is_empty() {
            return Ok(());
        }
        let times =
            |which: usize| steps.iter().map(|step| open.of(&step[which])).collect::<Vec<_>>();
        let (first_ns, ns) = (times(0), times(1));
        let candidate = |variant: &Variant, ns: Vec<f64>| {
            let kernel = kernel_hash(&open.op, variant, &self.tuner.gpu.caps)?;
            let (variant, first_ns) = (variant.to_string(), first_ns.clone());
            Ok::<_, Error>(Candidate { variant, kernel, ns, first_ns, verified: None })
        };
        let other = candidate(variant, ns)?;
        if open.measured.is_empty() {
            let first = candidate(&open.op.variant, first_ns.clone())?;
            open.measured.push(first);
        }
        open.measured.push(other);
        Ok(())
    }
}

impl Open {
    fn candidate(&self, label: &str) -> Option<&Variant> {
        self.candidates.iter().find(|variant| variant.to_string() == label)
    }

    /// The time of all its ops in a step.
    fn of(&self, ns: &[f64]) -> f64 {
        self.places.iter().map(|&at| ns[at]).sum()
    }
}
