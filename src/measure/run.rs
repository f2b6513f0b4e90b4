//! One run of a record: a workload in one mode at one batch, verified, timed and profiled.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::Storage;
use crate::host::Instant;
use crate::pass::{OpInstance, Options, Schedule};
use crate::program::Program;
use crate::record::{Doubt, Memory, Op, Playing, Run, RunKey, Status, StaysF32, Verified};
use crate::session::{Session, schedule};
use crate::stats::median;
use crate::terms::{Mode, Precision, Preset};
use crate::workload::{Feed, Samples, Split, Workload, step};

use super::flight::Fed;
use super::outcome::outcome;
use super::profile::profile;
use super::restart::Restart;
use super::sample::{Budget, going_on, interrupted, sample};
use super::verify::verify;
use super::yardstick::Rule;

/// How runs are measured: the same for every workload, mode and batch.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The model's size, for the record.
    pub preset: Preset,
    /// Fusion and forced variants.
    pub options: Options,
    /// Run each kernel variant against its reference first.
    pub verify: bool,
    /// Time each op after the steps.
    pub profile: bool,
    /// When sampling ends.
    pub budget: Budget,
    /// Steps in flight where their throughput is taken.
    pub queue_depth: usize,
    /// Of parameters and every random draw.
    pub seed: u64,
    /// Known work to time beside the steps.
    pub rule: Option<Arc<Rule>>,
}

/// What a model in a mode is called in a record.
pub fn key(model: &dyn Workload, mode: Mode) -> RunKey {
    RunKey { workload: model.info().name.into(), mode, batch: model.batch() }
}

/// A run that is to be measured.
#[derive(Clone, Copy)]
struct Task<'a> {
    gpu: &'a Gpu,
    model: &'a dyn Workload,
    mode: Mode,
    plan: &'a Plan,
    progress: &'a dyn Fn(&str, f64),
}

/// Measures a model in a mode, on its samples. `progress` is told the part and how much of it is done.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where memory runs out or the device fails, [`crate::error::Error::Data`],
/// [`crate::error::Error::Interrupted`] where nothing was timed yet.
pub fn measure(
    gpu: &Gpu,
    model: &dyn Workload,
    mode: Mode,
    plan: &Plan,
    data: &mut dyn Samples,
    progress: &dyn Fn(&str, f64),
) -> Result<Run> {
    let task = Task { gpu, model, mode, plan, progress };
    let mut session = Session::new(gpu, plan.seed);
    let (program, batch, mut run) = task.prepare(&mut session, data)?;
    run.outcome = Some(outcome(&session, &program, mode)?);
    if plan.verify {
        run.verified = task.verify(&session, &program)?;
    }
    match run.verified.status {
        Status::Passed => {}
        Status::Unverified => run.doubts.push(Doubt::Unverified),
        Status::Failed => {
            // Wrong kernels are not timed.
            run.doubts.push(Doubt::WrongKernels);
            return Ok(run);
        }
    }
    task.time(&session, &program, &batch, &mut run)?;
    if let (Some(environment), Mode::Train) = (data.environment(), mode) {
        progress("choosing actions", 0.0);
        let action = acting(&mut session, model, plan, &batch)?;
        run.playing = Some(Playing { environment_ns: nanoseconds(environment), action_ns: action });
    }
    if mode == Mode::Train {
        // Only now: reading back between timed steps would drain the queue.
        run.loss = Some(session.output(&program, step::LOSS)?.data[0]);
    }
    if plan.profile && !interrupted() {
        task.profile(&session, &program, &mut run)?;
    }
    if run.loss.is_some_and(|loss| !loss.is_finite()) {
        run.loss = None;
        run.doubts.push(Doubt::Loss);
    }
    Ok(run)
}

