//! `fathom run`: verify, time, profile, print, save.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::error::Result;
use crate::host::Instant;
use crate::measure::estimate::{Pace, Rates};
use crate::measure::largest_batch::TooLarge;
use crate::measure::run as cell;
use crate::measure::sample::going_on;
use crate::measure::{peak, provenance, verify};
use crate::record::{Config, Precision, Record, Tuning, store};
use crate::report::section::headline;
use crate::report::{Format, number};
use crate::terms::{Effort, Mode, Preset};

use super::data::Opened;
use super::progress::Progress;
use super::range::Range;
use super::{DataArgs, DeviceArgs, OutputArgs, interrupt, output, records, score};

pub(super) mod choose;
mod dry;
pub(super) mod tuning;

use choose::Selection;
use tuning::Tables;

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Workloads; `fathom list workloads` [default: all]
    #[arg(
        short,
        long,
        value_name = "NAME,..",
        value_delimiter = ',',
        help_heading = "What",
        env = "FATHOM_WORKLOAD"
    )]
    pub workload: Vec<String>,

    /// Modes: train, infer [default: both]
    #[arg(
        short,
        long,
        value_name = "MODE,..",
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = "What"
    )]
    pub mode: Vec<Mode>,

    /// Samples per batch: `8`, `1,8`, `1..64*2`
    ///
    /// [default: the preset's]
    #[arg(short, long, value_name = "N,..|A..B*2", value_delimiter = ',', help_heading = "What")]
    pub batch: Vec<Range>,

    /// Model size: full, tiny
    ///
    /// [default: full; tiny on a software adapter]
    #[arg(
        long,
        value_name = "NAME",
        hide_possible_values = true,
        help_heading = "What",
        env = "FATHOM_PRESET"
    )]
    pub preset: Option<Preset>,

    /// Override a size of the model, as in `classes=3`
    ///
    /// May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::setting, help_heading = "What")]
    pub set: Vec<(String, usize)>,

    /// Sentence lengths of seq2seq: 0, 1, 2 or 3
    ///
    /// [default: the preset's]
    #[arg(long, value_name = "N", value_parser = super::bucket, help_heading = "What")]
    pub bucket: Option<usize>,

    /// Where samples come from.
    #[command(flatten)]
    pub data: DataArgs,

    /// Which device.
    #[command(flatten)]
    pub device: DeviceArgs,

    /// Most seconds to sample each run for
    ///
    /// It stops earlier once --max-noise is reached.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = super::seconds, help_heading = "How")]
    pub time: f64,

    /// Precision to reach
    ///
    /// Half-width of the median's 95 % interval.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = super::percent, help_heading = "How")]
    pub max_noise: f64,

    /// Minimum number of samples
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "How")]
    pub min_samples: u32,

    /// Don't time the individual ops
    #[arg(long, help_heading = "How")]
    pub no_profile: bool,

    /// Don't check kernels first: marked UNVERIFIED
    #[arg(long, help_heading = "How")]
    pub no_verify: bool,

    /// Don't fuse elementwise ops into their neighbours, as the paper's op-type profile requires
    #[arg(long, help_heading = "How")]
    pub no_fuse: bool,

    /// Run this variant of an op, as in `matmul/register`
    ///
    /// May be repeated; with constants it is one of them, as in `matmul/register[TM=4,TN=4]`. `fathom bench --workload`
    /// lists those there are. A step that cannot run it is an error.
    #[arg(long, value_name = "LABEL", help_heading = "How")]
    pub variant: Vec<String>,

    /// Tune kernels that are new to this device: off, quick, full
    ///
    /// quick, the default, adds at most 10 seconds a workload, once: what it finds is kept. off uses no tuning.
    #[arg(
        long,
        value_name = "EFFORT",
        hide_possible_values = true,
        help_heading = "How",
        env = "FATHOM_TUNE"
    )]
    pub tune: Option<Effort>,

    /// Seed of parameters, data and every random draw
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "How", env = "FATHOM_SEED")]
    pub seed: u64,

    /// Run this often, each time with a record of its own
    ///
    /// Files of --save are numbered.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "How")]
    pub repeat: u32,

    /// Keep the record under this name too
    ///
    /// For `fathom compare NAME`; an earlier one of that name is replaced.
    #[arg(long, value_name = "NAME", value_parser = store::baseline_name, help_heading = "Output")]
    pub save_baseline: Option<String>,

    /// Print what would run, its memory and time; run nothing
    ///
    /// Every option and the data are checked as for a run. Works without a device.
    #[arg(long, help_heading = "How")]
    pub dry_run: bool,

    /// Also print where the time went, op by op
    ///
    /// Of a run, by op type.
    #[arg(long, help_heading = "Output")]
    pub ops: bool,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// A remark of this beginning stands in a record until all that was to be run has been.
