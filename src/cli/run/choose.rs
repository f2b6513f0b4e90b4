//! What is run: models, modes and batches, each option checked before any work.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::{Gpu, adapter};
use crate::kernel::Caps;
use crate::measure::estimate::{Estimate, Rates, estimates};
use crate::measure::run::Plan;
use crate::measure::sample::Budget;
use crate::pass::choose::Choice;
use crate::pass::{Options, Schedule};
use crate::session::schedule;
use crate::terms::{Mode, Preset};
use crate::workload::{Workload, WorkloadInfo};

use super::super::args::{self, is_named};
use super::super::data::Opened;
use super::super::progress::Progress;
use super::super::{output, range};
use super::RunArgs;

/// A model and the mode in which it is run.
pub(in crate::cli) type Chosen = (Box<dyn Workload>, Mode);

/// All that is run, on which device, and how.
#[derive(Debug)]
pub(in crate::cli) struct Selection {
    pub(in crate::cli) gpu: Gpu,
    pub(in crate::cli) chosen: Vec<Chosen>,
    pub(super) plan: Plan,
    /// The steps of what is chosen.
    schedules: Vec<Schedule>,
}

impl Selection {
    /// How long each run will take.
    pub(super) fn estimates(&self, rates: &Rates) -> Vec<Estimate> {
        estimates(&self.schedules, &self.plan, rates)
    }

    /// The steps of what is chosen, in the same order.
    pub(super) fn schedules(&self) -> &[Schedule] {
        &self.schedules
    }

    /// Makes the steps anew after what kernels are chosen by has changed.
    pub(super) fn plan_again(&mut self) -> Result<()> {
        self.schedules = schedules(&self.chosen, &self.gpu.caps, &self.plan.options)?;
        Ok(())
    }

    /// One of its models with another batch.
    pub(super) fn model(
        &self,
        args: &RunArgs,
        workload: &WorkloadInfo,
        batch: usize,
    ) -> Result<Box<dyn Workload>> {
        configure(args, workload, self.plan.preset, Some(batch))
    }
}

/// Opens the device, and settles what is run there.
pub(in crate::cli) fn prepare(args: &RunArgs) -> Result<Selection> {
    // What is wrong with the command line should show without a GPU.
    choose(args, args::preset_or_default(args.preset, None))?;
    let gpu = args.device.open()?;
    let (chosen, plan, schedules) = settle(args, Some(&gpu))?;
    Ok(Selection { gpu, chosen, plan, schedules })
}

/// What is run on a device, or without one on what every device offers; how it is measured, and its steps.
pub(super) fn settle(
    args: &RunArgs,
    gpu: Option<&Gpu>,
) -> Result<(Vec<Chosen>, Plan, Vec<Schedule>)> {
    let preset = preset(args, gpu);
    let (chosen, plan) = (choose(args, preset)?, plan(args, preset));
    let schedules = schedules(&chosen, &args.device.caps(gpu), &plan.options)?;
    check_variants(&args.variant, &schedules)?;
    Ok((chosen, plan, schedules))
}

/// Refuses a forced variant of an op that no step has: it would change nothing.
fn check_variants(labels: &[String], schedules: &[Schedule]) -> Result<()> {
    let ops = || schedules.iter().flat_map(|schedule| &schedule.ops).map(|op| op.op.kind().name);
    let is_there = |label: &&String| {
        let op = label.split_once('/').map_or("", |(op, _)| op);
        ops().any(|name| name == op)
    };
    match labels.iter().find(|label| !is_there(label)) {
        None => Ok(()),
        Some(label) => Err(Error::Usage(format!(
            "--variant {label}: no step that is run has such an op; a label is an op and a variant, as in \
             matmul/register; `fathom list kernels` lists them"
        ))),
    }
}

/// The preset a device gets; a smaller one than usual is said.
fn preset(args: &RunArgs, gpu: Option<&Gpu>) -> Preset {
    if let Some(gpu) = gpu.filter(|gpu| gpu.caps.software && args.preset.is_none()) {
        output::note(
            &args.out,
            &format!(
                "{} is a software adapter: using preset tiny (--preset full for the real size)",
                gpu.summary.name
            ),
        );
        // Perhaps there is a GPU whose driver is missing.
        for finding in adapter::findings(std::slice::from_ref(&gpu.summary)) {
            output::note(&args.out, &format!("note: {finding}"));
        }
    }
    args::preset_or_default(args.preset, gpu)
}

/// The models that are run, each with its mode; every option has to be one of theirs.
pub(super) fn choose(args: &RunArgs, preset: Preset) -> Result<Vec<Chosen>> {
    let workloads = args::workloads(&args.workload)?;
    args.data.check(&workloads)?;
    for workload in &workloads {
        args::check_game(workload, args.data.game.as_deref(), is_named(&args.workload))?;
        if is_named(&args.workload) {
            args::check_bucket(workload, args.bucket)?;
        }
    }
    let modes = args::modes(&args.mode);
    let batches = range::values(&args.batch);
    let batches: Vec<Option<usize>> =
        if batches.is_empty() { vec![None] } else { batches.into_iter().map(Some).collect() };
    let mut chosen = Vec::new();
    for workload in workloads {
        for &batch in &batches {
            for &mode in modes {
                chosen.push((configure(args, workload, preset, batch)?, mode));
            }
        }
    }
    // Named twice is run once: a record has a row for each workload, mode and batch.
    let mut seen = BTreeSet::new();
    chosen.retain(|(model, mode)| seen.insert((model.info().name, *mode, model.batch())));
    Ok(chosen)
}

/// A model with what was set; a bucket only where it has some.
pub(super) fn configure(
    args: &RunArgs,
    workload: &WorkloadInfo,
    preset: Preset,
    batch: Option<usize>,
) -> Result<Box<dyn Workload>> {
    let bucket = args.bucket.filter(|_| workload.buckets > 0);
    let model = args::configure(workload, preset, batch, &args::with_bucket(&args.set, bucket))?;
    if !model.buckets().is_empty() {
        return Err(Error::Usage(
            "each bucket is a program of its own, and run measures one: choose --bucket 0, 1, 2 or 3 (train takes mixed)"
                .into(),
        ));
    }
    Ok(model)
}

/// Opens the data that are named, so that what is wrong with them shows before anything is measured.
pub(in crate::cli) fn open<'a>(args: &'a RunArgs, chosen: &[Chosen]) -> Result<Opened<'a>> {
    let _progress = Progress::new(&args.out, "reading data");
    let models = chosen.iter().map(|(model, _)| model.as_ref());
    Opened::new(&args.data, &args.out, args.seed, models)
}

/// How each of them is measured.
fn plan(args: &RunArgs, preset: Preset) -> Plan {
    Plan {
        preset,
        options: Options {
            fuse: !args.no_fuse,
            choice: Choice { forced: args.variant.clone(), ..Choice::default() },
            precision: args.precision.precision,
            ..Options::default()
        },
        verify: !args.no_verify,
        profile: !args.no_profile,
        budget: Budget {
            time: Duration::from_secs_f64(args.time),
            noise: args.max_noise / 100.0,
            min_samples: args.min_samples as usize,
        },
        seed: args.seed,
        queue_depth: args.queue_depth as usize,
        rule: None,
    }
}

/// The steps of what is chosen.
fn schedules(chosen: &[Chosen], caps: &Caps, options: &Options) -> Result<Vec<Schedule>> {
    chosen.iter().map(|(model, mode)| schedule(model.as_ref(), *mode, caps, options)).collect()
}
