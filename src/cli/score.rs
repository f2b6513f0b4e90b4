//! `fathom score`: one number for a device.

use clap::Args;

use crate::compare::Side;
use crate::error::{Error, Result};
use crate::report::section::score as section;
use crate::score::{self, Score};
use crate::workload::WORKLOADS;

use super::records::side;
use super::{OutputArgs, output};

/// Options of `score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// What to score: a file, a folder of one device's records, @last, @last~1, or the start of an id
    #[arg(required = true)]
    record: Vec<String>,

    /// Record that scores 1000, instead of the one that comes with fathom
    #[arg(long, value_name = "RECORD")]
    reference: Option<String>,

    #[command(flatten)]
    out: OutputArgs,
}

/// Scores and prints.
///
/// # Errors
/// [`Error::Incomparable`] where there is no reference or the score is incomplete: the runs that count are printed
/// first. [`Error::Data`] and [`Error::Usage`] for what is not a record.
pub fn execute(args: &ScoreArgs) -> Result<()> {
    let sides: Vec<Side> =
        args.record.iter().map(|word| side(word, &args.out)).collect::<Result<_>>()?;
    let own = score::committed(sides[0].records[0].config.preset);
    let own = own.map(|record| Side::of("the reference", record));
    let reference = match &args.reference {
        Some(word) => {
            let named = side(word, &args.out)?;
            let all = || WORKLOADS.iter().map(|workload| workload.name).collect();
            let suite = own.as_ref().map_or_else(|_| all(), score::workloads);
            score::check_reference(&named, &suite)?;
            named
        }
        None => own?,
    };
    let scores: Vec<(&Side, Score)> =
        sides.iter().map(|side| (side, score::score(side, &reference))).collect();
    let table = section::scores(&scores);
    output::note(&args.out, &section::reference(&reference));
    for text in scores.iter().flat_map(|(side, score)| section::slowed(side, &reference, score)) {
        output::note(&args.out, &format!("warning: {text}"));
    }
    output::emit(&args.out, |form| table.render(form))?;
    let lacking: Vec<String> =
        scores.iter().filter_map(|(side, score)| section::lacking(side, score)).collect();
    if lacking.is_empty() { Ok(()) } else { Err(Error::Incomparable(lacking.join("\n"))) }
}
