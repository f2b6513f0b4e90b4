//! `fathom bench`: kernels over a range of shapes, or at those of a workload's step.

use std::time::Duration;

use clap::Args;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::listing;
use crate::measure::estimate::Rates;
use crate::measure::kernels::Fate;
use crate::measure::sample::Budget;
use crate::measure::verify::advice;
use crate::measure::{kernels, peak, run};
use crate::pass::{Options, Schedule};
use crate::report::number;
use crate::session::schedule;
use crate::terms::{Mode, counted};

use super::given::Given;
use super::progress::Progress;
use super::{DeviceArgs, OutputArgs, PrecisionArgs, SizeArgs, args, output};

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    given: Given,

    /// Only kernels with a name that contains this: `matmul`, `matmul/tile`, `sgd`
    ///
    /// Names are those of the family, of the op type and, with --workload, of the op in the step: `optimizer`, `adam`,
    /// `optimizer.adam`.
    filter: Option<String>,

    /// Maximum seconds to sample each kernel for
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5, value_parser = args::number_in(0.01, 600.0, "seconds"))]
    time: f64,

    /// Time every test case, not only the large ones
    #[arg(long, conflicts_with = "workload")]
    all: bool,

    /// Time every variant at the shapes of these workloads' steps, or of `all`
    #[arg(short, long, value_name = "NAME,..", value_delimiter = ',')]
    workload: Vec<String>,

    /// Modes of the workloads: train, infer [default: both]
    #[arg(
        short,
        long,
        value_name = "MODE,..",
        value_delimiter = ',',
        hide_possible_values = true,
        requires = "workload"
    )]
    mode: Vec<Mode>,

    #[command(flatten)]
    size: SizeArgs,

    #[command(flatten)]
    precision: PrecisionArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    out: OutputArgs,
}

/// What only a workload's steps heed: the kernels' own cases are of f32 and of sizes of their own.
const OF_STEPS: &str = "preset precision batch set";

/// Times, and prints a row for each kernel as it is timed; those that were are kept, however it ends.
///
/// # Errors
/// [`Error::NothingSelected`] where no kernel matches the filter, [`Error::Verification`] where one is wrong,
/// [`Error::Gpu`] where the device fails.
pub fn execute(args: &BenchArgs) -> Result<()> {
    if args.workload.is_empty()
        && let Some(option) = args.given.first(OF_STEPS)
    {
        return Err(Error::Usage(format!(
            "{option}: it is for the steps of a workload, and would change nothing: add --workload"
        )));
    }
    let gpu = args.device.open()?;
    let filter = args.filter.as_deref().unwrap_or("");
    let chosen = if !args.workload.is_empty() {
        kernels::of_steps(&gpu.caps, filter, &steps(args, &gpu)?)
    } else if args.all {
        kernels::choose(&gpu.caps, filter)
    } else {
        kernels::choose_large(&gpu.caps, filter)
    }?;
    let progress = Progress::new(&args.out, "measuring the device's ceilings");
    let ceilings = peak::measure(&gpu, Duration::from_secs(1), &|share| progress.set(share))?;
    let rule = ceilings.rule(&gpu)?;
    let rates = Rates::measured(&gpu.caps, &ceilings.peaks);
    let budget = Budget { time: Duration::from_secs_f64(args.time), ..Budget::default() };
    let chosen = kernels::in_order(chosen, &rates);
    let about = number::span(kernels::estimate(&chosen, &rates, &budget));
    output::note(&args.out, &format!("{}, up to about {about}", counted(chosen.len(), "kernel")));
    let table = listing::of_precision(listing::kernels::timings(&chosen), args.precision.precision);
    let table = listing::stamped(table, &gpu);
    let show = |label: &str, share| progress.show(label, share);
    let mut live = output::Live::new(&args.out, table)?;
    let mut wrong = Vec::new();
    let outcome = kernels::time(&gpu, &chosen, &budget, (&rule, &rates), &show, &mut |timed| {
        let which = format!("{} on {}", timed.label, timed.case);
        match &timed.fate {
            Fate::LeftOut(seconds) => {
                let (took, time) = (number::span(*seconds), kernels::enough_for(*seconds));
                let note = format!(
                    "note: left out: {which}, of which one dispatch takes about {took}; --time {time:.2} times it"
                );
                output::note(&args.out, &note);
                return Ok(());
            }
            Fate::Wrong(verdict) => wrong.push(format!("{which}: {}", verdict.detail)),
            Fate::Time { .. } => {}
        }
        live.row(listing::kernels::timing(&timed, &ceilings.peaks))
    });
    drop(progress);
    output::together([live.finish(), outcome, all_right(&gpu, &wrong)])
}

/// Fails with the kernels that are wrong, a line each.
fn all_right(gpu: &Gpu, wrong: &[String]) -> Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::Verification(format!(
        "these kernels disagree with their references on {}, so they were not timed:\n  {}\n{}",
        gpu.summary,
        wrong.join("\n  "),
        advice()
    )))
}

/// The steps of the workloads asked for, by the names of their runs.
fn steps(args: &BenchArgs, gpu: &Gpu) -> Result<Vec<(String, Schedule)>> {
    let modes = args::modes(&args.mode);
    let options = Options { precision: args.precision.precision, ..Options::default() };
    let mut steps = Vec::new();
    for workload in args::workloads(&args.workload)? {
        let (_, model) = args.size.configure(workload, Some(gpu))?;
        for &mode in modes {
            let step = schedule(model.as_ref(), mode, &gpu.caps, &options)?;
            steps.push((run::key(model.as_ref(), mode).to_string(), step));
        }
    }
    Ok(steps)
}
