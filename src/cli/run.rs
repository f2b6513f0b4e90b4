//! `fathom run`: verify, time, profile, print, save.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::listing;
use crate::measure::cell::{self, Plan};
use crate::measure::largest_batch::TooLarge;
use crate::measure::sample::{Budget, interrupted};
use crate::measure::{peak, provenance};
use crate::pass::Options;
use crate::record::{Config, Precision, Record, Run, RunKey, store};
use crate::report::section::headline;
use crate::session::schedule;
use crate::terms::{Mode, Preset};
use crate::workload::{self, Workload};

use super::range::{self, Range};
use super::{DataArgs, DeviceArgs, OutputArgs, output};

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
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds, help_heading = "How")]
    pub time: f64,

    /// Precision to reach: half-width of the median's 95 % interval, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = percent, help_heading = "How")]
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
    entry: &workload::WorkloadInfo,
    preset: Preset,
    batch: Option<usize>,
) -> Result<Box<dyn Workload>> {
    let has_buckets = (entry.configure)(preset, batch).config().contains_key("bucket");
    let bucket = args.bucket.filter(|_| has_buckets);
    let model = super::configure(entry, preset, batch, &super::with_bucket(&args.set, bucket))?;
    if !model.buckets().is_empty() {
        return Err(Error::Usage(
            "each bucket is a program of its own, and run measures one: choose --bucket 0, 1, 2 or 3 (train takes mixed)"
                .into(),
        ));
    }
    Ok(model)
}

fn number_in(text: &str, low: f64, high: f64, unit: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= low && value <= high => Ok(value),
        _ => Err(format!("expected a number of {unit} from {low} to {high}")),
    }
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    number_in(text, 0.001, 86_400.0, "seconds")
}

fn percent(text: &str) -> std::result::Result<f64, String> {
    number_in(text, 0.001, 100.0, "percent")
}

/// One workload, mode and batch.
struct Cell {
    entry: &'static workload::WorkloadInfo,
    mode: Mode,
    model: Box<dyn Workload>,
}

impl Cell {
    fn key(&self) -> RunKey {
        let workload = self.entry.name.into();
        RunKey { workload, mode: self.mode, batch: self.model.batch() }
    }
}

fn cells(args: &RunArgs, preset: Preset) -> Result<Vec<Cell>> {
    let modes = if args.mode.is_empty() { Mode::ALL.to_vec() } else { args.mode.clone() };
    let batches = range::values(&args.batch);
    let batches: Vec<Option<usize>> =
        if batches.is_empty() { vec![None] } else { batches.into_iter().map(Some).collect() };
    let mut cells = Vec::new();
    for entry in super::workloads(&args.workload)? {
        for &batch in &batches {
            for &mode in &modes {
                let model = configure(args, entry, preset, batch)?;
                cells.push(Cell { entry, mode, model });
            }
        }
    }
    Ok(cells)
}

fn options(args: &RunArgs) -> Options {
    Options { fuse: !args.no_fuse, ..Options::default() }
}

/// Runs all cells.
///
/// # Errors
/// Each with its exit code; what was measured before is printed and saved.
pub fn execute(args: &RunArgs) -> Result<()> {
    if args.dry_run {
        let (gpu, preset, cells) = prepare(args)?;
        return dry_run(args, &gpu, preset, &cells);
    }
    let (record, outcome) = measured(args)?;
    if record.runs.is_empty() {
        return outcome;
    }
    output::data(&headline::render(&record, args.out.output)?)?;
    // Printed first: figures on the screen survive a full disk.
    keep(args, &record)?;
    outcome
}

/// Runs all cells and keeps the record, for commands that print something else of it; with how the run
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
    keep(args, &record)?;
    Ok((record, outcome))
}

fn keep(args: &RunArgs, record: &Record) -> Result<()> {
    if let Some(path) = write(args, record)? {
        output::note(&args.out, &format!("record  {}", path.display()));
    }
    Ok(())
}

/// Writes the record to every place it is kept, and returns the place to show. Places asked for must
/// work; the user's own folder may fail, with a warning.
fn write(args: &RunArgs, record: &Record) -> Result<Option<PathBuf>> {
    output::save(&args.out, |form| headline::render(record, form))?;
    let asked = args.out.save.first().map(|target| target.path.clone());
    let kept = store::folder().map(|folder| store::keep(record, &folder));
    let kept = kept.transpose().unwrap_or_else(|error| {
        output::note(&args.out, &format!("warning: {error}: the record is not kept there"));
        None
    });
    Ok(asked.or(kept))
}

