//! Records compared with a baseline: a verdict for each run, or a column for each device.

use crate::compare::agreement::Agreement;
use crate::compare::verdict::Verdict;
use crate::compare::{self, Comparison, Row, Side};
use crate::fields;
use crate::report::column::Kind::{Digits, Duration, Fixed, Percent, Signed};
use crate::report::column::{count, number, text};
use crate::report::field::Field;
use crate::report::number::percent;
use crate::report::table::Table;

/// A row for each cell and record, with the reasons where they are asked for.
pub fn verdicts(comparison: &Comparison, others: &[Side], explain: bool) -> Table {
    let mut columns = vec![
        text("verdict"),
        text("workload"),
        text("mode"),
        count("batch"),
        number("base", "base_ns", Duration),
        number("new", "new_ns", Duration),
        number("ratio", "ratio", Fixed(3)),
        number("95 %", "ci95_low", Fixed(3)),
        number("interval", "ci95_high", Fixed(3)),
        number("effect", "effect", Signed(2)),
        number("floor", "floor", Percent),
    ];
    if others.len() > 1 {
        columns.push(text("record"));
    }
    if explain {
        columns.extend([text("reason"), text("why")]);
    }
    let mut table = Table::new(columns);
    for row in &comparison.rows {
        let finding = &row.finding;
        let mut fields = Vec::from(fields![
            finding.verdict.name(),
            &row.key.workload,
            row.key.mode,
            row.key.batch,
            row.base_ns,
            row.other_ns,
            finding.ratio,
            finding.ci95.0,
            finding.ci95.1,
            finding.effect,
            finding.floor
        ]);
        if others.len() > 1 {
            fields.push(Field::from(&others[row.side].name));
        }
        if explain {
            let (code, why) = finding.reason.texts();
            let programs =
                if row.same_program { "the same program" } else { "the programs differ" };
            fields.extend(fields![code, format!("{why}; {programs}")]);
        }
        table.row(fields);
    }
    table
}

/// In hyperfine's words, a line for each side.
pub fn summary(comparison: &Comparison, base: &Side, others: &[Side]) -> String {
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
            "{} ran {times:.3} times {word} than {} (geometric mean of {cells} runs): {}\n",
            side.name,
            base.name,
            counts.join(", ")
        )
    };
    others.iter().enumerate().map(line).collect()
}

/// The cells that are slower by more than `share`, a line each.
pub fn slower(comparison: &Comparison, others: &[Side], share: f64) -> Vec<String> {
    let line = |row: &Row| {
        let by = percent(row.finding.ratio - 1.0);
        format!("{} is slower by {by} in {}", row.key, others[row.side].name)
    };
    comparison.slower_than(share).map(line).collect()
}

/// A row a cell: each side's step, and its time over that of the first.
pub fn across(comparison: &Comparison, base: &Side, others: &[Side]) -> Table {
    let mut columns = vec![text("workload"), text("mode"), count("batch")];
    let labels = labels(std::iter::once(base).chain(others));
    let step = |label: &String| number(label, format!("{label} step_ns"), Duration);
    columns.push(step(&labels[0]));
    for label in &labels[1..] {
        columns.extend([
            step(label),
            number("ratio", format!("{label} ratio"), Digits),
            text("result").named(format!("{label} result")),
        ]);
    }
    let mut table = Table::new(columns);
    for key in compare::keys(base) {
        let of_side = |side| {
            let mut rows = comparison.rows.iter();
            rows.find(|row| row.key == key && row.side == side)
        };
        let rows: Vec<_> = (0..others.len()).map(of_side).collect();
        let Some(first) = rows.iter().flatten().next() else {
            continue;
        };
        let mut fields = Vec::from(fields![&key.workload, key.mode, key.batch, first.base_ns]);
        for row in rows {
            let agreement = row.and_then(|r| r.agreement.as_ref()).map_or("", |a| a.0.name());
            fields.extend(fields![
                row.map(|r| r.other_ns),
                row.map(|r| r.finding.ratio),
                agreement
            ]);
        }
        table.row(fields);
    }
    let mut fields = Vec::from(fields!["geometric mean", "", None::<f64>, None::<f64>]);
    for side in 0..others.len() {
        fields.extend(fields![None::<f64>, comparison.mean(side).0, ""]);
    }
    table.row(fields);
    table
}

/// What two devices did not compute the same, a line each.
pub fn disagreements(comparison: &Comparison, base: &Side, others: &[Side]) -> Vec<String> {
    let line = |row: &Row| {
        let (agreement, name, apart) = row.agreement.as_ref()?;
        let apart = if apart.is_finite() { percent(*apart) } else { "all it can be".into() };
        (*agreement == Agreement::Different).then(|| {
            let (ours, theirs) = (&base.name, &others[row.side].name);
            format!("{}: the results of {ours} and {theirs} differ: {name} by {apart}", row.key)
        })
    };
    comparison.rows.iter().filter_map(line).collect()
}

/// The devices' names, with the driver and then a number where that alone does not tell them apart.
fn labels<'a>(sides: impl Iterator<Item = &'a Side>) -> Vec<String> {
    let devices: Vec<_> = sides.map(|side| &side.records[0].device).collect();
    let same_name = |a: usize, b: usize| devices[a].name == devices[b].name;
    let same_driver =
        |a: usize, b: usize| same_name(a, b) && devices[a].driver == devices[b].driver;
    let mut labels = Vec::new();
    for (i, device) in devices.iter().enumerate() {
        let others: Vec<usize> = (0..devices.len()).filter(|k| *k != i).collect();
        let mut label = device.name.clone();
        if others.iter().any(|&k| same_name(i, k)) {
            label += &format!(" {}", device.driver);
        }
        if others.iter().any(|&k| same_driver(i, k)) {
            label += &format!(" #{}", i + 1);
        }
        labels.push(label);
    }
    labels
}