const CUT_SHORT: &str = "cut short: ";

/// Time for the ceilings, at each end of a run.
const CEILINGS: Duration = Duration::from_secs(1);

/// Measures what is chosen, or shows what that would be.
///
/// # Errors
/// Each with its exit code; what was measured before is printed and saved.
pub fn execute(args: &RunArgs) -> Result<()> {
    if args.dry_run {
        return dry::execute(args);
    }
    let (record, outcome) = measured(args, true)?;
    if record.runs.is_empty() {
        return outcome;
    }
    interrupt::speak(|| close(args, &record))?;
    outcome
}

/// Measures and keeps the record, for commands that print something else of it; with how the run
/// ended, since what was measured before an error counts.
///
/// # Errors
/// Where nothing was measured: each with its exit code.
pub(super) fn record(args: &RunArgs) -> Result<(Record, Result<()>)> {
    let (record, outcome) = measured(args, false)?;
    if record.runs.is_empty() {
        outcome?;
        return Ok((record, Ok(())));
    }
    interrupt::speak(|| keep(args, &record))?;
    Ok((record, outcome))
}

/// Prints what follows the rows, keeps the record, and ends with the score.
fn close(args: &RunArgs, record: &Record) -> Result<()> {
    let format = args.out.output;
    output::data(&headline::closing(record, format, args.ops)?)?;
    // The rows stand by now: figures on the screen survive a full disk.
    let kept = keep(args, record);
    if matches!(format, Format::Table | Format::Md) {
        output::data(&format!("\n{}\n", score::line(record)))?;
    }
    kept
}

fn keep(args: &RunArgs, record: &Record) -> Result<()> {
    records::keep(&args.out, record, args.save_baseline.as_deref())
}

fn measured(args: &RunArgs, show: bool) -> Result<(Record, Result<()>)> {
    let mut selection = choose::prepare(args)?;
    let mut samples = choose::open(args, &selection.chosen)?;
    let estimates = selection.estimates(&Rates::guess(&selection.gpu.caps));
    let count = match estimates.len() {
        1 => "1 run".into(),
        n => format!("{n} runs"),
    };
    let whole = Pace::new(estimates).total() + peak::ABOUT.as_secs_f64();
    output::note(&args.out, &format!("{count}, up to about {}", number::span(whole)));
    let progress = Progress::new(&args.out, "measuring the device's ceilings");
    let mut ceilings = peak::measure(&selection.gpu, CEILINGS, &|share| progress.set(share))?;
    selection.plan.rule = Some(Arc::new(ceilings.rule(&selection.gpu)?));
    drop(progress);
    let tuning = tune(args, &mut selection, &mut samples)?;
    let config = config(args, selection.preset);
    let mut record = provenance::record(&selection.gpu, config, ceilings.peaks.clone());
    record.tuning = Some(tuning);
    if show {
        output::data(&headline::opening(&record, args.out.output)?)?;
    }
    let outcome = measure_all(args, &selection, &mut samples, show, &mut record);
    samples.close();
    let outcome = outcome.and_then(|()| {
        let _progress = Progress::new(&args.out, "measuring the ceilings once more");
        ceilings.again(&selection.gpu, CEILINGS)?;
        record.peaks = ceilings.peaks;
        record.runs.iter().for_each(|run| peak::raise(&mut record.peaks, run));
        Ok(())
    });
    Ok((record, outcome))
}

