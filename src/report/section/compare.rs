//! Records compared with a baseline: a verdict for each run, or a column for each device.

use std::collections::HashSet;

use crate::compare::advice::next_step;
use crate::compare::agreement::Agreement;
use crate::compare::overall::Overall;
use crate::compare::verdict::Verdict;
use crate::compare::{Cell, Comparison, Row, Side};
use crate::error::Result;
use crate::fields;
use crate::host::terminal_width;
use crate::report::Format;
use crate::report::column::Quantity::{Duration, Fixed, Percent, Signed};
use crate::report::column::{count, number, text};
use crate::report::field::Field;
use crate::report::number::percent;
use crate::report::table::{Table, sentence};
use crate::terms::{by_key, counted};

/// How verdicts are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A row for each run and record.
    RecordARow,
    /// A row for each run, and columns for each device.
    DeviceAColumn,
}

/// A comparison in a form: the table, and for people the reasons, where they are asked for, and the summary.
///
/// # Errors
/// As [`Table::render`].
pub fn render(
    comparison: &Comparison,
    base: &Side,
    others: &[Side],
    layout: Layout,
    explain: bool,
    form: Format,
) -> Result<String> {
    let is_across = layout == Layout::DeviceAColumn;
    let table = match layout {
        Layout::DeviceAColumn => across(comparison, base, others),
        Layout::RecordARow => verdicts(comparison, base, others, form != Format::Table),
    };
    let mut text = match form {
        Format::Table if is_across => across_fitted(comparison, base, others, terminal_width()),
        _ => table.render(form)?,
    };
    if !matches!(form, Format::Table | Format::Md) {
        return Ok(text);
    }
    // In Markdown the table has room for them.
    if explain && (form == Format::Table || is_across) {
        for line in explanations(comparison, others, is_across) {
            text += &format!("\n{}", sentence(&line, form));
        }
    }
    Ok(text + "\n" + &sentence(summary(comparison, base, others).trim_end(), form))
}

/// A row for each run and record; the reasons and next steps are for programs and files.
fn verdicts(comparison: &Comparison, base: &Side, others: &[Side], explain: bool) -> Table {
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
        number("effect", "effect", Signed(2)).spare(3),
        number("floor", "floor", Percent).spare(2),
    ];
    if others.len() > 1 {
        columns.push(text("record"));
    }
    if explain {
        columns.extend([text("reason"), text("why"), text("next")]);
    }
    columns.extend(["base_records", "new_records", "integrity"].map(|name| text(name).programs()));
    let mut table = Table::new(columns);
    for row in &comparison.rows {
        let (finding, other) = (&row.finding, &others[row.side]);
        let mut fields = Vec::from(fields![
            finding.verdict,
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
            fields.push(Field::from(&other.name));
        }
        if explain {
            let (code, _) = finding.reason.texts();
            fields.extend(fields![code, why(row), next_step(finding)]);
        }
        fields.extend(fields![base.ids(), other.ids(), base.integrity().max(other.integrity())]);
        table.row(fields);
    }
    table
}

/// The reason for each verdict, a line for all runs that have it in common; and the next step to take, which is one for
/// two programs on a device.
fn explanations(comparison: &Comparison, others: &[Side], is_across: bool) -> Vec<String> {
    let reason = |row: &Row| {
        let next =
            if is_across { String::new() } else { format!(". Next: {}", next_step(&row.finding)) };
        let run = match others {
            [_] => row.key.to_string(),
            _ => format!("{} in {}", row.key, others[row.side].name),
        };
        (format!("{}: {}{next}", row.finding.verdict, why(row)), run)
    };
    let in_all = comparison.rows.len();
    let line = |(said, runs): (String, Vec<String>)| match runs.len() {
        n if n == in_all => format!("{said} (every run)"),
        _ => format!("{said} ({})", runs.join(", ")),
    };
    by_key(comparison.rows.iter().map(reason)).into_iter().map(line).collect()
}

/// Why a verdict is what it is, and whether programs differ.
fn why(row: &Row) -> String {
    let (_, why) = row.finding.reason.texts();
    let programs = if row.same_program { "the same program" } else { "the programs differ" };
    format!("{why}; {programs}")
}

