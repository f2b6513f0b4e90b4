//! Where time goes, as tables.

use crate::analysis::Cell;
use crate::analysis::profile::{self, Bound, CellProfile, Roofline, TypeTime};
use crate::record::{Peaks, Record};
use crate::report::number::{byte_rate, bytes, digits, duration_ns, flop_rate, percent};

use super::super::table::sections::Section;
use super::super::table::{Cell as Field, Table};
use super::{fields, fused_note, headings, place, share, time, title};

/// Types named in the overview.
const NAMED: usize = 3;

/// An overview of all runs, then each run's types, and its ops where `ops` is set.
pub(super) fn sections(records: &[Record], ops: bool) -> Vec<Section> {
    let all: Vec<(&Record, CellProfile)> = records
        .iter()
        .flat_map(|r| profile::profile(r).into_iter().map(move |cell| (r, cell)))
        .collect();
    if all.is_empty() {
        return Vec::new();
    }
    let mut sections = vec![overview(&all)];
    sections.extend(all.iter().map(|(record, cell)| types(cell, &record.peaks)));
    if ops {
        sections.extend(all.iter().map(|(_, cell)| each_op(cell)));
    }
    sections
}

fn overview(all: &[(&Record, CellProfile)]) -> Section {
    let mut table = Table::new(&[
        "~device",
        "~threads",
        "workload",
        "mode",
        "~preset",
        ">batch",
        "~fused",
        ">types",
        ">to 90 %|to_90",
        ">A",
        ">B",
        ">C",
        ">D",
        ">E",
        ">F",
        ">G",
        ">gaps|gap_share",
        ">step|span_ns",
        ">planned|planned_bytes",
        ">peak|peak_bytes",
        "longest",
    ]);
    for (_, cell) in all {
        let longest: Vec<_> = cell
            .types
            .iter()
            .take(NAMED)
            .map(|t| format!("{} {:.0} %", t.name, 100.0 * t.share))
            .collect();
        let size = |n: u64| Field::maybe(Some(n as f64), bytes);
        let own = [Field::count(cell.types.len()), Field::count(cell.to_dominance)]
            .into_iter()
            .chain(cell.classes.iter().map(|c| share(c.share)))
            .chain([
                share(cell.gap_share),
                time(cell.span_ns),
                size(cell.planned_bytes),
                size(cell.peak_bytes),
                longest.join(", ").into(),
            ]);
        table.row(fields(&cell.cell, own));
    }
    let names: Vec<_> = crate::analysis::class::CLASSES
        .iter()
        .map(|c| format!("{} {}", c.letter, c.name))
        .collect();
    let mut places: Vec<String> = all.iter().map(|(_, c)| place(&c.cell)).collect();
    places.dedup();
    let section = Section::new(
        "profile",
        format!("Where time goes: {}", places.join("; ")),
        table,
    )
    .note(format!("shares of the ops' time; {}", names.join(", ")))
    .note(
        "to 90 %: op types that reach nine tenths of it; gaps: share of a profiled step between ops; planned: all \
         buffers; peak: what is alive at the fullest moment, the least any plan needs",
    );
    let cells: Vec<&Cell> = all.iter().map(|(_, c)| &c.cell).collect();
    fused_note(section, cells)
}

const WORK: [&str; 6] = [
    ">FLOP/byte|flop_per_byte",
    ">rate|flop_per_s",
    ">bandwidth|bytes_per_s",
    "bound",
    ">of roof|of_roof",
    "~flops",
];

fn work(roofline: &Roofline) -> [Field; 6] {
    [
        Field::maybe(roofline.intensity, digits),
        Field::maybe(roofline.flop_per_s, flop_rate),
        Field::maybe(roofline.bytes_per_s, byte_rate),
        match roofline.bound {
            Bound::Memory => "memory",
            Bound::Compute => "compute",
        }
        .into(),
        Field::maybe(roofline.of_roof, percent),
        Field::maybe(Some(roofline.flops as f64), digits),
    ]
}

fn types(cell: &CellProfile, peaks: &Peaks) -> Section {
    let own = [
        "type",
        "class",
        ">calls",
        ">fused|fused_calls",
        ">time|time_ns",
        ">share",
        ">sum|cumulative",
    ];
    let mut table = Table::new(&headings(&[&own[..], &WORK[..]].concat()));
    for row in profile::gathered(&cell.types, peaks) {
        let TypeTime { name, class, calls, fused_calls, ns, cumulative, .. } = row;
        let own = [
            name.into(),
            class.to_string().into(),
            Field::count(calls),
            Field::count(fused_calls),
            time(ns),
            share(row.share),
            share(cumulative),
        ];
        table.row(fields(&cell.cell, own.into_iter().chain(work(&row.roofline))));
    }
    let ridge = peaks.fma_f32_flop_per_s / peaks.copy_bytes_per_s;
    let section = Section::new("types", title(&cell.cell), table);
    section.note(format!(
        "ops {} + gaps {} ({}) = span {}, median of {} steps; ceilings {} and {}, so memory binds below {} FLOP/byte",
        duration_ns(cell.span_ns - cell.gaps_ns),
        duration_ns(cell.gaps_ns),
        percent(cell.gap_share),
        duration_ns(cell.span_ns),
        cell.steps,
        flop_rate(peaks.fma_f32_flop_per_s),
        byte_rate(peaks.copy_bytes_per_s),
        digits(ridge),
    ))
}

fn each_op(cell: &CellProfile) -> Section {
    let own = ["op", "type", "class", "phase", ">time|time_ns", ">share"];
    let mut table = Table::new(&headings(&[&own[..], &WORK[..]].concat()));
    for op in &cell.ops {
        let own = [
            op.label.as_str().into(),
            op.types.join("+").into(),
            op.class.to_string().into(),
            op.phase.name().into(),
            time(op.ns),
            share(op.share),
        ];
        table.row(fields(&cell.cell, own.into_iter().chain(work(&op.roofline))));
    }
    Section::new("ops", format!("{}, op by op", title(&cell.cell)), table)
}
