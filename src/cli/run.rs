//! `fathom run`: verify, time, profile, print, save.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::error::Result;
use crate::gpu::shader;
use crate::measure::estimate::{Pace, Rates};
use crate::measure::{QUEUE_DEPTH, peak, provenance};
use crate::record::{Config, Record, ShaderSource, Tuning, store};
use crate::report::section::headline;
use crate::report::{Format, number};
use crate::terms::{Effort, Mode, OnFailure, Preset};

use super::data::Opened;
use super::progress::Progress;
use super::range::Range;
use super::{DataArgs, DeviceArgs, OutputArgs, PrecisionArgs, interrupt, output, records, score};

pub(super) mod choose;
mod dry;
mod runs;
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

    /// Maximum seconds to sample each run for
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
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = super::args::whole::<u32>(1, 1_000_000), help_heading = "How")]
    pub min_samples: u32,

    /// Steps in flight when their throughput is taken
    ///
    /// Each has samples of its own, uploaded and encoded while the device works on the steps before. 1 waits for each before
    /// the next is submitted. The time of a single step is reported beside it. The headline is neither: its samples are on the
    /// device beforehand.
    #[arg(long, value_name = "N", default_value_t = QUEUE_DEPTH as u32, value_parser = super::args::whole::<u32>(1, 64), help_heading = "How")]
    pub queue_depth: u32,

    /// How values are stored.
    #[command(flatten)]
    pub precision: PrecisionArgs,

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

    /// When the device fails during a run: go-on, retry, stop
    ///
    /// go-on, the default, marks the run and measures the others, on the device opened anew if it was lost. retry
    /// tries the run once more, from the seed. What was measured is kept in any case; the exit code is 6.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "go-on",
        hide_possible_values = true,
        help_heading = "How"
    )]
    pub on_failure: OnFailure,

    /// Seed of parameters, data and every random draw
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = super::args::seed, help_heading = "How", env = "FATHOM_SEED")]
    pub seed: u64,

    /// Run this often, each time with a record of its own
    ///
    /// Files of --save are numbered.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = super::args::whole::<u32>(1, 1000), help_heading = "How")]
    pub repeat: u32,

    /// Whether it is a repetition, whose rows follow those of the runs before.
    #[arg(skip)]
    pub goes_on: bool,

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
    let is_last = records::is_last(record);
    output::data(&headline::closing(record, format, args.ops, is_last)?)?;
    // The rows stand by now: figures on the screen survive a full disk.
    let kept = keep(args, record);
    if matches!(format, Format::Table | Format::Md) {
        output::data(&format!("\n{}\n", score::line(record, is_last)))?;
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
    let tuning = tuning::expected(args, &selection.gpu, &selection.chosen, selection.schedules());
    let whole = Pace::new(estimates).total() + (peak::ABOUT + tuning).as_secs_f64();
    output::note(&args.out, &format!("{count}, up to about {}", number::span(whole)));
    let progress = Progress::new(&args.out, "measuring the device's ceilings");
    let mut ceilings = peak::measure(&selection.gpu, CEILINGS, &|share| progress.set(share))?;
    selection.plan.rule = Some(Arc::new(ceilings.rule(&selection.gpu)?));
    selection.gpu.set_pace(ceilings.pace());
    drop(progress);
    let tuning = tune(args, &mut selection, &mut samples)?;
    let config = config(args, selection.plan.preset);
    let mut record = provenance::record(&selection.gpu, config, ceilings.peaks.clone());
    record.tuning = Some(tuning);
    // The rows of a run that is repeated go on under the first one's headings.
    if show && !(args.goes_on && args.out.output == Format::Csv) {
        output::data(&headline::opening(&record, args.out.output)?)?;
    }
    let outcome = runs::measure(args, &mut selection, &mut samples, &ceilings, show, &mut record);
    samples.close();
    let outcome = outcome.and_then(|failed| {
        let _progress = Progress::new(&args.out, "measuring the ceilings once more");
        ceilings.again(&selection.gpu, CEILINGS)?;
        record.peaks = ceilings.peaks;
        record.runs.iter().for_each(|run| peak::raise(&mut record.peaks, run));
        runs::all_ran(&failed, selection.chosen.len())
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
        precision: args.precision.precision,
        fuse: !args.no_fuse,
        checks: args.device.checks,
        restriction: args.device.restriction.restriction(),
        shaders: if shader::is_replaced() { ShaderSource::Folder } else { ShaderSource::BuiltIn },
        seed: args.seed,
        data: args.data.data.as_ref().map(ToString::to_string),
        time_s: args.time,
        max_noise: args.max_noise / 100.0,
        min_samples: args.min_samples as usize,
    }
}
