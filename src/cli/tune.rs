//! `fathom tune`: measures the kernels of each op, and keeps the fastest for the runs to come.

use clap::{Arg, Args, Command};

use crate::error::{Error, Result};
use crate::listing;
use crate::measure::tune::suite::{SuiteTuner, planned};
use crate::terms::Effort;

use super::given::Given;
use super::output;
use super::run::{self, RunArgs};

/// Options of `tune`: those of `run` that say what is tuned.
#[derive(Debug, Clone, Args)]
pub struct TuneArgs {
    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    run: RunArgs,
}

/// Options of `run` that say how steps are timed and what is kept of them: they would change nothing.
const IDLE: &str = "time max_noise min_samples queue_depth no_profile no_verify on_failure repeat save_baseline ops";

/// Its help, without those.
pub(super) fn help(command: Command) -> Command {
    command.mut_args(|option: Arg| match option.get_id().as_str() {
        "dry_run" => option.help("Print what would be tuned; measure nothing").long_help(
            "Print what would be tuned; measure nothing\n\nEvery option and the data are checked as for tuning.",
        ),
        id => {
            let is_idle = IDLE.split(' ').any(|idle| idle == id);
            option.hide(is_idle)
        }
    })
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
    let why = "it says how runs are measured, and would change nothing of tuning";
    args.given.refuse("tune", IDLE, why)?;
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
    let table = listing::stamped(table, &suite.gpu);
    output::emit(&args.out, |form| table.render(form))?;
    summary.iter().for_each(|text| output::note(&args.out, text));
    outcome
}
