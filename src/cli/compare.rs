//! `fathom compare`: records against a baseline.

use clap::Args;

use crate::compare::{self, Side};
use crate::error::{Error, Result};
use crate::report::Format;
use crate::report::number::percent;
use crate::report::section::compare as section;

use super::records::side;
use super::{OutputArgs, output};

/// Options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Baseline: a record's file, a folder of repeated runs, @last, @last~1, or the start of an id
    pub base: String,

    /// Records to compare with it
    #[arg(required = true)]
    pub new: Vec<String>,

    /// Allow device and driver to differ, and print one row per run and one column per device
    #[arg(long)]
    across: bool,

    /// Give the reason for each verdict
    #[arg(long, conflicts_with = "across")]
    explain: bool,

    /// Exit with code 8 if any run is SLOWER by more than this, as in slower:3%
    #[arg(long, value_name = "slower:P%", value_parser = limit)]
    fail_on: Option<f64>,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// The share in `slower:3%`.
fn limit(text: &str) -> std::result::Result<f64, String> {
    let percent = text.strip_prefix("slower:").map(|p| p.strip_suffix('%').unwrap_or(p));
    match percent.and_then(|p| p.parse::<f64>().ok()) {
        Some(p) if (0.0..=1000.0).contains(&p) => Ok(p / 100.0),
        _ => Err("expected slower:P%, as in slower:3%".into()),
    }
}

/// Compares and prints.
///
/// # Errors
/// [`Error::Incomparable`] for unlike records, [`Error::Regression`] by `--fail-on`, [`Error::Data`] and
/// [`Error::Usage`] for what is not a record.
pub fn execute(args: &CompareArgs) -> Result<()> {
    let base = side(&args.base)?;
    let others: Vec<Side> = args.new.iter().map(|word| side(word)).collect::<Result<_>>()?;
    let comparison = compare::compare(&base, &others, args.across)?;
    for text in &comparison.notes {
        output::note(&args.out, &format!("note: {text}"));
    }
    output::emit(&args.out, |form| {
        if args.across {
            return section::across(&comparison, &base, &others).render(form);
        }
        let explain = args.explain || form != Format::Table;
        let mut text = section::verdicts(&comparison, &others, explain).render(form)?;
        if matches!(form, Format::Table | Format::Md) {
            text += "\n";
            text += &section::summary(&comparison, &base, &others);
        }
        Ok(text)
    })?;
    if args.across {
        for text in section::disagreements(&comparison, &base, &others) {
            output::note(&args.out, &format!("warning: {text}"));
        }
    }
    let Some(share) = args.fail_on else {
        return Ok(());
    };
    let blind = comparison.rows.iter().filter(|row| row.finding.floor > share).count();
    if blind > 0 {
        let text = format!(
            "note: the noise floor is above {} in {blind} of the comparisons: a slowdown that small cannot be detected there",
            percent(share)
        );
        output::note(&args.out, &text);
    }
    let slower = section::slower(&comparison, &others, share);
    if slower.is_empty() {
        return Ok(());
    }
    let list = slower.join("\n  ");
    Err(Error::Regression(format!("slower by more than {}:\n  {list}", percent(share))))
}
