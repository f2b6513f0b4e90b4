//! The command line: the commands, and which file carries out each.

use clap::{ArgMatches, FromArgMatches, Parser, Subcommand};

use crate::error::Result;
use crate::host;
use crate::terms::Restriction;

pub mod ab;
pub mod analyze;
pub mod args;
pub mod bench;
pub mod check;
mod child;
pub mod choice;
pub mod compare;
pub mod data;
pub mod given;
pub mod help;
pub mod interrupt;
pub mod list;
pub mod output;
pub mod peak;
mod progress;
pub mod range;
mod records;
pub mod repeat;
pub mod report;
pub mod run;
pub mod score;
pub mod show;
pub mod site;
pub mod snapshot;
pub mod trace;
pub mod train;
pub mod tune;
pub mod verify;

use args::{DeviceArgs, ModelArgs, PrecisionArgs, SizeArgs, advise};
use data::DataArgs;
use output::{OutputArgs, VoiceArgs};

/// How fast does this GPU train and run deep learning?
///
/// Without a subcommand, fathom verifies every kernel on the device, times training and inference of
/// the chosen workloads with the GPU's own timestamps, profiles each op, prints the results and keeps a
/// record.
#[derive(Debug, Parser)]
#[command(
    name = "fathom",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    max_term_width = 80,
    override_usage = "fathom [OPTIONS] | fathom <COMMAND>",
    // Without clap's line between what it is and how it is used, the short help is one screen.
    help_template = "{about-with-newline}{usage-heading} {usage}\n{all-args}{after-help}",
    after_help = help::MORE,
    after_long_help = help::EXAMPLES
)]
pub struct Cli {
    /// What to do; `run` by default.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Options of `run`.
    #[command(flatten)]
    pub run: run::RunArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify, time, profile, print and save (the default)
    Run(run::RunArgs),
    /// Analyze records: where time goes, what is alike, what scales
    Analyze(analyze::AnalyzeArgs),
    /// List workloads, kernels, devices, presets, games or kept records
    List(list::ListArgs),
    /// Show a model's summary, program, memory, kernels; or a record
    Show(show::ShowArgs),
    /// Check every kernel on this device against its f64 reference
    Verify(verify::VerifyArgs),
    /// Time single kernels: GFLOP/s, GB/s, share of the measured peak
    ///
    /// Each is checked first. The column check says how: right at the sizes it is timed at, small at smaller ones that stand
    /// for them, none where every case is too large for its reference. A wrong one is not timed. On a CPU adapter, kernels are
    /// left out whose single dispatch takes longer than 5 seconds and 100 times --time.
    Bench(bench::BenchArgs),
    /// List devices, as `list devices` does
    #[command(hide = true)]
    Devices(OutputArgs),
    /// Measure the device's ceilings: arithmetic, bandwidth, launches
    #[command(alias = "peaks")]
    Peak(peak::PeakArgs),
    /// Measure which kernel of each op is fastest here, and keep it
    ///
    /// Runs tune quickly by themselves; this is thorough, and takes minutes.
    Tune(tune::TuneArgs),
    /// Train a workload and watch its loss and metric
    Train(train::TrainArgs),
    /// Write one step's numbers for another framework to check
    ///
    /// The numbers are parameters, inputs, random draws, outputs and gradients.
    Snapshot(snapshot::SnapshotArgs),
    /// Check record files: schema, id, summaries against samples
    Check(check::CheckArgs),
    /// Compare records with a baseline: FASTER, SLOWER, SAME, UNSURE
    Compare(compare::CompareArgs),
    /// Run two programs or sets of options in turns, and compare them
    Ab(ab::AbArgs),
    /// Score a record: one number, relative to the reference
    ///
    /// It takes all workloads in both modes.
    Score(score::ScoreArgs),
    /// Write records as one self-contained HTML page with charts
    Report(report::ReportArgs),
    /// Write records of many devices as a site that compares them
    Site(site::SiteArgs),
    /// Write the timeline of one step for Perfetto
    Trace(trace::TraceArgs),
    /// Print shell completions
    Completions {
        /// Shell to generate completions for
        shell: clap_complete::Shell,
    },
    /// Explain a command, or a topic: measuring, record, exit-codes
    Help {
        /// Command or topic
        topic: Option<String>,
    },
}

/// Reads the command line: what to do, and how much to print of it.
///
/// # Errors
/// What clap has to say, help among it.
pub fn parse() -> std::result::Result<(Cli, VoiceArgs), clap::Error> {
    let matches = help::command().try_get_matches()?;
    // `completions` and `help` have no such options.
    let speaks = |given: &&ArgMatches| given.ids().any(|id| id == "color");
    let given = matches.subcommand().map(|(_, given)| given).filter(speaks).unwrap_or(&matches);
    Ok((Cli::from_arg_matches(&matches)?, VoiceArgs::from_arg_matches(given)?))
}

impl Command {
    /// Whether it plans, runs or holds against a reference, and not only reads what others kept.
    fn computes(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Verify(_)
                | Self::Bench(_)
                | Self::Peak(_)
                | Self::Tune(_)
                | Self::Train(_)
                | Self::Snapshot(_)
                | Self::Trace(_)
        )
    }
}

/// Carries out the command.
///
/// # Errors
/// As the subcommands; each error knows its exit code.
pub fn execute(cli: Cli) -> Result<()> {
    let command = cli.command.unwrap_or(Command::Run(cli.run));
    if command.computes() {
        host::start_threads()?;
    }
    match command {
        Command::Run(args) => repeat::execute(&args),
        Command::Analyze(args) => analyze::execute(&args),
        Command::List(args) => list::execute(&args),
        Command::Show(args) => show::execute(&args),
        Command::Verify(args) => verify::execute(&args),
        Command::Bench(args) => bench::execute(&args),
        Command::Devices(out) => list::devices(&Restriction::default(), &out),
        Command::Peak(args) => peak::execute(&args),
        Command::Tune(args) => tune::execute(&args),
        Command::Train(args) => train::execute(&args),
        Command::Snapshot(args) => snapshot::execute(&args),
        Command::Check(args) => check::execute(&args),
        Command::Compare(args) => compare::execute(&args),
        Command::Ab(args) => ab::execute(&args),
        Command::Score(args) => score::execute(&args),
        Command::Report(args) => report::execute(&args),
        Command::Site(args) => site::execute(&args),
        Command::Trace(args) => trace::execute(&args),
        Command::Completions { shell } => help::completions(shell),
        Command::Help { topic } => help::explain(topic.as_deref()),
    }
}
