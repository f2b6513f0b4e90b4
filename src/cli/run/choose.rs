//! What is run: models, modes and batches, each option checked before any work.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::Result;
use crate::gpu::{Gpu, adapter};
use crate::measure::run::Plan;
use crate::measure::sample::Budget;
use crate::measure::suite::{Chosen, Suite, schedules};
use crate::pass::choose::Choice;
use crate::pass::{Options, Schedule};
use crate::terms::Preset;
use crate::workload::{Opened, Workload, WorkloadInfo};

use super::super::args::{self, is_named};
use super::super::progress::Progress;
use super::super::{output, range};
use super::RunArgs;

/// What is wrong with the command line should show without a GPU, and before anything is run.
pub(in crate::cli) fn check(args: &RunArgs) -> Result<()> {
    choose(args, args::preset_or_default(args.preset, None)).map(drop)
}

/// Opens the device, and settles what is run there.
pub(in crate::cli) fn prepare(args: &RunArgs) -> Result<Suite> {
    check(args)?;
    let gpu = args.device.open()?;
    let (chosen, plan, schedules) = settle(args, Some(&gpu))?;
    Ok(Suite::new(gpu, chosen, plan, schedules))
}

/// What is run on a device, or without one on what every device offers; how it is measured, and its steps.
pub(super) fn settle(
    args: &RunArgs,
    gpu: Option<&Gpu>,
) -> Result<(Vec<Chosen>, Plan, Vec<Schedule>)> {
    let preset = preset(args, gpu);
    let (chosen, plan) = (choose(args, preset)?, plan(args, preset));
    let schedules = schedules(&chosen, &args.device.caps(gpu), &plan.options)?;
    Ok((chosen, plan, schedules))
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
fn choose(args: &RunArgs, preset: Preset) -> Result<Vec<Chosen>> {
    let workloads = args::workloads(&args.workload)?;
    let are_named = is_named(&args.workload);
    args.data.check(&workloads, are_named)?;
    for workload in workloads.iter().filter(|_| are_named) {
        args::check_bucket(workload, args.bucket)?;
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
    let model = workload.sized(preset, batch, &args::with_bucket(&args.set, bucket))?;
    args::check_one_program(model.as_ref())?;
    Ok(model)
}

/// Opens the data that are named, so that what is wrong with them shows before anything is measured.
pub(in crate::cli) fn open<'a>(args: &'a RunArgs, chosen: &[Chosen]) -> Result<Opened<'a>> {
    let _progress = Progress::new(&args.out, "reading data");
    let models = chosen.iter().map(|(model, _)| model.as_ref());
    args.data.open(&args.out, args.seed, models)
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
            min_samples: args.min_samples,
        },
        seed: args.seed,
        queue_depth: args.queue_depth,
        rule: None,
    }
}
