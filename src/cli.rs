//! The command line: what can be asked for, and which file answers.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::error::{Error, Result};
use crate::gpu::{Checks, Gpu, Selector};
use crate::measure::room::Room;
use crate::pass::Options;
use crate::terms::{Mode, Preset};
use crate::workload::{self, DataSource};

pub mod analyze;
pub mod bench;
pub mod compare;
pub mod help;
pub mod list;
pub mod output;
pub mod peak;
pub mod range;
mod records;
pub mod report;
pub mod run;
pub mod score;
pub mod show;
pub mod snapshot;
pub mod table;
pub mod trace;
pub mod train;
pub mod verify;

use range::Range;

/// How fast does this GPU train and run deep learning?
///
/// Without a sub-command fathom verifies every kernel on the device, times training and inference of
/// the chosen workloads by the GPU's own timestamps, profiles each op, prints the result and keeps a
/// record.
#[derive(Debug, Parser)]
#[command(
    name = "fathom",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_long_help = help::EXAMPLES
)]
pub struct Cli {
    /// What to do; `run` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Options of `run`.
    #[command(flatten)]
    pub run: run::RunArgs,
}

/// The sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify, time, profile, print and save (the default)
    Run(run::RunArgs),
    /// What records tell: op types, dominance, stationarity, similarity, training and inference, scaling
    Analyze(analyze::AnalyzeArgs),
    /// What there is: workloads, kernels, devices, presets
    List(list::ListArgs),
    /// A model's summary, program, memory plan, or a kernel's WGSL
    Show(show::ShowArgs),
    /// Every kernel variant against its f64 reference on this device
    Verify(verify::VerifyArgs),
    /// Kernels over shapes: GFLOP/s, GB/s, share of the measured peak
    Bench(bench::BenchArgs),
    /// The devices there are: the same as `list devices`
    Devices(OutputArgs),
    /// The device's ceilings: FMA rate, copy bandwidth, launch, submission and pipeline creation
    #[command(alias = "peaks")]
    Peak(peak::PeakArgs),
    /// Train a workload and watch its loss and metric
    Train(train::TrainArgs),
    /// One step's parameters, inputs, draws, outputs and gradients, to be checked by another framework
    Snapshot(snapshot::SnapshotArgs),
    /// Records against a first one: FASTER, SLOWER, SAME or UNSURE for each workload and mode
    Compare(compare::CompareArgs),
    /// A record's score: eight workloads, both modes, against the reference
    Score(score::ScoreArgs),
    /// Records as one self-contained page, with the analyses drawn
    Report(report::ReportArgs),
    /// One step as a trace for Perfetto or chrome://tracing
    Trace(trace::TraceArgs),
    /// Shell completions
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
    /// Help on a command, or on a topic: measuring, record, exit-codes
    Help {
        /// Command or topic
        topic: Option<String>,
    },
}

/// Which device.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where")]
pub struct DeviceArgs {
    /// Device by index, part of its name, or backend:name as in `vulkan:rtx`; see `fathom list devices`
    #[arg(short, long, value_name = "SEL", env = "FATHOM_DEVICE")]
    pub device: Option<String>,

    /// Only this backend: vulkan, metal, dx12
    #[arg(long, value_name = "NAME", env = "FATHOM_BACKEND")]
    pub backend: Option<String>,

    /// Run shaders with bounds checks and loop bounds, as a browser does
    #[arg(long, value_name = "ON|OFF", default_value = "off", hide_possible_values = true)]
    pub checks: Switch,
}

impl DeviceArgs {
    /// Opens the device.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub fn open(&self) -> Result<Gpu> {
        let selector = Selector { device: self.device.clone(), backend: self.backend.clone() };
        Gpu::open(&selector, self.checks.into())
    }
}

/// on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl From<Switch> for Checks {
    fn from(switch: Switch) -> Self {
        match switch {
            Switch::On => Self::On,
            Switch::Off => Self::Off,
        }
    }
}

/// Which model, at which size.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What")]
pub struct ModelArgs {
    /// Workload; see `fathom list workloads`
    #[arg(short, long, value_name = "NAME", env = "FATHOM_WORKLOAD")]
    pub workload: String,

    /// Model size: full or tiny [default: full; tiny on a software adapter]
    #[arg(long, value_name = "NAME", hide_possible_values = true, env = "FATHOM_PRESET")]
    pub preset: Option<PresetArg>,

    /// Samples in a batch [default: the preset's]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch: Option<u32>,

    /// Seed of parameters, data and every random draw
    #[arg(long, value_name = "N", default_value_t = 1, env = "FATHOM_SEED")]
    pub seed: u64,