fn measured(args: &RunArgs) -> Result<(Record, Result<()>)> {
    let (gpu, preset, cells) = prepare(args)?;
    let progress = output::Progress::new(&args.out, "measuring the device's ceilings");
    let peaks = peak::measure(&gpu, Duration::from_secs(1), &|share| progress.set(share))?.peaks;
    drop(progress);
    let mut record = provenance::record(&gpu, config(args, preset), peaks);
    let outcome = run_cells(args, &gpu, preset, &cells, &mut record);
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
        data: args.data.data.as_ref().map(|path| path.display().to_string()),
        time_s: args.time,
        max_noise: args.max_noise / 100.0,
        min_samples: args.min_samples as usize,
    }
}

/// The device, the preset it gets, and what is to be run.
fn prepare(args: &RunArgs) -> Result<(Gpu, Preset, Vec<Cell>)> {
    // Names are checked before a device is opened: a typo should show without a GPU.
    super::workloads(&args.workload)?;
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
    }
    let cells = cells(args, preset)?;
    Ok((gpu, preset, cells))
}

fn run_cells(
    args: &RunArgs,
    gpu: &Gpu,
    preset: Preset,
    cells: &[Cell],
    record: &mut Record,
) -> Result<()> {
    let mut failures = Vec::new();
    for (i, cell) in cells.iter().enumerate() {
        let key = cell.key();
        let progress = output::Progress::new(&args.out, &key.to_string());
        let show = |part: &str, share: f64| {
            progress.say(&format!("[{}/{}] {key}: {part}", i + 1, cells.len()));
            progress.set(share);
        };
        let run = measure(args, gpu, preset, cell, &show)?;
        drop(progress);
        failures.extend(run.verified.wrong().map(|worst| format!("{key}: {worst}")));
        record.runs.push(run);
        // Written after each run, so that nothing measured is lost; the final write, in `keep`, reports failure.
        if let Err(error) = write(args, record) {
            output::note(&args.out, &format!("warning: {error}"));
        }
        if interrupted() {
            return Err(Error::Interrupted);
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::Verification(format!(
        "these kernels disagree with their references on {}, so their runs were not timed:\n  {}\ntry a newer \
         driver; if that does not help, please report this",
        gpu.summary,
        failures.join("\n  ")
    )))
}

fn measure(
    args: &RunArgs,
    gpu: &Gpu,
    preset: Preset,
    cell: &Cell,
    show: &dyn Fn(&str, f64),
) -> Result<Run> {
    let plan = Plan {
        workload: cell.entry.name,
        preset,
        mode: cell.mode,
        options: options(args),
        verify: !args.no_verify,
        profile: !args.no_profile,
        budget: Budget {
            time: Duration::from_secs_f64(args.time),
            noise: args.max_noise / 100.0,
            min_samples: args.min_samples as usize,
        },
        source: args.data.source(args.seed),
    };
    let outcome = cell::measure(gpu, cell.model.as_ref(), &plan, show);
    let step = TooLarge { gpu, mode: cell.mode, options: &plan.options, batch: cell.model.batch() };
    step.advise(outcome, &|batch| configure(args, cell.entry, preset, Some(batch))).map_err(
        |error| match error {
            // A device failure names the run it happened in.
            error @ (Error::Gpu(_) | Error::OutOfMemory(_)) => {
                Error::Gpu(format!("{}: {error}", cell.key()))
            }
            other => other,
        },
    )
}

fn dry_run(args: &RunArgs, gpu: &Gpu, preset: Preset, cells: &[Cell]) -> Result<()> {
    let mut schedules = Vec::new();
    for cell in cells {
        let schedule = schedule(cell.model.as_ref(), cell.mode, &gpu.caps, &options(args))?;
        schedules.push((cell.entry.name, cell.mode, cell.model.batch(), schedule));
    }
    let table = listing::model::plan(&schedules, preset, args.time);
    output::note(&args.out, &format!("{}: dry run, nothing is measured", gpu.summary));
    output::emit(&args.out, |form| table.render(form))
}