/// The verdict on the whole, a line for each side.
fn summary(comparison: &Comparison, base: &Side, others: &[Side]) -> String {
    let line = |(i, side): (usize, &Side)| {
        let whole = comparison.overall(i)?;
        let counts = Verdict::ALL.map(|verdict| (comparison.count(i, verdict), verdict));
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts.map(|(count, verdict)| format!("{count} {verdict}")).collect();
        Some(format!(
            "{}: {}; geometric mean of {}: {}\n",
            verdict_in_words(&whole, &side.name, &base.name),
            counts.join(", "),
            runs_in_words(&whole),
            interval_in_words(&whole),
        ))
    };
    others.iter().enumerate().filter_map(line).collect()
}

/// In hyperfine's words where there is something to say, and plainly that there is not elsewhere.
fn verdict_in_words(whole: &Overall, side: &str, base: &str) -> String {
    match whole.verdict {
        Verdict::Slower => {
            format!("SLOWER on the whole: {side} ran {:.3} times slower than {base}", whole.ratio)
        }
        Verdict::Faster => {
            let speed_up = 1.0 / whole.ratio;
            format!("FASTER on the whole: {side} ran {speed_up:.3} times faster than {base}")
        }
        Verdict::Same => {
            format!("SAME on the whole: {side} and {base} differ by no more than noise")
        }
        Verdict::Unsure => {
            format!("UNSURE on the whole: the noise hides whether {side} or {base} is faster")
        }
    }
}

/// `13 runs, without 3 in which the machine moved`.
fn runs_in_words(whole: &Overall) -> String {
    let count = counted(whole.cells, "run");
    match whole.moved {
        0 => count,
        moved => format!("{count}, without {moved} in which the machine moved"),
    }
}

/// `time ratio 1.002 [0.950 .. 1.057], noise floor 8.1 %`.
fn interval_in_words(whole: &Overall) -> String {
    let Overall { ratio, ci95: (low, high), floor, .. } = whole;
    if low.is_nan() {
        return format!("time ratio {ratio:.3}, of too few samples for an interval");
    }
    format!("time ratio {ratio:.3} [{low:.3} .. {high:.3}], noise floor {}", percent(*floor))
}

/// The runs that are slower by more than `share`, a line each.
pub fn slower(comparison: &Comparison, others: &[Side], share: f64) -> Vec<String> {
    let line = |row: &Row| {
        let by = percent(row.finding.ratio - 1.0);
        format!("{} is slower by {by} in {}", row.key, others[row.side].name)
    };
    comparison.slower_than(share).map(line).collect()
}

/// Where a slowdown of `share` could not be seen, if anywhere.
pub fn blind(comparison: &Comparison, share: f64) -> Option<String> {
    let blind = comparison.rows.iter().filter(|row| row.finding.floor > share).count();
    (blind > 0).then(|| {
        format!(
            "the noise floor is above {} in {blind} of the comparisons: a slowdown that small cannot be detected there \
             (--fail-on unsure fails on them)",
            percent(share)
        )
    })
}

/// The runs that are too noisy for a verdict, a line each.
pub fn unsure(comparison: &Comparison, others: &[Side]) -> Vec<String> {
    let rows = comparison.rows.iter().filter(|row| row.finding.verdict == Verdict::Unsure);
    let line = |row: &Row| {
        let name = &others[row.side].name;
        format!("{} is UNSURE in {name}: {}", row.key, next_step(&row.finding))
    };
    rows.map(line).collect()
}

/// The same for people: where there is no room for all devices beside each other, a table for each.
fn across_fitted(
    comparison: &Comparison,
    base: &Side,
    others: &[Side],
    room: Option<usize>,
) -> String {
    let table = across(comparison, base, others);
    if table.fits(room) {
        return table.fitted(room);
    }
    let one = |i| across_some(comparison, base, others, &[i]).fitted(room);
    (0..others.len()).map(one).collect::<Vec<_>>().join("\n")
}

