//! `fathom compare`: records against a first one.

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
    /// What to compare with: a record's file, a folder of runs of the same, @last, @last~1, or the start of an id
    pub base: String,

    /// What to compare
    #[arg(required = true)]
    pub new: Vec<String>,

    /// Let device and driver differ, and print a row for each cell and a column for each device
    #[arg(long)]
    across: bool,

    /// Say why each verdict is what it is
    #[arg(long, conflicts_with = "across")]
    explain: bool,

    /// End with exit code 8 if any cell is SLOWER by more, as in slower:3%
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
        _ => Err("expected slower: and a percentage, as in slower:3%".into()),
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
    let Some(share) = args.fail_on else {
        return Ok(());
    };
    let blind = comparison.rows.iter().filter(|row| row.finding.floor > share).count();
    if blind > 0 {
        let text = format!(
            "note: the noise floor of {blind} cells lies above {}: a slowdown that small cannot be seen there",
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
