//! `fathom score`: one number for a device.

use clap::Args;

use crate::compare::Side;
use crate::error::{Error, Result};
use crate::report::number::{digits, duration_ns};
use crate::score::{self, Score};
use crate::terms::Mode;

use super::compare::side;
use super::table::{Cell, Table};
use super::{OutputArgs, output};

/// Options of `score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// What to score: a record's file, a folder of one device's records, @last, @last~1, or the start of an id
    #[arg(required = true)]
    pub record: Vec<String>,

    /// What scores 1000, instead of the record that comes with fathom
    #[arg(long, value_name = "RECORD")]
    reference: Option<String>,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Scores and prints.
///
/// # Errors
/// [`Error::Incomparable`] where there is no reference or no whole score: cells that count are printed
/// first. [`Error::Data`] and [`Error::Usage`] for what is no record.
pub fn execute(args: &ScoreArgs) -> Result<()> {
    let sides: Vec<Side> = args.record.iter().map(|w| side(w)).collect::<Result<_>>()?;
    let reference = match &args.reference {
        Some(word) => side(word)?,
        None => Side {
            name: "the reference".into(),
            records: vec![score::committed(sides[0].records[0].config.preset)?],
        },
    };
    score::check_reference(&reference)?;
    let scores: Vec<(&Side, Score)> =
        sides.iter().map(|side| (side, score::score(side, &reference))).collect();
    let table = table(&scores);
    output::emit(&args.out, |form| table.render(form))?;
    let lacking: Vec<String> = scores
        .iter()
        .filter(|(_, score)| !score.missing.is_empty())
        .map(|(side, score)| {
            format!(
                "{} has {} of {} cells and no score:\n  {}",
                side.name,
                score.cells.len(),
                score::WORKLOADS.len() * Mode::ALL.len(),
                score.missing.join("\n  ")
            )
        })
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Error::Incomparable(lacking.join("\n")))
}

fn table(scores: &[(&Side, Score)]) -> Table {
    let mut table = Table::new(&[
        "record",
        "device",
        "workload",
        "mode",
        ">batch",
        ">step|step_ns",
        ">reference|reference_ns",
        ">score",
    ]);
    for (side, score) in scores {
        let device = || Cell::from(side.records[0].device.name.as_str());
        for one in &score.cells {
            table.row([
                side.name.as_str().into(),
                device(),
                one.key.workload.as_str().into(),
                one.key.mode.name().into(),
                Cell::number(one.key.batch as f64, one.key.batch.to_string()),
                Cell::number(one.step_ns, duration_ns(one.step_ns)),
                Cell::number(one.reference_ns, duration_ns(one.reference_ns)),
                Cell::number(one.score, digits(one.score)),
            ]);
        }
        if let Some(overall) = score.overall() {
            table.row([
                side.name.as_str().into(),
                device(),
                "all".into(),
                "both".into(),
                Cell::none(),
                Cell::none(),
                Cell::none(),
                Cell::number(overall, digits(overall)),
            ]);
        }
    }
    table
}