    /// Another number for a model parameter, as `hidden=128`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, usize)>,

    /// Length of seq2seq's sentences: 0, 1, 2, 3, or mixed [default: the preset's]
    #[arg(long, value_name = "N|mixed", value_parser = bucket)]
    pub bucket: Option<usize>,
}

/// A bucket's number; `mixed` is the one behind the last.
fn bucket(text: &str) -> std::result::Result<usize, String> {
    let all = crate::data::translation::BUCKETS.len();
    match text.parse::<usize>() {
        _ if text == "mixed" => Ok(all),
        Ok(bucket) if bucket < all => Ok(bucket),
        _ => Err(format!("a bucket from 0 to {} or mixed is expected", all - 1)),
    }
}

/// Settings with that of a bucket.
fn with_bucket(set: &[(String, usize)], bucket: Option<usize>) -> Vec<(String, usize)> {
    let bucket = bucket.map(|bucket| ("bucket".to_string(), bucket));
    set.iter().cloned().chain(bucket).collect()
}

fn setting(text: &str) -> std::result::Result<(String, usize), String> {
    let parsed = text.split_once('=').and_then(|(key, value)| Some((key, value.parse().ok()?)));
    match parsed {
        Some((key, value)) if (1..=1 << 20).contains(&value) => Ok((key.to_string(), value)),
        _ => Err("a name and a number from 1 to 1048576 are expected, as in hidden=128".into()),
    }
}

/// A model with some of its numbers set.
fn configure(
    entry: &workload::Entry,
    preset: Preset,
    batch: Option<usize>,
    set: &[(String, usize)],
) -> Result<Box<dyn workload::Workload>> {
    let mut model = (entry.configure)(preset, batch);
    for (key, value) in set {
        if !model.set(key, *value) {
            let known: Vec<_> = model.config().keys().cloned().collect();
            return Err(Error::Usage(format!(
                "{} has no parameter '{key}' that could be {value}; its numbers are {}",
                entry.name,
                known.join(", ")
            )));
        }
    }
    Ok(model)
}

impl ModelArgs {
    /// The model with its sizes settled.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown workload.
    pub fn configure(&self, gpu: Option<&Gpu>) -> Result<(Preset, Box<dyn workload::Workload>)> {
        let entry = workload::find(&self.workload)?;
        let preset = preset_or_default(self.preset, gpu);
        let batch = self.batch.map(|b| b as usize);
        let model = configure(entry, preset, batch, &with_bucket(&self.set, self.bucket))?;
        Ok((preset, model))
    }
}

/// Adds the largest batch that fits to an error for want of room.
fn advise<T>(outcome: Result<T>, args: &ModelArgs, mode: Mode, gpu: &Gpu) -> Result<T> {
    let room = Room {
        gpu,
        mode,
        options: &Options::default(),
        batch: args.configure(Some(gpu))?.1.batch(),
    };
    room.advise(outcome, &|batch| {
        let args = ModelArgs { batch: Some(batch as u32), ..args.clone() };
        Ok(args.configure(Some(gpu))?.1)
    })
}

/// A preset as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PresetArg {
    /// The seminal size.
    Full,
    /// Small.
    Tiny,
}

impl From<PresetArg> for Preset {
    fn from(arg: PresetArg) -> Self {
        match arg {
            PresetArg::Full => Self::Full,
            PresetArg::Tiny => Self::Tiny,
        }
    }
}

/// The preset asked for; else `tiny` on a software adapter, `full` elsewhere.
pub fn preset_or_default(asked: Option<PresetArg>, gpu: Option<&Gpu>) -> Preset {
    match (asked, gpu) {
        (Some(preset), _) => preset.into(),
        (None, Some(gpu)) if gpu.caps.software => Preset::Tiny,
        (None, _) => Preset::Full,
    }
}

/// A mode as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Training.
    Train,
    /// Inference.
    Infer,
}

impl From<ModeArg> for Mode {
    fn from(arg: ModeArg) -> Self {
        match arg {
            ModeArg::Train => Self::Train,
            ModeArg::Infer => Self::Infer,
        }
    }
}

/// Form of what goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// Markdown.
    Md,
    /// Comma-separated, one row a result.
    Csv,
    /// The whole record.
    Json,
    /// A line a result.
    Jsonl,
}

/// In what form data is printed and kept, and how much is said.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Form of the data on stdout: table, md, csv, json, jsonl
    #[arg(short, long, value_name = "FORM", default_value = "table", hide_possible_values = true)]
    pub output: Format,

    /// Keep the data in this file too, its form by .json, .jsonl, .csv or .md; may be repeated
    #[arg(short, long, value_name = "FILE", value_parser = output::target)]
    pub save: Vec<output::Target>,

    #[command(flatten)]
    voice: VoiceArgs,
}

