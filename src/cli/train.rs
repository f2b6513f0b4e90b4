//! `fathom train`: the loss and the metric as training goes on.

use std::time::{Duration, Instant};

use clap::Args;

use crate::error::{Error, Result};
use crate::fields;
use crate::gpu::Gpu;
use crate::listing;
use crate::measure::sample::{going_on, interrupted};
use crate::pass::Options;
use crate::report::Format;
use crate::report::section::training;
use crate::stats::mean;
use crate::terms::{Mode, Preset};
use crate::train::{Groups, Trainer};
use crate::workload::opened::{describe, passed_over};
use crate::workload::{self, Workload, WorkloadInfo};

use super::args::{able, step_count, whole};
use super::output::Live;
use super::{DataArgs, DeviceArgs, ModelArgs, OutputArgs, PrecisionArgs, output};

mod play;

/// Options of `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// Steps to train
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = step_count)]
    steps: u64,

    /// Steps between rows; the metric is evaluated at each [default: a tenth of the steps]
    #[arg(long, value_name = "N", value_parser = step_count)]
    every: Option<u64>,

    /// After training, print N held-out samples with the model's answers, for workloads that can show them
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "3", value_parser = whole::<usize>(1, 1000))]
    show: Option<usize>,

    #[command(flatten)]
    precision: PrecisionArgs,

    #[command(flatten)]
    data: DataArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Trains, and prints a row at regular intervals.
///
/// # Errors
/// As [`Trainer`].
pub fn execute(args: &TrainArgs) -> Result<()> {
    let workload = workload::find(&args.model.workload)?;
    args.data.check(&[workload], true)?;
    if args.show.is_some() {
        check_show(workload)?;
    }
    let gpu = args.device.open()?;
    let (preset, model) = args.model.configure(Some(&gpu))?;
    let outcome = if model.info().plays {
        play::execute(args, &gpu)
    } else {
        learn(args, &gpu, preset, model)
    };
    let options = Options { precision: args.precision.precision, ..Options::default() };
    super::advise(outcome, &args.model, Mode::Train, &options, &gpu)
}

/// Trains on samples.
fn learn(args: &TrainArgs, gpu: &Gpu, preset: Preset, model: Box<dyn Workload>) -> Result<()> {
    let source = args.data.source(model.info(), args.model.seed);
    let (metric, batch) = (model.info().metric, model.batch());
    let mut trainer = Trainer::new(gpu, model, &source, args.precision.precision)?;
    let note = format!(
        "{} {preset}, {}, batch {}, seed {}, on {}\n{}",
        args.model.workload,
        args.precision.precision,
        batch,
        args.model.seed,
        gpu.summary,
        describe(&args.model.workload, trainer.data())
    );
    output::note(&args.output, &note);
    let people = args.output.output == Format::Table;
    let table = training::steps(metric.name, metric.unit);
    let table = listing::stamped(listing::of_precision(table, args.precision.precision), gpu);
    let mut live = Live::new(&args.output, table)?;
    let mut groups = Groups::new();
    let start = Instant::now();
    let step = |trainer: &mut Trainer<'_>| {
        let loss = trainer.step()?;
        trainer.news().iter().for_each(|change| output::note(&args.output, change));
        Ok(Some(loss))
    };
    let outcome = follow(args, &mut trainer, step, |trainer, step, loss| {
        let value;
        (value, groups) = trainer.evaluate()?;
        live.row(fields![step, loss, value, seconds(start.elapsed())])
    });
    // The rows that there are count, however training ended.
    live.finish()?;
    outcome?;
    if !groups.is_empty() && people {
        let table = training::groups(&groups, metric.unit);
        output::data(&format!("\n{}", table.render(Format::Table)?))?;
    }
    if let Some(count) = args.show {
        let samples = trainer.show(count)?;
        for sample in samples {
            // Behind rows for programs they would be no rows.
            if people {
                output::data(&format!("\n{sample}"))?;
            } else {
                output::note(&args.output, &sample);
            }
        }
    }
    passed_over(trainer.data()).for_each(|line| output::note(&args.output, &line));
    going_on()
}

/// Takes the steps, with a row of them and their mean loss at regular intervals, at the last one, and where it is
/// interrupted.
fn follow<T>(
    args: &TrainArgs,
    learner: &mut T,
    step: impl Fn(&mut T) -> Result<Option<f64>>,
    mut row: impl FnMut(&mut T, u64, Option<f64>) -> Result<()>,
) -> Result<()> {
    let every = args.every.unwrap_or(args.steps.div_ceil(10));
    let mut losses = Vec::new();
    for at in 1..=args.steps {
        losses.extend(step(learner)?);
        let stop = interrupted();
        if at % every == 0 || at == args.steps || stop {
            let loss = (!losses.is_empty()).then(|| mean(&losses));
            losses.clear();
            row(learner, at, loss)?;
        }
        if stop {
            break;
        }
    }
    Ok(())
}

/// To the millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

/// Refuses `--show` for what has no view of its samples.
fn check_show(workload: &WorkloadInfo) -> Result<()> {
    if workload.shows {
        return Ok(());
    }
    let (name, able) = (workload.name, able(|workload| workload.shows));
    Err(Error::Usage(format!("--show: {name} cannot show samples; {able} can")))
}
