//! One cell of a run: a workload in one mode at one batch, verified, timed and profiled.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::host::Instant;
use crate::pass::Options;
use crate::program::Program;
use crate::session::Session;
use crate::terms::Mode;
use crate::workload::{DataSource, Feed, Split, Workload, step};

use super::profile::{Profile, profile};
use super::sample::{Budget, Samples, interrupted, sample};
use super::verify::{Verification, verify};

/// What is done with a cell.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Training or inference.
    pub mode: Mode,
    /// Fusion and forced variants.
    pub options: Options,
    /// Run each kernel variant against its reference first.
    pub verify: bool,
    /// Time each op after the steps.
    pub profile: bool,
    /// When sampling ends.
    pub budget: Budget,
    /// Samples and seed.
    pub source: DataSource,
}

/// What was measured of a cell.
#[derive(Debug)]
pub struct Measured {
    /// The program, with its ops, plan and hash.
    pub program: Program,
    /// Verdicts, unless verification was switched off.
    pub verification: Option<Verification>,
    /// Timed steps; `None` where verification failed, since wrong kernels are not timed.
    pub samples: Option<Samples>,
    /// Op times, where the device has timestamps and they were wanted.
    pub profile: Option<Profile>,
    /// From the graph to the first dispatch: passes, pipelines, buffers.
    pub build: Duration,
    /// Pipelines made for this cell and the time that took.
    pub pipelines: (usize, Duration),
    /// Host time to make one batch.
    pub data: Duration,
    /// Host time to hand one batch to the device.
    pub upload: Duration,
    /// What the samples are.
    pub data_text: String,
    /// Loss after the timed steps, in training.
    pub loss: Option<f64>,
    /// Where samples come from playing, in training: what the other parts of it take.
    pub playing: Option<Playing>,
}

/// What playing takes beside a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Playing {
    /// A step of the game: four frames, drawing, preprocessing.
    pub environment: Duration,
    /// Choosing actions for a batch of states: upload, inference, reading back.
    pub action: Duration,
}

/// Measures a cell. `progress` is told the part and how much of it is done.
///
/// # Errors
/// [`Error::Gpu`] where memory runs out or the device fails, [`Error::Data`], [`Error::Interrupted`].
pub fn measure(
    gpu: &Gpu,
    model: &dyn Workload,
    plan: &Plan,
    progress: &dyn Fn(&str, f64),
) -> Result<Measured> {
    progress("building", 0.0);
    let pipelines_before = gpu.pipelines_made();
    let begun = Instant::now();
    let mut session = Session::new(gpu, plan.source.seed);
    let program = session.compile(model, plan.mode, &plan.options)?;
    let build = begun.elapsed();
    let after = gpu.pipelines_made();

    progress("reading data", 0.0);
    let mut data = model.samples(&plan.source)?;
    let begun = Instant::now();
    let batch = data.batch(Split::Train, 0)?.tensors();
    let data_time = begun.elapsed();
    let begun = Instant::now();
    session.feed(&program, &batch)?;
    gpu.wait()?;
    let upload = begun.elapsed();

    let mut measured = Measured {
        verification: None,
        samples: None,
        profile: None,
        build,
        pipelines: (after.0 - pipelines_before.0, after.1 - pipelines_before.1),
        data: data_time,
        upload,
        data_text: data.describe(),
        loss: None,
        playing: None,
        program,
    };
    let program = &measured.program;
    if plan.verify {
        let verification = verify(gpu, &program.schedule, &|s| progress("verifying", s))?;
        let passed = verification.is_passed();
        measured.verification = Some(verification);
        if !passed {
            return Ok(measured);
        }
    }
    if interrupted() {
        return Err(Error::Interrupted);
    }
    measured.samples = Some(sample(gpu, program, &plan.budget, &|s| progress("timing", s))?);
    if let (Some(environment), Mode::Train) = (data.environment(), plan.mode) {
        progress("choosing actions", 0.0);
        let action = acting(&mut session, model, plan, &batch)?;
        measured.playing = Some(Playing { environment, action });
    }
    if plan.mode == Mode::Train {
        measured.loss = Some(session.output(program, step::LOSS)?.data[0]);
    }
    if plan.profile && !interrupted() {
        let time = plan.budget.time / 5;
        let report = |s: f64| progress("profiling", s);
        measured.profile = profile(gpu, program, time, plan.budget.min_samples, &report)?;
    }
    Ok(measured)
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