/// A row a run: the first device's step, and each other's with verdict, ratio with its interval, and floor.
fn across(comparison: &Comparison, base: &Side, others: &[Side]) -> Table {
    let all: Vec<usize> = (0..others.len()).collect();
    across_some(comparison, base, others, &all)
}

/// The same of some of the others, by their places.
fn across_some(comparison: &Comparison, base: &Side, others: &[Side], which: &[usize]) -> Table {
    let cells = comparison.cells(base, others.len());
    let models = cells.iter().map(|cell| (&cell.key.workload, cell.key.mode));
    let models = models.collect::<HashSet<_>>().len();
    // Where it tells no rows apart, there may be no room for it.
    let batch = count("batch").spare(u8::from(models == cells.len()));
    let mut columns = vec![text("workload"), text("mode"), batch];
    let labels = labels(std::iter::once(base).chain(others));
    let side = |label: &String| {
        let integrity = text("integrity").named(format!("{label} integrity")).programs();
        [number(label, format!("{label} step_ns"), Duration), integrity]
    };
    columns.extend(side(&labels[0]));
    for label in which.iter().map(|i| &labels[1 + i]) {
        columns.extend(side(label));
        columns.extend([
            number("ratio", format!("{label} ratio"), Fixed(3)).ends(),
            number("floor", format!("{label} floor"), Percent).spare(1),
            text("verdict").named(format!("{label} verdict")),
            text("result").named(format!("{label} result")).spare(9),
        ]);
    }
    let mut table = Table::new(columns);
    for Cell { key, base_ns, rows } in cells {
        let head = fields![&key.workload, key.mode, key.batch, base_ns, base.integrity()];
        let mut fields = Vec::from(head);
        for (row, other) in which.iter().map(|&i| (rows[i], &others[i])) {
            let finding = row.map(|r| &r.finding);
            fields.extend([
                Field::from(row.map(|r| r.other_ns)),
                Field::from(other.integrity()),
                Field::from(finding.map(|f| Field::interval(f.ratio, f.ci95))),
                Field::from(finding.map(|f| f.floor)),
                Field::from(finding.map(|f| f.verdict)),
                Field::from(row.and_then(|r| r.agreement.as_ref()).map(|a| a.0)),
            ]);
        }
        table.row(fields);
    }
    let head = fields!["geometric mean", "", None::<f64>, None::<f64>, base.integrity()];
    let mut fields = Vec::from(head);
    for (i, other) in which.iter().map(|&i| (i, &others[i])) {
        let whole = comparison.overall(i);
        fields.extend([
            Field::Missing,
            Field::from(other.integrity()),
            Field::from(whole.map(|w| Field::interval(w.ratio, w.ci95))),
            Field::from(whole.map(|w| w.floor)),
            Field::from(whole.map(|w| w.verdict)),
            Field::Missing,
        ]);
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

/// The devices' names, with the driver and then a number where that alone does not tell them apart, and a mark where
/// a record was edited.
fn labels<'a>(sides: impl Iterator<Item = &'a Side>) -> Vec<String> {
    let sides: Vec<_> = sides.collect();
    let devices: Vec<_> = sides.iter().map(|side| &side.records[0].device).collect();
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
        labels.push(sides[i].integrity().mark(&label));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::compare::{self, Alike};
    use crate::terms::Mode;

    #[test]
    fn devices_that_have_no_room_beside_each_other_have_a_table_each() {
        let side = |name: &str| {
            let mut record = synthetic::record(&[("speech", Mode::Train, &[("matmul", 1000.0)])]);
            record.device.name = name.into();
            Side { name: name.into(), records: vec![record] }
        };
        let base = side("NVIDIA GeForce RTX 4090");
        let others = ["Radeon RX 7900 XTX", "Arc A770 Graphics", "M3 Max"].map(side);
        let comparison = compare::compare(&base, &others, Alike::AllButDevice).unwrap();
        let text = across_fitted(&comparison, &base, &others, Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.matches("verdict").count(), 3, "{text}");
        let whole = across_fitted(&comparison, &base, &others, None);
        assert_eq!(whole.lines().next().map(|head| head.matches("verdict").count()), Some(3));
    }
}
