//! What more parallelism brings, as tables.

use crate::analysis::scaling::{self, Axis, Curve, TypeCurve};
use crate::record::Record;
use crate::report::number::{duration_ns, percent};

use super::super::table::sections::Section;
use super::super::table::{Cell as Field, Table};
use super::{fields, fused_note, headings, place, time};

/// Types below this share of the time at every value are left out of tables for people and programs alike.
const SHOWN: f64 = 0.01;

/// A table for each workload, mode and axis.
pub(super) fn sections(records: &[Record]) -> Vec<Section> {
    let threads = scaling::threads(records);
    let batches = scaling::batches(records);
    let mut sections: Vec<_> = threads.iter().chain(&batches).map(section).collect();
    if let Some(last) = sections.pop() {
        let last = last.note(
            "serial: the share s of Amdahl's law t(n) = t1 (s + (1 - s) / n), by least squares, 0 to 1; error: root \
             mean square of the residuals over the mean time, a dash for two points, which any line meets",
        );
        let cells: Vec<_> = threads.iter().chain(&batches).map(|c| &c.cell).collect();
        sections.push(fused_note(last, cells));
    }
    sections
}

fn section(curve: &Curve) -> Section {
    let (key, unit, what) = match curve.axis {
        Axis::Threads => ("scaling_threads", "thread", "time of a step against threads"),
        Axis::Batch => ("scaling_batch", "batch", "time of a sample against the batch"),
    };
    let points: Vec<String> = curve
        .at
        .iter()
        .map(|n| match curve.axis {
            Axis::Threads if *n == 1 => ">1 thread|ns_1".into(),
            Axis::Threads => format!(">{n} threads|ns_{n}"),
            Axis::Batch => format!(">batch {n}|ns_{n}"),
        })
        .collect();
    let mut own = vec!["type", "class"];
    own.extend(points.iter().map(String::as_str));
    own.extend([">serial", ">error", ">gain"]);
    let mut table = Table::new(&headings(&own));
    let is_shown = |t: &&TypeCurve| {
        let mut shares = t.ns.iter().zip(&curve.total.ns);
        shares.any(|(ns, all)| ns / all >= SHOWN)
    };
    let shown = curve.types.iter().filter(is_shown);
    for row in shown.chain([&curve.total]) {
        let gain = row.ns.first().zip(row.ns.last()).map(|(first, last)| first / last);
        let own = [row.name.as_str().into(), row.class.to_string().into()]
            .into_iter()
            .chain(row.ns.iter().map(|&ns| time(ns)))
            .chain([
                Field::maybe(row.fit.map(|f| f.serial), |s| format!("{s:.2}")),
                Field::maybe(row.fit.and_then(|f| f.error), percent),
                Field::maybe(gain, |g| format!("{g:.2}x")),
            ]);
        table.row(fields(&curve.cell, own));
    }
    let cell = &curve.cell;
    let fixed = match curve.axis {
        Axis::Threads => format!(" batch {}", cell.batch),
        Axis::Batch => String::new(),
    };
    let mut at_rest = cell.clone();
    if curve.axis == Axis::Threads {
        at_rest.threads = None;
    }
    let title = format!("{} {}{fixed}: {what}; {}", cell.workload, cell.mode, place(&at_rest));
    let first = curve.total.ns.first().copied().unwrap_or(0.0);
    Section::new(key, title, table).note(format!(
        "types under 1 % at every {unit} count are left out; all ops at the first: {}",
        duration_ns(first)
    ))
}
