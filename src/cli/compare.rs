//! `fathom compare`: records against a first one.

use std::path::Path;

use clap::Args;

use crate::compare::verdict::Verdict;
use crate::compare::{self, Comparison, Row, Side};
use crate::error::{Error, Result};
use crate::record::store;
use crate::report::number::{digits, duration_ns, percent};

use super::table::{Cell, Table};
use super::{Format, OutputArgs, output};

/// Options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What to compare with: a record's file, a folder of runs of the same, @last, @last~1, or the start of an id
    pub base: String,

    /// What to compare
    #[arg(required = true)]
    pub new: Vec<String>,

    /// Let device and driver differ, and print a row a cell and a column a device
    #[arg(long)]
    across: bool,

    /// Why each verdict is what it is
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
        _ => Err("slower: and a percentage are expected, as in slower:3%".into()),
    }
}

/// Compares and prints.
///
/// # Errors
/// [`Error::Incomparable`] for unlike records, [`Error::Regression`] by `--fail-on`, [`Error::Data`] and
/// [`Error::Usage`] for what is no record.
pub fn execute(args: &CompareArgs) -> Result<()> {
    let base = side(&args.base)?;
    let others: Vec<Side> = args.new.iter().map(|w| side(w)).collect::<Result<_>>()?;
    let comparison = compare::compare(&base, &others, args.across)?;
    for text in &comparison.notes {
        output::note(&args.out, &format!("note: {text}"));
    }
    if args.across {
        let table = across(&comparison, &base, &others);
        output::emit(&args.out, |form| table.render(form))?;
    } else {
        output::emit(&args.out, |form| {
            let explain = args.explain || form != Format::Table;
            let table = verdicts(&comparison, &others, explain);
            let mut text = table.render(form)?;
            if matches!(form, Format::Table | Format::Md) {
                text += "\n";
                text += &summary(&comparison, &base, &others);
            }
            Ok(text)
        })?;
    }
    args.fail_on.map_or(Ok(()), |share| judge(args, &comparison, &others, share))
}

/// The records a word names; a word that is no path goes with the file it was found to mean.
pub(super) fn side(word: &str) -> Result<Side> {
    let found = store::find(word)?;
    let file = found[0].path.file_name().unwrap_or_default();
    let name = if Path::new(word).exists() {
        word.into()
    } else {
        format!("{word} ({})", file.to_string_lossy())
    };
    let records = found.into_iter().map(|found| found.record).collect();
    Ok(Side { name, records })
}

fn verdicts(comparison: &Comparison, others: &[Side], explain: bool) -> Table {
    let mut headings = vec![
        "verdict",
        "workload",
        "mode",
        ">batch",
        ">base|base_ns",
        ">new|new_ns",
        ">ratio",
        ">95 %|ci95_low",
        ">interval|ci95_high",
        ">effect",
        ">floor",
    ];
    if others.len() > 1 {
        headings.push("record");
    }
    if explain {
        headings.extend(["reason", "why"]);
    }
    let mut table = Table::new(&headings);
    for row in &comparison.rows {
        let found = &row.finding;
        let ratio = |value: f64| Cell::number(value, format!("{value:.3}"));
        let mut cells = vec![
            found.verdict.name().into(),
            row.key.workload.as_str().into(),
            row.key.mode.name().into(),
            Cell::number(row.key.batch as f64, row.key.batch.to_string()),
            Cell::number(row.base_ns, duration_ns(row.base_ns)),
            Cell::number(row.other_ns, duration_ns(row.other_ns)),
            ratio(found.ratio),
            ratio(found.ci95.0),
            ratio(found.ci95.1),
            Cell::number(found.effect, format!("{:+.2}", found.effect)),
            Cell::number(found.floor, percent(found.floor)),
        ];
        if others.len() > 1 {
            cells.push(others[row.side].name.as_str().into());
        }
        if explain {
            let (code, why) = found.reason.texts();
            cells.push(code.into());
            cells.push(format!("{why}; {}", programs(row)).into());
        }
        table.row(cells);
    }
    table
}

fn programs(row: &Row) -> &'static str {
    if row.same_program { "the same program" } else { "the programs differ" }
}

