//! `fathom run`: verify, time, profile, print, save.

use std::sync::Arc;

use clap::Args;

use crate::error::Result;
use crate::listing::model::about;
use crate::measure::estimate::Rates;
use crate::measure::suite::Suite;
use crate::measure::tune::suite::{SuiteTuner, Watch, expected, planned};
use crate::measure::{QUEUE_DEPTH, peak, provenance};
use crate::record::{Record, Tuning, store};
use crate::report::Format;
use crate::report::section::{headline, score};
use crate::terms::{Effort, Mode, OnFailure, Preset, counted};
use crate::workload::Opened;

use super::args::{bucket, percent, seconds, seed, setting, whole};
use super::progress::Progress;
use super::range::Range;
use super::{DataArgs, DeviceArgs, OutputArgs, PrecisionArgs, interrupt, output, records};

pub(super) mod choose;
mod dry;
mod runs;

/// Options of `run`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What")]
pub struct RunArgs {
    /// Workloads; `fathom list workloads` [default: all]
    #[arg(short, long, value_name = "NAME,..", value_delimiter = ',', env = "FATHOM_WORKLOAD")]
    pub workload: Vec<String>,

    /// Modes: train, infer [default: both]
    #[arg(short, long, value_name = "MODE,..", value_delimiter = ',', hide_possible_values = true)]
    pub mode: Vec<Mode>,

    /// Samples per batch: `8`, `1,8`, `1..64*2`
    ///
    /// [default: the preset's]
    #[arg(short, long, value_name = "N,..|A..B*2", value_delimiter = ',')]
    pub batch: Vec<Range>,

    /// Model size: full, tiny
    ///
    /// [default: full; tiny on a software adapter]
    #[arg(long, value_name = "NAME", hide_possible_values = true, env = "FATHOM_PRESET")]
    pub preset: Option<Preset>,

    /// Override a size of the model, as in `classes=3`
    ///
    /// May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, usize)>,

    /// Sentence lengths of seq2seq: 0, 1, 2 or 3
    ///
    /// [default: the preset's]
    #[arg(long, value_name = "N", value_parser = bucket)]
    pub bucket: Option<usize>,

    #[command(flatten)]
    pub(super) data: DataArgs,

    #[command(flatten)]
    pub(super) device: DeviceArgs,

    /// Maximum seconds to sample each run for
    ///
    /// It stops earlier once --max-noise is reached.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds, help_heading = "How")]
    pub time: f64,

    /// Precision to reach
    ///
    /// Half-width of the 95 % interval of the median, as a share of it.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = percent, help_heading = "How")]
    pub max_noise: f64,

    /// Minimum number of samples
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = whole::<usize>(1, 1_000_000), help_heading = "How")]
    pub min_samples: usize,

    /// Steps in flight while the overlapped throughput is measured
    ///
    /// Each step has its own samples, uploaded and encoded while the device works on earlier steps; with 1, each step is
    /// waited for before the next is submitted. The latency of a single step is reported as well. The headline is neither:
    /// its samples are on the device beforehand.
    #[arg(long, value_name = "N", default_value_t = QUEUE_DEPTH, value_parser = whole::<usize>(1, 64), help_heading = "How")]
    pub queue_depth: usize,

    #[command(flatten)]
    precision: PrecisionArgs,

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
    /// May be repeated. With constants, as in `matmul/register[TM=4,TN=4]`, it names exactly one; `fathom bench --workload`
    /// lists them all. It is an error if no step can run it.
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
    /// go-on, the default, marks the run and measures the others, reopening the device if it was lost. retry tries the
    /// run once more, from the seed. What was measured is kept in any case; the exit code is 6.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "go-on",
        hide_possible_values = true,
        help_heading = "How"
    )]
    pub on_failure: OnFailure,

    /// Seed of the parameters, the data and every random draw
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed, help_heading = "How", env = "FATHOM_SEED")]
    pub seed: u64,

    /// Run this many times, each with its own record
    ///
    /// The files that --save names are numbered.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u32>(1, 1000), help_heading = "How")]
    pub repeat: u32,

    /// Whether it is a repetition, whose rows follow those of the runs before.
    #[arg(skip)]
    pub goes_on: bool,

    /// Keep the record under this name too
    ///
    /// For `fathom compare NAME`; an earlier record of that name is replaced.
    #[arg(long, value_name = "NAME", value_parser = store::baseline_name, help_heading = "Output")]
    pub save_baseline: Option<String>,

    /// Print what would run, its memory and time; run nothing
    ///
    /// Every option and the data are checked as for a run. No device is needed.
    #[arg(long, help_heading = "How")]
    pub dry_run: bool,

    /// Also print where the time went, op by op
    ///
    /// Of a run, by op type.
    #[arg(long, help_heading = "Output")]
    pub ops: bool,

    #[command(flatten)]
    pub(super) out: OutputArgs,
}

