//! One run of a record: a workload in one mode at one batch, verified, timed and profiled.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::Storage;
use crate::host::Instant;
use crate::pass::{OpInstance, Options, Schedule};
use crate::record::{Doubt, Memory, Op, Playing, Run, RunKey, Status, StaysF32, Verified};
use crate::session::{Session, schedule};
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
    // The device keeps its pipelines: what an earlier run made is not counted again.
    let pipelines_before = gpu.pipelines_made();
    let begun = Instant::now();
    let mut session = Session::new(gpu, plan.seed);
    let schedule = schedule(model, mode, &gpu.caps, &plan.options)?;
    let program = session.build_watched(schedule, &|share| {
        // The other half is the first step.
        progress("building", share / 2.0);
        going_on()
    })?;
    let build = begun.elapsed();
    let after = gpu.pipelines_made();

    progress("reading data", 0.0);
    let begun = Instant::now();
    // One batch serves every timed step; what a batch takes to make is a figure of its own.
    let batch = data.batch(Split::Train, 0)?.tensors();
    let data_time = begun.elapsed();
    let begun = Instant::now();
    session.feed(&program, &batch)?;
    gpu.wait()?;
    let upload = begun.elapsed();
    going_on()?;

    // Many drivers compile a kernel when it is first dispatched: that is building, as making pipelines is.
    progress("building", 0.5);
    let begun = Instant::now();
    session.run(&program, 1)?;
    gpu.wait()?;
    let first_step = begun.elapsed();
    let outcome = outcome(&session, &program, mode)?;

    let cost = program.schedule.cost();
    let memory = &program.schedule.memory;
    let mut run = Run {
        workload: model.info().name.into(),
        mode,
        preset: plan.preset,
        batch: model.batch(),
        model: model.config(),
        data: data.describe(),
        listed: data.listing().map(|listing| listing.listed()),
        program: program.hash.clone(),
        verified: Verified::nothing(),
        doubts: Vec::new(),
        timing: None,
        flops: cost.flops,
        bytes: cost.bytes,
        parameters: program.schedule.parameters() as u64,
        dispatches: program.schedule.dispatches(),
        loss: None,
        outcome: Some(outcome),
        memory: Memory {
            planned_bytes: memory.bytes(),
            slots_bytes: memory.slot_bytes(),
            slots_bound_bytes: memory.live_bytes,
        },
        build_ns: nanoseconds(build + first_step),
        first_step_ns: Some(nanoseconds(first_step)),
        pipelines: after.0 - pipelines_before.0,
        pipelines_ns: nanoseconds(after.1 - pipelines_before.1),
        data_ns: nanoseconds(data_time),
        upload_ns: nanoseconds(upload),
        playing: None,
        profile: None,
        ops: program.schedule.ops.iter().map(op).collect(),
        stays_f32: stays_f32(&program.schedule, plan.options.precision),
    };
    if plan.verify {
        if mode == Mode::Train {
            // The steps before may have left the numbers, as vgg does on one batch: what is infinite proves nothing.
            session.restart()?;
        }
        run.verified = verify(gpu, &program, &|op, share| {
            log::debug!("verifying {op}");
            progress("verifying", share);
        })?;
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
    let rule = plan.rule.as_deref();
    let restart = Restart::new(&session, mode);
    let report = |s: f64| progress("timing", s);
    let sampled = sample(gpu, &program, &plan.budget, rule, &restart, &report)?;
    // The first step did a step's work as well.
    run.first_step_ns = run.first_step_ns.map(|ns| (ns - sampled.timing.wall_median_ns).max(0.0));
    run.build_ns = nanoseconds(build) + run.first_step_ns.unwrap_or(0.0);
    let mut timing = sampled.timing;
    run.doubts.extend(sampled.doubts);
    if !interrupted() {
        let fed = Fed { gpu, session: &session, program: &program, batch: &batch };
        let (time, step) = (plan.budget.time / 5, timing.wall_median_ns);
        let flight = fed.flight(plan.queue_depth, time, step, &restart)?;
        timing.queue_depth = Some(plan.queue_depth);
        timing.overlapped_ns = Some(flight.overlapped);
        timing.latency_ns = Some(flight.latency);
    }
    run.timing = Some(timing);
    if let (Some(environment), Mode::Train) = (data.environment(), mode) {
        progress("choosing actions", 0.0);
        let action = acting(&mut session, model, plan, &batch)?;
        run.playing = Some(Playing {
            environment_ns: nanoseconds(environment),
            action_ns: nanoseconds(action),
        });
    }
    let mut diverged = false;
    if mode == Mode::Train {
        // Only now: reading back between timed steps would drain the queue.
        let loss = session.output(&program, step::LOSS)?.data[0];
        diverged = !loss.is_finite();
        run.loss = loss.is_finite().then_some(loss);
    }
    if plan.profile && !interrupted() {
        // `super::estimate` counts on this fifth where it tells how long a run takes.
        let time = plan.budget.time / 5;
        let report = |s: f64| progress("profiling", s);
        let (steps, timed) = (plan.budget.min_samples, run.step_ns());
        let restart = Restart::new(&session, mode);
        let profiled = profile(gpu, &program, time, steps, timed, &restart, &report)?;
        if let Some(profiled) = profiled {
            run.profile = profiled.profile;
            run.doubts.extend(profiled.doubts);
            for (op, time) in run.ops.iter_mut().zip(profiled.ops) {
                op.ns = Some(time);
            }
        }
    }
    if diverged {
        run.doubts.push(Doubt::Loss);
    }
    Ok(run)
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
) -> Result<Duration> {
    let program = session.compile(model, Mode::Infer, &plan.options)?;
    let mut times = Vec::new();
    for _ in 0..plan.budget.min_samples.max(10) {
        let begun = Instant::now();
        session.feed(&program, batch)?;
        session.run(&program, 1)?;
        for (name, _) in program.schedule.outputs() {
            session.output(&program, name)?;
        }
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
