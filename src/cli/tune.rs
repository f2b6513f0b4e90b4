//! `fathom tune`: measures the kernels of each op, and keeps the fastest for the runs to come.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::error::{Error, Result};
use crate::listing;
use crate::measure::tune::suite::{SuiteTuner, planned};
use crate::terms::Effort;

use super::output;
use super::run::{self, RunArgs};

/// Options of `tune`: those of `run` that say what is tuned.
#[derive(Debug, Clone)]
pub struct TuneArgs {
    /// What is tuned.
    pub run: RunArgs,
}

/// Options of `run` that say how steps are timed and what is kept of them: they would change nothing.
const IDLE: [&str; 10] = [
    "time",
    "max_noise",
    "min_samples",
    "queue_depth",
    "no_profile",
    "no_verify",
    "on_failure",
    "repeat",
    "save_baseline",
    "ops",
];

impl Args for TuneArgs {
    fn augment_args(command: Command) -> Command {
        let hidden = |option: Arg| {
            let is_idle = IDLE.contains(&option.get_id().as_str());
            option.hide(is_idle)
        };
        let dry_run = |option: Arg| {
            option.help("Print what would be tuned; measure nothing").long_help(
                "Print what would be tuned; measure nothing\n\nEvery option and the data are checked as for tuning.",
            )
        };
        RunArgs::augment_args(command).mut_args(hidden).mut_arg("dry_run", dry_run)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for TuneArgs {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let is_given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        if let Some(idle) = IDLE.into_iter().find(is_given) {
            let option = idle.replace('_', "-");
            let why =
                "it says how runs are measured, and would change nothing of tuning: leave it out";
            let text = format!("tune: --{option}: {why}\n");
            return Err(clap::Error::raw(ErrorKind::UnknownArgument, text));
        }
        Ok(Self { run: RunArgs::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Tunes thoroughly, or as `--tune` says, and prints a row for each problem of the table.
///
/// # Errors
/// As a run's; what was measured before is kept.
pub fn execute(args: &TuneArgs) -> Result<()> {
    let effort = args.run.tune.unwrap_or(Effort::Full);
    if effort == Effort::Off {
        return Err(Error::Usage("tune: --tune off would measure nothing: quick or full".into()));
    }
    let args = &args.run;
    let mut suite = run::choose::prepare(args)?;
    let mut samples = run::choose::open(args, &suite.chosen)?;
    if args.dry_run {
        samples.close();
        let steps = planned(effort, &suite.gpu, &suite.chosen, &suite.plan)?;
        let text = format!("{}: dry run, nothing is measured", suite.gpu.summary);
        output::note(&args.out, &text);
        return output::emit(&args.out, |form| listing::kernels::to_tune(&steps).render(form));
    }
    let (outcome, table, summary) = run::watched(args, |watch| {
        let mut tuner = SuiteTuner::open(&mut suite, effort, watch)?;
        let outcome = tuner.tune(&mut suite, &mut samples);
        Ok((outcome, listing::kernels::tuned(tuner.table()), tuner.summary()))
    })?;
    samples.close();
    let table = output::stamped(table, &suite.gpu);
    output::emit(&args.out, |form| table.render(form))?;
    summary.iter().for_each(|text| output::note(&args.out, text));
    outcome
}