/// In hyperfine's words, a line for each side.
fn summary(comparison: &Comparison, base: &Side, others: &[Side]) -> String {
    let line = |(i, side): (usize, &Side)| {
        let (mean, cells) = comparison.mean(i);
        let counts: Vec<String> = Verdict::ALL
            .into_iter()
            .map(|v| (comparison.count(i, v), v.name()))
            .filter(|(n, _)| *n > 0)
            .map(|(n, name)| format!("{n} {name}"))
            .collect();
        let (times, word) = if mean > 1.0 { (mean, "slower") } else { (1.0 / mean, "faster") };
        format!(
            "{} ran {times:.3} times {word} than {} in the geometric mean over {cells} cells: {}\n",
            side.name,
            base.name,
            counts.join(", ")
        )
    };
    others.iter().enumerate().map(line).collect()
}

/// A row a cell: each side's step, and its time over that of the first.
fn across(comparison: &Comparison, base: &Side, others: &[Side]) -> Table {
    let mut headings: Vec<String> = ["workload", "mode", ">batch"].map(Into::into).into();
    let labels = labels(std::iter::once(base).chain(others));
    headings.push(format!(">{0}|{0} step_ns", labels[0]));
    for label in &labels[1..] {
        headings.push(format!(">{label}|{label} step_ns"));
        headings.push(format!(">ratio|{label} ratio"));
    }
    let mut table = Table::new(&headings);
    for key in compare::keys(base) {
        let found = |side| {
            let mut rows = comparison.rows.iter();
            rows.find(|row| row.key == key && row.side == side)
        };
        let rows: Vec<_> = (0..others.len()).map(found).collect();
        let Some(first) = rows.iter().flatten().next() else {
            continue;
        };
        let mut cells = vec![
            key.workload.as_str().into(),
            key.mode.name().into(),
            Cell::number(key.batch as f64, key.batch.to_string()),
            Cell::number(first.base_ns, duration_ns(first.base_ns)),
        ];
        for row in rows {
            cells.extend(row.map_or([Cell::none(), Cell::none()], |row| {
                [
                    Cell::number(row.other_ns, duration_ns(row.other_ns)),
                    Cell::number(row.finding.ratio, digits(row.finding.ratio)),
                ]
            }));
        }
        table.row(cells);
    }
    let mut cells = vec!["geometric mean".into(), "".into(), Cell::none(), Cell::none()];
    for side in 0..others.len() {
        let mean = comparison.mean(side).0;
        cells.extend([Cell::none(), Cell::number(mean, digits(mean))]);
    }
    table.row(cells);
    table
}

/// The devices' names, with the driver and then a number where that alone does not tell them apart.
fn labels<'a>(sides: impl Iterator<Item = &'a Side>) -> Vec<String> {
    let devices: Vec<_> = sides.map(|side| &side.records[0].device).collect();
    let twins = |get: &dyn Fn(usize) -> String, i: usize| {
        (0..devices.len()).any(|k| k != i && get(k) == get(i))
    };
    let name = |i: usize| devices[i].name.replace('|', "/");
    let long = |i: usize| format!("{} {}", name(i), devices[i].driver.replace('|', "/"));
    let label = |i| match (twins(&name, i), twins(&long, i)) {
        (false, _) => name(i),
        (true, false) => long(i),
        (true, true) => format!("{} #{}", long(i), i + 1),
    };
    (0..devices.len()).map(label).collect()
}

fn judge(args: &CompareArgs, comparison: &Comparison, others: &[Side], share: f64) -> Result<()> {
    let blind = comparison.rows.iter().filter(|r| r.finding.floor > share);
    let blind = blind.count();
    if blind > 0 {
        let text = format!(
            "note: the noise floor of {blind} cells lies above {}: a slowdown that small is not seen there",
            percent(share)
        );
        output::note(&args.out, &text);
    }
    let line = |row: &Row| {
        let by = percent(row.finding.ratio - 1.0);
        format!("{} is slower by {by} in {}", row.key, others[row.side].name)
    };
    let slower: Vec<String> = comparison.slower_than(share).map(line).collect();
    if slower.is_empty() {
        return Ok(());
    }
    Err(Error::Regression(format!(
        "slower by more than {}:\n  {}",
        percent(share),
        slower.join("\n  ")
    )))
}
