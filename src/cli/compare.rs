//! `fathom compare`: records against a baseline.

use std::str::FromStr;

use clap::Args;

use crate::compare::{self, Alike, Comparison, Side};
use crate::error::{Error, Result};
use crate::report::Format;
use crate::report::section::compare::{self as section, Layout};
use crate::report::section::ops;

use super::records::side;
use super::{OutputArgs, output};

/// Options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Baseline: its name, a record's file, a folder of repeated runs, @last, @last~1, or the start of an id
    base: String,

    /// Records to compare with it
    #[arg(default_value = "@last")]
    new: Vec<String>,

    /// Allow device and driver to differ, and print one row per run and one column per device
    #[arg(long)]
    across: bool,

    /// Allow options, device and driver to differ, and say so: for what `fathom ab` kept
    #[arg(long, conflicts_with = "across")]
    as_ab: bool,

    #[command(flatten)]
    judged: JudgeArgs,

    #[command(flatten)]
    out: OutputArgs,
}

/// What is said of verdicts, and which of them are failures.
#[derive(Debug, Clone, Args)]
pub struct JudgeArgs {
    /// Give the reason for each verdict, and the next step to take
    #[arg(long)]
    explain: bool,

    /// Print which ops account for the difference of each run, the largest changes first
    ///
    /// In csv, json and jsonl these rows take the place of the verdicts, and all ops are there.
    #[arg(long)]
    ops: bool,

    /// Exit with code 8 if any run is SLOWER by more than this, as in slower:3%, or UNSURE, or only in one of the
    /// records: slower:P%, unsure, missing
    #[arg(long, value_name = "slower:P%,..", value_delimiter = ',')]
    fail_on: Vec<Failure>,
}

/// A reason to fail.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Failure {
    /// Slower by more than a share.
    Slower(f64),
    /// Too noisy to tell.
    Unsure,
    /// A run that only one side has.
    Missing,
}

impl FromStr for Failure {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let percent = text.strip_prefix("slower:").map(|p| p.strip_suffix('%').unwrap_or(p));
        match (text, percent.and_then(|p| p.parse::<f64>().ok())) {
            ("unsure", _) => Ok(Self::Unsure),
            ("missing", _) => Ok(Self::Missing),
            (_, Some(p)) if (0.0..=1000.0).contains(&p) => Ok(Self::Slower(p / 100.0)),
            _ => Err("expected slower:P%, as in slower:3%, unsure or missing".into()),
        }
    }
}

/// Compares and prints.
///
/// # Errors
/// [`Error::Incomparable`] for unlike records, [`Error::Regression`] by `--fail-on`, [`Error::Data`] and
/// [`Error::Usage`] for what is not a record.
pub fn execute(args: &CompareArgs) -> Result<()> {
    let base = side(&args.base, &args.out)?;
    let others: Vec<Side> =
        args.new.iter().map(|word| side(word, &args.out)).collect::<Result<_>>()?;
    let alike = match (args.across, args.as_ab) {
        (true, _) => Alike::AllButDevice,
        (_, true) => Alike::AllInTurns,
        _ => Alike::All,
    };
    let comparison = compare::compare(&base, &others, alike)?;
    let layout = if args.across { Layout::DeviceAColumn } else { Layout::RecordARow };
    show(&comparison, &base, &others, layout, &args.judged, &args.out)
}

/// Prints a comparison, and fails where it was asked to.
///
/// # Errors
/// [`Error::Regression`] by `--fail-on`; as [`output::emit`].
pub(super) fn show(
    comparison: &Comparison,
    base: &Side,
    others: &[Side],
    layout: Layout,
    judged: &JudgeArgs,
    out: &OutputArgs,
) -> Result<()> {
    let missing = comparison.missing.iter().map(ToString::to_string);
    for text in comparison.notes.iter().cloned().chain(missing) {
        output::note(out, &format!("note: {text}"));
    }
    output::emit(out, |form| {
        let ops = judged.ops.then(|| ops::render(comparison, base, others, form)).transpose()?;
        match ops {
            Some(ops) if !matches!(form, Format::Table | Format::Md) => Ok(ops),
            ops => Ok(section::render(comparison, base, others, layout, judged.explain, form)?
                + &ops.unwrap_or_default()),
        }
    })?;
    for text in section::disagreements(comparison, base, others) {
        output::note(out, &format!("warning: {text}"));
    }
    let mut failures = Vec::new();
    for failure in &judged.fail_on {
        match failure {
            Failure::Slower(share) => {
                let blind = section::blind(comparison, *share);
                blind.iter().for_each(|text| output::note(out, &format!("note: {text}")));
                failures.extend(section::slower(comparison, others, *share));
            }
            Failure::Unsure => failures.extend(section::unsure(comparison, others)),
            Failure::Missing => {
                failures.extend(comparison.missing.iter().map(ToString::to_string));
            }
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::Regression(format!("by --fail-on:\n  {}", failures.join("\n  "))))
}
