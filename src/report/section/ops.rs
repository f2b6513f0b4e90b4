//! Which ops make up the difference between records, run by run.

use crate::columns;
use crate::compare::ops::{OpChange, OpTaken, changes};
use crate::compare::{Comparison, Row, Side};
use crate::error::Result;
use crate::report::Format;
use crate::report::column::Quantity::{Duration, Fixed};
use crate::report::column::{count, number, text};
use crate::report::number::duration_ns;
use crate::report::table::{ColumnOf, Table, sentence};
use crate::terms::counted;

/// Ops of a run that people see; programs see all.
const MOST: usize = 10;

/// An op of a row of the comparison.
struct Changed<'a> {
    row: &'a Row,
    record: &'a str,
    change: OpChange,
}

/// The ops of each run that both sides profiled, those that changed most first: for people a table a run, for programs one.
///
/// # Errors
/// As [`Table::render`].
pub fn render(
    comparison: &Comparison,
    base: &Side,
    others: &[Side],
    form: Format,
) -> Result<String> {
    let mut rows = Vec::new();
    for row in &comparison.rows {
        let record = &others[row.side];
        let changed = changes(base, record, &row.key).into_iter();
        rows.push(
            changed.map(|change| Changed { row, record: &record.name, change }).collect::<Vec<_>>(),
        );
    }
    if !matches!(form, Format::Table | Format::Md) {
        return table(rows.iter().flatten()).render(form);
    }
    let mut said = String::new();
    for (row, ops) in comparison.rows.iter().zip(&rows) {
        let name = &others[row.side].name;
        if ops.is_empty() {
            let text = format!("{} in {name}: not profiled on both sides", row.key);
            said += &format!("\n{}", sentence(&text, form));
            continue;
        }
        let (shown, rest) = ops.split_at(MOST.min(ops.len()));
        let text = format!("{} in {name}: ops by what they add to a step", row.key);
        said += &format!("\n{}\n{}", sentence(&text, form).trim_end(), blank(form));
        said += &table(shown).without("workload").without("mode").without("batch").render(form)?;
        if !rest.is_empty() {
            let ns: f64 = rest.iter().map(|op| op.change.by_ns()).sum();
            let text = format!("and {} more: {}", counted(rest.len(), "op"), signed(ns));
            said += &format!("{}{}", blank(form), sentence(&text, form));
        }
    }
    Ok(said)
}

/// A line between prose and a table, without which Markdown takes them for one.
fn blank(form: Format) -> &'static str {
    if form == Format::Md { "\n" } else { "" }
}

fn table<'a>(ops: impl IntoIterator<Item = &'a Changed<'a>>) -> Table {
    let columns: [ColumnOf<&Changed<'_>>; 10] = columns![op:
        text("workload") => &op.row.key.workload,
        text("mode") => op.row.key.mode,
        count("batch") => op.row.key.batch,
        text("op") => &op.change.place,
        number("base", "base_ns", Duration).spare(2) => op.change.base.as_ref().map(|taken| taken.ns),
        number("new", "new_ns", Duration) => op.change.other.as_ref().map(|taken| taken.ns),
        number("adds", "difference_ns", Duration) => op.change.by_ns(),
        number("ratio", "ratio", Fixed(3)).spare(1) => ratio(&op.change),
        text("kernel") => kernel(&op.change),
        text("record").programs() => op.record,
    ];
    Table::of(columns, ops)
}

fn ratio(change: &OpChange) -> Option<f64> {
    Some(change.other.as_ref()?.ns / change.base.as_ref()?.ns)
}

/// `tile[BM=64]`, or `tile[BM=64] -> register` where another one runs.
fn kernel(change: &OpChange) -> String {
    let called = |taken: &Option<OpTaken>| {
        taken.as_ref().map_or_else(|| "none".into(), |taken| taken.kernels.join(" "))
    };
    let (base, other) = (called(&change.base), called(&change.other));
    if base == other { base } else { format!("{base} -> {other}") }
}

/// `+1.2 ms`.
fn signed(ns: f64) -> String {
    let sign = if ns < 0.0 { "-" } else { "+" };
    format!("{sign}{}", duration_ns(ns.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::compare::{Alike, compare};
    use crate::terms::Mode;

    fn side(name: &str, slow: f64) -> Side {
        let layers: Vec<String> = (0..12).map(|i| format!("l{i}.matmul/tile")).collect();
        let ops: Vec<_> = layers.iter().map(|label| (label.as_str(), 1000.0)).collect();
        let mut record = synthetic::record(&[("vgg", Mode::Train, &ops)]);
        for (op, label) in record.runs[0].ops.iter_mut().zip(&layers) {
            op.label.clone_from(label);
        }
        let op = &mut record.runs[0].ops[7];
        op.label = if slow > 1.0 { "l7.matmul/naive".into() } else { "l7.matmul/tile".into() };
        let times = op.ns.as_mut().unwrap();
        (times.median, times.mean) = (1000.0 * slow, None);
        Side::of(name, record)
    }

    #[test]
    fn people_see_what_changed_most_and_programs_all() {
        let (base, other) = (side("old", 1.0), [side("new", 3.0)]);
        let comparison = compare(&base, &other, Alike::All).unwrap();
        let told = |form| render(&comparison, &base, &other, form).unwrap();
        let text = told(Format::Table);
        let first = text.lines().nth(3).unwrap();
        assert!(first.starts_with("l7.matmul  ") && first.ends_with("tile -> naive"), "{text}");
        assert!(first.contains("2.000 µs  3.000"), "{text}");
        assert!(text.trim_end().ends_with("and 2 ops more: +0.000 ns"), "{text}");
        let rows = told(Format::Csv);
        assert_eq!(rows.lines().count(), 13, "{rows}");
        assert!(rows.lines().nth(1).unwrap().starts_with("vgg,train,4,l7.matmul,1000"), "{rows}");
    }

    #[test]
    fn a_run_that_was_not_profiled_is_said() {
        let (base, mut other) = (side("old", 1.0), [side("new", 1.0)]);
        other[0].records[0].runs[0].profile = None;
        let comparison = compare(&base, &other, Alike::All).unwrap();
        let text = render(&comparison, &base, &other, Format::Md).unwrap();
        assert_eq!(text.trim(), "vgg train batch 4 in new: not profiled on both sides");
    }
}
