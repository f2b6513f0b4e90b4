//! `fathom tune`: measures the kernels of each op, and keeps the fastest for the runs to come.

use clap::Args;

use crate::error::{Error, Result};
use crate::listing;
use crate::terms::Effort;

use super::output;
use super::run::tuning::Tables;
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
    let mut selection = run::choose::prepare(args)?;
    let mut samples = run::choose::open(args, &selection.chosen)?;
    let mut tables = Tables::open(args, &mut selection, effort)?;
    let outcome = tables.tune(args, &mut selection, &mut samples);
    samples.close();
    let table = output::stamped(listing::kernels::tuned(tables.table()), &selection.gpu);
    output::emit(&args.out, |form| table.render(form))?;
    tables.summary().iter().for_each(|text| output::note(&args.out, text));
    outcome
}
