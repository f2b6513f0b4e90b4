//! `fathom tune`: measures the kernels of each op, and keeps the fastest for the runs to come.

use clap::Args;

use crate::error::{Error, Result};
use crate::listing;
use crate::measure::tune::suite::SuiteTuner;
use crate::terms::Effort;

use super::output;
use super::run::{self, RunArgs};

/// Options of `tune`: those of `run` say what is tuned.
#[derive(Debug, Clone, Args)]
pub struct TuneArgs {
    /// What is tuned.
    #[command(flatten)]
    pub run: RunArgs,
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
