//! Whether op times stay what they are, as tables.

use crate::analysis::stationarity::{self, CellStationarity, RULE, STEPS, Verdict};
use crate::record::Record;

use super::super::table::sections::Section;
use super::super::table::{Cell as Field, Table};
use super::{fields, headings, place, share, time, title};

/// Ops below this share are left out of the tables, unless they drift or every op is asked for.
const SHOWN: f64 = 0.01;

/// An overview of all runs, then each run's ops.
pub(super) fn sections(records: &[Record], ops: bool) -> Vec<Section> {
    let all: Vec<_> = records.iter().flat_map(stationarity::stationarity).collect();
    if all.is_empty() {
        return Vec::new();
    }
    let each = all.iter().map(|cell| each_op(cell, ops));
    std::iter::once(overview(&all)).chain(each).collect()
}

fn overview(all: &[CellStationarity]) -> Section {
    let mut table = Table::new(&[
        "~device",
        "~threads",
        "workload",
        "mode",
        "~preset",
        ">batch",
        "~fused",
        ">steps",
        ">ops",
        ">drift|drifting",
        ">share of time|drifting_share",
        ">variation|cv",
    ]);
    for cell in all {
        let judged = cell.steps >= STEPS;
        let own = [
            Field::count(cell.steps),
            Field::count(cell.ops.len()),
            if judged { Field::count(cell.drifting) } else { Field::none() },
            if judged { share(cell.drifting_share) } else { Field::none() },
            cell.cv.map_or_else(Field::none, share),
        ];
        table.row(fields(&cell.cell, own));
    }
    let mut places: Vec<String> = all.iter().map(|c| place(&c.cell)).collect();
    places.dedup();
    let title = format!("Stationarity: {}", places.join("; "));
    let section = Section::new("stationarity", title, table).note(format!(
        "{RULE}. variation: standard deviation over mean, ops weighted by their time"
    ));
    let short = all.iter().filter(|c| c.steps < STEPS).count();
    if short == 0 {
        return section;
    }
    section.note(format!(
        "{short} of {} runs have fewer than {STEPS} profiled steps, on which nothing is said: `fathom analyze \
         stationarity` without a record runs {STEPS}, and so does `--min-samples {STEPS}`",
        all.len()
    ))
}

fn each_op(cell: &CellStationarity, all: bool) -> Section {
    let own = ["op", ">time|time_ns", ">share", ">variation|cv", ">drift", "verdict"];
    let mut table = Table::new(&headings(&own));
    for op in &cell.ops {
        if !all && op.share < SHOWN && op.verdict != Verdict::Drifts {
            continue;
        }
        let drift = Field::maybe(op.drift, |d| format!("{:+.1} %", 100.0 * d));
        let own = [
            op.label.as_str().into(),
            time(op.ns),
            share(op.share),
            op.cv.map_or_else(Field::none, share),
            drift,
            match op.verdict {
                Verdict::Stationary => "stationary",
                Verdict::Drifts => "NOT STATIONARY",
                Verdict::TooFewSteps => "too few steps",
                Verdict::Unknown => "unknown",
            }
            .into(),
        ];
        table.row(fields(&cell.cell, own));
    }
    let title = format!("{}, {} steps", title(&cell.cell), cell.steps);
    Section::new("stationarity_ops", title, table)
}