/// Tunes what is new to the device, and says how kernels are chosen.
fn tune(args: &RunArgs, selection: &mut Selection, samples: &mut Opened<'_>) -> Result<Tuning> {
    let effort = args.tune.unwrap_or(Effort::Quick);
    if effort == Effort::Off {
        let (speeds, forced) = (selection.gpu.caps.speeds, args.variant.clone());
        return Ok(Tuning { effort, table: None, changed: 0, speeds, forced });
    }
    let mut tables = Tables::open(args, selection, effort)?;
    tables.tune(args, selection, samples)?;
    tables.summary().iter().for_each(|text| output::note(&args.out, text));
    Ok(tables.record(&args.variant))
}

/// Every option as the record has it.
fn config(args: &RunArgs, preset: Preset) -> Config {
    Config {
        preset,
        precision: Precision::F32,
        fuse: !args.no_fuse,
        checks: args.device.checks,
        restriction: args.device.restriction.restriction(),
        seed: args.seed,
        data: args.data.data.as_ref().map(ToString::to_string),
        time_s: args.time,
        max_noise: args.max_noise / 100.0,
        min_samples: args.min_samples as usize,
    }
}

fn measure_all(
    args: &RunArgs,
    selection: &Selection,
    samples: &mut Opened<'_>,
    show: bool,
    record: &mut Record,
) -> Result<()> {
    let Selection { gpu, chosen, plan, .. } = selection;
    let pace = Pace::new(selection.estimates(&Rates::measured(&gpu.caps, &record.peaks)));
    let begun = Instant::now();
    let mut failures = Vec::new();
    for (i, (model, mode)) in chosen.iter().enumerate() {
        let key = cell::key(model.as_ref(), *mode);
        let progress = Progress::new(&args.out, &key.to_string());
        let watch = |part: &str, share: f64| {
            let what = format!("{} {mode} {}: {part}", key.workload, key.batch);
            let percent = number::percent_whole(share);
            progress.say(&format!("[{}/{}] {what}{percent}", i + 1, chosen.len()));
            let (done, left) = pace.at(i, part, share, begun.elapsed().as_secs_f64());
            progress.set(done);
            progress.left(left);
        };
        let data = samples.of(model.as_ref())?;
        let outcome = cell::measure(gpu, model.as_ref(), *mode, plan, data, &watch);
        let step = TooLarge::new(gpu, *mode, &plan.options, model.batch());
        let outcome = step.advise(outcome, &|batch| selection.model(args, model.info(), batch));
        drop(progress);
        let run = outcome.map_err(|error| error.during(&key))?;
        failures.extend(run.verified.wrong().map(|worst| format!("{key}: {worst}")));
        record.runs.push(run);
        mark(record, chosen.len());
        if show {
            output::data(&headline::row(record, args.out.output)?)?;
        }
        // Written after each run, so that nothing measured is lost; the final write, in `keep`, reports failure.
        if let Err(error) = records::write(&args.out, record) {
            output::note(&args.out, &format!("warning: {error}"));
        }
        leave(args, show, record);
        going_on()?;
    }
    verify::all_agree(gpu, &failures)
}

/// Says in the record whether all that was to be run has been: it may be the last that is heard of it.
fn mark(record: &mut Record, planned: usize) {
    record.notes.retain(|note| !note.starts_with(CUT_SHORT));
    let done = record.runs.len();
    if done < planned {
        record.notes.push(format!("{CUT_SHORT}{done} of {planned} runs were measured"));
    }
}

/// What is printed and kept should the next run not come to its end.
fn leave(args: &RunArgs, show: bool, record: &Record) {
    let (args, record) = (args.clone(), record.clone());
    interrupt::leave(move || {
        let kept = if show { close(&args, &record) } else { keep(&args, &record) };
        if let Err(error) = kept {
            output::note(&args.out, &format!("warning: {error}"));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    #[test]
    fn a_record_says_that_it_was_cut_short_until_all_is_measured() {
        let text = include_str!("../../tests/cli/record.json");
        let mut record: Record = serde_json::from_str(text).unwrap();
        record.notes = vec!["by hand".into()];
        let done = record.runs.len();
        mark(&mut record, done + 2);
        mark(&mut record, done + 2);
        let cut = format!("cut short: {done} of {} runs were measured", done + 2);
        assert_eq!(record.notes, ["by hand".to_string(), cut]);
        mark(&mut record, done);
        assert_eq!(record.notes, ["by hand"]);
    }
}