impl RunArgs {
    fn effort(&self) -> Effort {
        self.tune.unwrap_or(Effort::Quick)
    }
}

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
    // Figures on the screen survive a full disk, and what is kept survives a screen that cannot be written.
    let printed = output::data(&headline::closing(record, format, args.ops, is_last)?);
    let kept = keep(args, record);
    let has_score = printed.is_ok() && matches!(format, Format::Table | Format::Md);
    let scored = if has_score {
        let hint = if is_last { " (`fathom score @last` says why)" } else { "" };
        output::data(&format!("\n{}\n", score::line(record, hint)))
    } else {
        Ok(())
    };
    output::together([printed, kept, scored])
}

fn keep(args: &RunArgs, record: &Record) -> Result<()> {
    records::keep(&args.out, record, args.save_baseline.as_deref())
}

fn measured(args: &RunArgs, show: bool) -> Result<(Record, Result<()>)> {
    let mut suite = choose::prepare(args)?;
    let mut samples = choose::open(args, &suite.chosen)?;
    let estimates = suite.estimates(&Rates::guess(&suite.gpu.caps));
    let effort = args.effort();
    let tuning = expected(effort, &planned(effort, &suite.gpu, &suite.chosen, &suite.plan)?);
    let count = counted(estimates.len(), "run");
    output::note(&args.out, &format!("{count}, up to about {}", about(&estimates, 1, tuning)));
    let progress = Progress::new(&args.out, "measuring the device's ceilings");
    let gpu = &suite.gpu;
    let mut ceilings = peak::measure(gpu, peak::time(gpu), &|share| progress.set(share))?;
    suite.plan.rule = Some(Arc::new(ceilings.rule(&suite.gpu)?));
    suite.gpu.set_pace(ceilings.pace());
    drop(progress);
    let tuning = tune(args, &mut suite, &mut samples)?;
    let data = args.data.data.as_ref().map(ToString::to_string);
    let mut record = provenance::record(&suite.gpu, &suite.plan, data, ceilings.peaks.clone());
    record.tuning = Some(tuning);
    // The rows of a run that is repeated go on under the first one's headings.
    if show && !(args.goes_on && args.out.output == Format::Csv) {
        output::data(&headline::opening(&record, args.out.output)?)?;
    }
    let outcome = runs::measure(args, &mut suite, &mut samples, &ceilings, show, &mut record);
    samples.close();
    let outcome = outcome.and_then(|failed| {
        let _progress = Progress::new(&args.out, "measuring the ceilings once more");
        ceilings.end(&suite.gpu, &mut record)?;
        runs::all_ran(&failed, suite.chosen.len())
    });
    Ok((record, outcome))
}

/// Tunes what is new to the device, and says how kernels are chosen.
fn tune(args: &RunArgs, suite: &mut Suite, samples: &mut Opened<'_>) -> Result<Tuning> {
    let effort = args.effort();
    if effort == Effort::Off {
        return Ok(Tuning::none(suite.gpu.caps.speeds, args.variant.clone()));
    }
    watched(args, |watch| {
        let mut tuner = SuiteTuner::open(suite, effort, watch)?;
        tuner.tune(suite, samples)?;
        Ok((tuner.summary(), tuner.record(&args.variant)))
    })
    .map(|(summary, tuning)| {
        summary.iter().for_each(|text| output::note(&args.out, text));
        tuning
    })
}

/// Tunes with notes and progress on the terminal.
pub(super) fn watched<T>(args: &RunArgs, tune: impl FnOnce(Watch<'_>) -> T) -> T {
    let bar = Progress::new(&args.out, "tuning");
    let note = |text: &str| output::note(&args.out, text);
    let progress = |part: &str, share| bar.show(part, share);
    tune(Watch { note: &note, warn: &output::warn, progress: &progress })
}