impl Task<'_> {
    /// Builds the step, feeds it and runs it once: what is known before it is verified and timed.
    fn prepare(
        self,
        session: &mut Session<'_>,
        data: &mut dyn Samples,
    ) -> Result<(Program, Feed, Run)> {
        let Self { gpu, model, mode, plan, progress } = self;
        // The device keeps its pipelines: what an earlier run made is not counted again.
        let pipelines_before = gpu.pipelines_made();
        let begun = Instant::now();
        let schedule = schedule(model, mode, &gpu.caps, &plan.options)?;
        let program = session.build_watched(schedule, &|share| {
            // The other half is the first step.
            progress("building", share / 2.0);
            going_on()
        })?;
        // The first values go up with the next submission: that is building too.
        gpu.settle()?;
        let build = begun.elapsed();
        let pipelines = gpu.pipelines_made();

        progress("reading data", 0.0);
        let begun = Instant::now();
        // One batch serves every timed step; what a batch takes to make is a figure of its own.
        let batch = data.batch(Split::Train, 0)?.tensors();
        let data_time = begun.elapsed();
        let begun = Instant::now();
        session.feed(&program, &batch)?;
        gpu.settle()?;
        let upload = begun.elapsed();
        going_on()?;

        // Many drivers compile a kernel when it is first dispatched: that is building, as making pipelines is.
        progress("building", 0.5);
        let begun = Instant::now();
        session.run(&program, 1)?;
        gpu.wait()?;
        let first_step = begun.elapsed();
        let run = Run {
            build_ns: nanoseconds(build + first_step),
            first_step_ns: Some(nanoseconds(first_step)),
            pipelines: pipelines.0 - pipelines_before.0,
            pipelines_ns: nanoseconds(pipelines.1 - pipelines_before.1),
            data_ns: nanoseconds(data_time),
            upload_ns: nanoseconds(upload),
            ..self.planned(&program, data)
        };
        Ok((program, batch, run))
    }

    /// What is known without the device, and nothing of what is measured.
    fn planned(self, program: &Program, data: &dyn Samples) -> Run {
        let Self { model, plan, .. } = self;
        let Program { schedule, hash, .. } = program;
        let (cost, memory) = (schedule.cost(), &schedule.memory);
        Run {
            workload: model.info().name.into(),
            mode: self.mode,
            preset: plan.preset,
            batch: model.batch(),
            model: model.config(),
            data: data.describe(),
            listed: data.listing().map(|listing| listing.listed()),
            program: hash.clone(),
            verified: Verified::nothing(),
            doubts: Vec::new(),
            timing: None,
            flops: cost.flops,
            bytes: cost.bytes,
            parameters: schedule.parameters() as u64,
            dispatches: schedule.dispatches(),
            loss: None,
            outcome: None,
            memory: Memory {
                planned_bytes: memory.bytes(),
                slots_bytes: memory.slot_bytes(),
                slots_bound_bytes: memory.live_bytes,
            },
            build_ns: 0.0,
            first_step_ns: None,
            pipelines: 0,
            pipelines_ns: 0.0,
            data_ns: 0.0,
            upload_ns: 0.0,
            playing: None,
            profile: None,
            ops: schedule.ops.iter().map(op).collect(),
            stays_f32: stays_f32(schedule, plan.options.precision),
        }
    }

    fn verify(self, session: &Session<'_>, program: &Program) -> Result<Verified> {
        if self.mode == Mode::Train {
            // The steps before may have left the numbers, as vgg does on one batch: what is infinite proves nothing.
            session.restart()?;
        }
        verify(self.gpu, program, &|op, share| {
            log::debug!("verifying {op}");
            (self.progress)("verifying", share);
        })
    }

    /// Times steps on one batch, then steps that each have samples of their own.
    fn time(
        self,
        session: &Session<'_>,
        program: &Program,
        batch: &Feed,
        run: &mut Run,
    ) -> Result<()> {
        let Self { gpu, plan, .. } = self;
        let restart = Restart::new(session, self.mode);
        let report = |share: f64| (self.progress)("timing", share);
        let sampled = sample(gpu, program, &plan.budget, plan.rule.as_deref(), &restart, &report)?;
        let mut timing = sampled.timing;
        run.doubts.extend(sampled.doubts);
        // The first step did a step's work as well.
        let first_step = run.first_step_ns.unwrap_or(0.0);
        let compiling = (first_step - timing.wall_median_ns).max(0.0);
        run.first_step_ns = Some(compiling);
        run.build_ns += compiling - first_step;
        if !interrupted() {
            let fed = Fed { gpu, session, program, batch };
            let (time, step) = (plan.budget.time / 5, timing.wall_median_ns);
            let flight = fed.flight(plan.queue_depth, time, step, &restart)?;
            timing.queue_depth = Some(plan.queue_depth);
            timing.overlapped_ns = Some(flight.overlapped);
            timing.latency_ns = Some(flight.latency);
        }
        run.timing = Some(timing);
        Ok(())
    }

    /// Times each op.
    fn profile(self, session: &Session<'_>, program: &Program, run: &mut Run) -> Result<()> {
        // `super::estimate` counts on this fifth where it tells how long a run takes.
        let time = self.plan.budget.time / 5;
        let (steps, timed) = (self.plan.budget.min_samples, run.step_ns());
        let restart = Restart::new(session, self.mode);
        let report = |share: f64| (self.progress)("profiling", share);
        let profiled = profile(self.gpu, program, time, steps, timed, &restart, &report)?;
        if let Some(profiled) = profiled {
            run.profile = profiled.profile;
            run.doubts.extend(profiled.doubts);
            for (op, time) in run.ops.iter_mut().zip(profiled.ops) {
                op.ns = Some(time);
            }
        }
        Ok(())
    }
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}

/// The ops of a step in f16 whose values are f32 all the same.
fn stays_f32(schedule: &Schedule, precision: Precision) -> Vec<StaysF32> {
    if precision == Precision::F32 {
        return Vec::new();
    }
    let kept = |op: &OpInstance| match op.op.storage() {
        Storage::F32(why) => Some(StaysF32 { op: op.op.kind().name.into(), why: why.into() }),
        _ => None,
    };
    let mut kept: Vec<_> = schedule.ops.iter().filter_map(kept).collect();
    kept.sort();
    kept.dedup();
    kept
}

/// An op of the step, before it is timed.
fn op(instance: &OpInstance) -> Op {
    let kind = instance.op.kind();
    Op {
        label: instance.label.clone(),
        op: kind.name.into(),
        class: kind.class,
        phase: instance.phase,
        dispatches: instance.dispatches.len(),
        flops: instance.cost.flops,
        bytes: instance.cost.bytes,
        types: instance.op.kinds().iter().map(|kind| kind.name.to_string()).collect(),
        ns: None,
    }
}

/// Median time of an inference step with its state's upload and its result's way back.
fn acting(
    session: &mut Session<'_>,
    model: &dyn Workload,
    plan: &Plan,
    batch: &Feed,
) -> Result<f64> {
    let program = session.compile(model, Mode::Infer, &plan.options)?;
    let mut times = Vec::new();
    for _ in 0..plan.budget.min_samples.max(10) {
        let begun = Instant::now();
        session.feed(&program, batch)?;
        session.run(&program, 1)?;
        for (name, _) in program.schedule.outputs() {
            session.output(&program, name)?;
        }
        times.push(nanoseconds(begun.elapsed()));
    }
    Ok(median(&times))
}
