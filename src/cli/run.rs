//! `fathom run`: verify, time, profile, print, save.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::error::{Error, Result};
use crate::gpu::{Gpu, adapter};
use crate::listing;
use crate::measure::largest_batch::TooLarge;
use crate::measure::run::{self, Plan};
use crate::measure::sample::{Budget, interrupted};
use crate::measure::{peak, provenance, verify};
use crate::pass::Options;
use crate::record::{Config, Precision, Record, store};
use crate::report::section::headline;
use crate::session::schedule;
use crate::terms::{Mode, Preset};
use crate::workload::{Workload, WorkloadInfo};

use super::data::Opened;
use super::range::{self, Range};
use super::{DataArgs, DeviceArgs, OutputArgs, output, records};

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Workloads, separated by commas; see `fathom list workloads` [default: all]
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

    /// Samples per batch: lists and ranges, as in `1,8` or `1..64*2` [default: the preset's]
    #[arg(short, long, value_name = "N,..|A..B*2", value_delimiter = ',', help_heading = "What")]
    pub batch: Vec<Range>,

    /// Model size: full or tiny [default: full; tiny on a software adapter]
    #[arg(
        long,
        value_name = "NAME",
        hide_possible_values = true,
        help_heading = "What",
        env = "FATHOM_PRESET"
    )]
    pub preset: Option<Preset>,

    /// Override a size of the model, as in `classes=3`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::setting, help_heading = "What")]
    pub set: Vec<(String, usize)>,

    /// Sentence-length bucket of seq2seq: 0, 1, 2 or 3 [default: the preset's]
    #[arg(long, value_name = "N", value_parser = super::bucket, help_heading = "What")]
    pub bucket: Option<usize>,

    /// Where samples come from.
    #[command(flatten)]
    pub data: DataArgs,

    /// Which device.
    #[command(flatten)]
    pub device: DeviceArgs,

    /// Maximum seconds to sample each run for; it stops earlier once --max-noise is reached
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = super::seconds, help_heading = "How")]
    pub time: f64,

    /// Precision to reach: half-width of the median's 95 % interval, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = super::percent, help_heading = "How")]
    pub max_noise: f64,

    /// Minimum number of samples
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "How")]
    pub min_samples: u32,

    /// Don't time the individual ops
    #[arg(long, help_heading = "How")]
    pub no_profile: bool,

    /// Don't check kernels against their references first; results are marked UNVERIFIED
    #[arg(long, help_heading = "How")]
    pub no_verify: bool,

    /// Don't fuse elementwise ops into their neighbours, as the paper's op-type profile requires
    #[arg(long, help_heading = "How")]
    pub no_fuse: bool,

    /// Seed of parameters, data and every random draw
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "How", env = "FATHOM_SEED")]
    pub seed: u64,

    /// Run this often, each time with a record of its own; --save files are numbered
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "How")]
    pub repeat: u32,

    /// Keep the record under this name too, for `fathom compare NAME`; an earlier one of that name is replaced
    #[arg(long, value_name = "NAME", value_parser = store::baseline_name, help_heading = "Output")]
    pub save_baseline: Option<String>,

    /// Print what would run, with its work and memory, and run nothing
    #[arg(long, help_heading = "How")]
    pub dry_run: bool,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// A model with what was set; a bucket only where it has some.
fn configure(
    args: &RunArgs,
    workload: &WorkloadInfo,
    preset: Preset,
    batch: Option<usize>,
) -> Result<Box<dyn Workload>> {
    let bucket = args.bucket.filter(|_| workload.buckets > 0);
    let model = super::configure(workload, preset, batch, &super::with_bucket(&args.set, bucket))?;
    if !model.buckets().is_empty() {
        return Err(Error::Usage(
            "each bucket is a program of its own, and run measures one: choose --bucket 0, 1, 2 or 3 (train takes mixed)"
                .into(),
        ));
    }
    Ok(model)
}

/// Time for the ceilings, at each end of a run.
const CEILINGS: Duration = Duration::from_secs(1);

/// A model and the mode in which it is run.
type Chosen = (Box<dyn Workload>, Mode);

/// The models that are run, each with its mode.
fn choose(args: &RunArgs, preset: Preset) -> Result<Vec<Chosen>> {
    let modes = if args.mode.is_empty() { Mode::ALL.to_vec() } else { args.mode.clone() };
    let batches = range::values(&args.batch);
    let batches: Vec<Option<usize>> =
        if batches.is_empty() { vec![None] } else { batches.into_iter().map(Some).collect() };
    let mut chosen = Vec::new();
    for workload in super::workloads(&args.workload)? {
        for &batch in &batches {
            for &mode in &modes {
                chosen.push((configure(args, workload, preset, batch)?, mode));
            }
        }
    }
    Ok(chosen)
}

/// How each of them is measured.
fn plan(args: &RunArgs, preset: Preset) -> Plan {
    Plan {
        preset,
        options: Options { fuse: !args.no_fuse, ..Options::default() },
        verify: !args.no_verify,
        profile: !args.no_profile,
        budget: Budget {
            time: Duration::from_secs_f64(args.time),
            noise: args.max_noise / 100.0,
            min_samples: args.min_samples as usize,
        },
        seed: args.seed,
        rule: None,
    }
}