impl std::ops::Deref for OutputArgs {
    type Target = VoiceArgs;

    fn deref(&self) -> &VoiceArgs {
        &self.voice
    }
}

/// How much is said.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct VoiceArgs {
    /// No progress and no notes on stderr
    #[arg(short, long)]
    pub quiet: bool,

    /// More on stderr; twice for the graphics layer's own log
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Colours: auto, always, never
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal without NO_COLOR.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--data`, where real samples are read.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// Real data set instead of the built-in one: an MNIST folder, a TIMIT tree, a folder of images per
    /// class, the ILSVRC tar
    #[arg(long, value_name = "PATH", help_heading = "What", env = "FATHOM_DATA")]
    pub data: Option<PathBuf>,

    /// Leave out images that cannot be read, and name them, instead of ending with an error
    #[arg(long, help_heading = "What")]
    pub skip_bad: bool,

    /// The game that deepq plays: see `fathom list games` [default: breakout]
    #[arg(long = "env", value_name = "NAME", help_heading = "What")]
    pub game: Option<String>,
}

impl DataArgs {
    /// What they name, with a seed.
    pub fn source(&self, seed: u64) -> DataSource {
        DataSource {
            path: self.data.clone(),
            skip_bad: self.skip_bad,
            game: self.game.clone(),
            seed,
        }
    }
}

/// Numbers from lists and ranges: `1,8` or `1..64*2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batches(pub Vec<usize>);

impl Batches {
    /// All values, once each, in order of first mention.
    pub fn of(ranges: &[Range]) -> Self {
        let mut all = Vec::new();
        for value in ranges.iter().flat_map(Range::values) {
            if !all.contains(&value) {
                all.push(value);
            }
        }
        Self(all)
    }
}

impl Cli {
    /// How much is to be said, whatever was asked.
    pub fn output(&self) -> &VoiceArgs {
        match &self.command {
            None => &self.run.out,
            Some(Command::Run(args)) => &args.out,
            Some(Command::Analyze(args)) => &args.run.out,
            Some(Command::List(args)) => &args.out,
            Some(Command::Show(args)) => &args.out,
            Some(Command::Verify(args)) => &args.out,
            Some(Command::Bench(args)) => &args.out,
            Some(Command::Devices(args)) => args,
            Some(Command::Peak(args)) => &args.out,
            Some(Command::Train(args)) => &args.output,
            Some(Command::Snapshot(args)) => &args.output,
            Some(Command::Compare(args)) => &args.out,
            Some(Command::Score(args)) => &args.out,
            Some(Command::Report(args)) => &args.voice,
            Some(Command::Trace(args)) => &args.voice,
            Some(Command::Completions { .. } | Command::Help { .. }) => &self.run.out,
        }
    }
}

/// Does what was asked.
///
/// # Errors
/// As the sub-commands; each error knows its exit code.
pub fn execute(cli: Cli) -> Result<()> {
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => run::execute(&args),
        Command::Analyze(args) => analyze::execute(&args),
        Command::List(args) => list::execute(&args),
        Command::Show(args) => show::execute(&args),
        Command::Verify(args) => verify::execute(&args),
        Command::Bench(args) => bench::execute(&args),
        Command::Devices(out) => list::print(list::What::Devices, &out),
        Command::Peak(args) => peak::execute(&args),
        Command::Train(args) => train::execute(&args),
        Command::Snapshot(args) => snapshot::execute(&args),
        Command::Compare(args) => compare::execute(&args),
        Command::Score(args) => score::execute(&args),
        Command::Report(args) => report::execute(&args),
        Command::Trace(args) => trace::execute(&args),
        Command::Completions { shell } => help::completions(shell),
        Command::Help { topic } => help::explain(topic.as_deref()),
    }
}

/// The workloads a `--workload` list names; `all` or nothing names all.
///
/// # Errors
/// [`Error::Usage`] for an unknown name, [`Error::NothingSelected`] for an empty list.
pub fn workloads(names: &[String]) -> Result<Vec<&'static workload::Entry>> {
    if names.is_empty() || names.iter().any(|n| n == "all") {
        return Ok(workload::WORKLOADS.iter().collect());
    }
    let found: Result<Vec<_>> =
        names.iter().filter(|n| !n.is_empty()).map(|n| workload::find(n)).collect();
    match found {
        Ok(list) if list.is_empty() => Err(Error::NothingSelected(
            "no workload selected; `fathom list workloads` shows all".into(),
        )),
        other => other,
    }
}