/// Measures what is chosen, or shows what that would be.
///
/// # Errors
/// Each with its exit code; what was measured before is printed and saved.
pub fn execute(args: &RunArgs) -> Result<()> {
    if args.dry_run {
        let (gpu, preset, chosen) = prepare(args)?;
        return dry_run(args, &gpu, preset, &chosen);
    }
    let (record, outcome) = measured(args)?;
    if record.runs.is_empty() {
        return outcome;
    }
    output::data(&headline::render(&record, args.out.output)?)?;
    // Printed first: figures on the screen survive a full disk.
    records::keep(&args.out, &record, args.save_baseline.as_deref())?;
    outcome
}

/// Measures and keeps the record, for commands that print something else of it; with how the run
/// ended, since what was measured before an error counts.
///
/// # Errors
/// Where nothing was measured: each with its exit code.
pub(super) fn record(args: &RunArgs) -> Result<(Record, Result<()>)> {
    let (record, outcome) = measured(args)?;
    if record.runs.is_empty() {
        outcome?;
        return Ok((record, Ok(())));
    }
    records::keep(&args.out, &record, args.save_baseline.as_deref())?;
    Ok((record, outcome))
}

fn measured(args: &RunArgs) -> Result<(Record, Result<()>)> {
    let (gpu, preset, chosen) = prepare(args)?;
    let models = chosen.iter().map(|(model, _)| model.as_ref());
    let mut samples = Opened::new(&args.data, &args.out, args.seed, models)?;
    let progress = output::Progress::new(&args.out, "measuring the device's ceilings");
    let mut ceilings = peak::measure(&gpu, CEILINGS, &|share| progress.set(share))?;
    let rule = ceilings.rule(&gpu)?;
    drop(progress);
    let mut record = provenance::record(&gpu, config(args, preset), ceilings.peaks.clone());
    let plan = Plan { rule: Some(Arc::new(rule)), ..plan(args, preset) };
    let outcome = measure_all(args, &gpu, &plan, &chosen, &mut samples, &mut record);
    samples.close();
    if outcome.is_ok() {
        ceilings.again(&gpu, CEILINGS)?;
        record.peaks = ceilings.peaks;
        record.runs.iter().for_each(|run| peak::raise(&mut record.peaks, run));
    }
    Ok((record, outcome))
}

/// Every option as the record has it.
fn config(args: &RunArgs, preset: Preset) -> Config {
    Config {
        preset,
        precision: Precision::F32,
        fuse: !args.no_fuse,
        checks: args.device.checks,
        seed: args.seed,
        data: args.data.data.as_ref().map(ToString::to_string),
        time_s: args.time,
        max_noise: args.max_noise / 100.0,
        min_samples: args.min_samples as usize,
    }
}

/// The device, the preset it gets, and what is to be run.
fn prepare(args: &RunArgs) -> Result<(Gpu, Preset, Vec<Chosen>)> {
    // Names are checked before a device is opened: a typo should show without a GPU.
    args.data.check(&super::workloads(&args.workload)?)?;
    let gpu = args.device.open()?;
    let preset = super::preset_or_default(args.preset, Some(&gpu));
    if gpu.caps.software && args.preset.is_none() {
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
    let chosen = choose(args, preset)?;
    Ok((gpu, preset, chosen))
}

fn measure_all(
    args: &RunArgs,
    gpu: &Gpu,
    plan: &Plan,
    chosen: &[Chosen],
    samples: &mut Opened<'_>,
    record: &mut Record,
) -> Result<()> {
    let mut failures = Vec::new();
    for (i, (model, mode)) in chosen.iter().enumerate() {
        let key = run::key(model.as_ref(), *mode);
        let progress = output::Progress::new(&args.out, &key.to_string());
        let show = |part: &str, share: f64| {
            progress.say(&format!("[{}/{}] {key}: {part}", i + 1, chosen.len()));
            progress.set(share);
        };
        let samples = samples.of(model.as_ref())?;
        let outcome = run::measure(gpu, model.as_ref(), *mode, plan, samples, &show);
        let step = TooLarge { gpu, mode: *mode, options: &plan.options, batch: model.batch() };
        let outcome =
            step.advise(outcome, &|batch| configure(args, model.info(), plan.preset, Some(batch)));
        drop(progress);
        let run = outcome.map_err(|error| error.during(&key))?;
        failures.extend(run.verified.wrong().map(|worst| format!("{key}: {worst}")));
        record.runs.push(run);
        // Written after each run, so that nothing measured is lost; the final write, in `keep`, reports failure.
        if let Err(error) = records::write(&args.out, record) {
            output::note(&args.out, &format!("warning: {error}"));
        }
        if interrupted() {
            return Err(Error::Interrupted);
        }
    }
    verify::all_agree(gpu, &failures)
}

fn dry_run(args: &RunArgs, gpu: &Gpu, preset: Preset, chosen: &[Chosen]) -> Result<()> {
    let options = plan(args, preset).options;
    let mut schedules = Vec::new();
    for (model, mode) in chosen {
        let schedule = schedule(model.as_ref(), *mode, &gpu.caps, &options)?;
        schedules.push((run::key(model.as_ref(), *mode), schedule));
    }
    let table = listing::model::plan(&schedules, preset, args.time);
    output::note(&args.out, &format!("{}: dry run, nothing is measured", gpu.summary));
    output::emit(&args.out, |form| table.render(form))
}
