//! Where time goes: an overview of all runs, then each run's op types, and its ops on request.

use crate::analysis::profile::{self, Bound, Roofline, RunProfile};
use crate::fields;
use crate::record::Record;
use crate::report::chart::bars::{Bar, bars, classes};
use crate::report::chart::{Chart, profile as chart};
use crate::report::column::Quantity::{self, ByteRate, Bytes, Digits, Duration, FlopRate, Percent};
use crate::report::column::{Column, count, number, text};
use crate::report::field::Field;
use crate::report::number::{byte_rate, digits, flop_rate, percent};
use crate::terms::{Class, counted};

use super::headline::over_timed;
use super::labels::Labels;
use super::{
    Analysis, Options, Sample, Section, context_fields, overview, overview_fields, places, title,
    with_context,
};

/// Where time goes.
pub const ANALYSIS: Analysis = Analysis {
    name: "profile",
    heading: "Where time goes",
    charts: "Colours stand for the paper's seven classes of operation, named above.",
    needs: "a run made without --no-profile on a device with timestamps",
    sample: Sample::Profiled(1),
    sections,
};

/// Types named in the overview.
const NAMED: usize = 3;

/// Ops in the chart of the longest.
const LONGEST: usize = 10;

fn sections(records: &[Record], options: &Options) -> Vec<Section> {
    let of = |record| profile::profile(record).into_iter().map(move |profile| (record, profile));
    let profiles: Vec<(&Record, RunProfile)> = records.iter().flat_map(of).collect();
    if profiles.is_empty() {
        return Vec::new();
    }
    let labels = Labels::of(records);
    let mut sections = vec![all_runs(&labels, &profiles)];
    sections.extend(profiles.iter().map(|(record, profile)| types(&labels, profile, record)));
    if options.ops {
        sections.extend(profiles.iter().map(|(record, profile)| ops(&labels, profile, record)));
    }
    sections
}

fn all_runs(labels: &Labels, profiles: &[(&Record, RunProfile)]) -> Section {
    let head = [count("types").spare(6), count("to 90 %").named("to_90").spare(5)];
    let tail = [
        number("gaps", "gap_share", Percent).spare(4),
        number("profiled step", "span_ns", Duration).spare(2),
        number("planned", "planned_bytes", Bytes).spare(8),
        number("peak", "peak_bytes", Bytes).spare(7),
        text("longest").spare(3),
    ];
    let letters = Class::ALL.iter().map(|class| {
        let letter = class.letter().to_string();
        // A step has little of these.
        let is_small = matches!(class, Class::Elementwise | Class::Random);
        number(letter.clone(), letter, Percent).spare(u8::from(is_small))
    });
    let mut table = overview(labels, head.into_iter().chain(letters).chain(tail));
    let mut stacks = Vec::new();
    for (_, profile) in profiles {
        let longest = profile.types.iter().take(NAMED);
        let longest: Vec<_> =
            longest.map(|t| format!("{} {:.0} %", t.name, 100.0 * t.share)).collect();
        let head = fields![profile.types.len(), profile.to_dominance];
        let tail = fields![
            profile.gap_share,
            profile.span_ns,
            profile.planned_bytes,
            profile.peak_bytes,
            longest.join(", ")
        ];
        let shares = profile.classes.iter().map(|class| Field::from(class.share));
        let row = overview_fields(labels, &profile.context).into_iter().chain(head);
        table.row(row.chain(shares).chain(tail));
        stacks.push((title(labels, &profile.context), profile.classes.as_slice()));
    }
    let names: Vec<_> =
        Class::ALL.iter().map(|class| format!("{class} {}", class.title())).collect();
    let contexts = || profiles.iter().map(|(_, profile)| &profile.context);
    let heading = format!("Where time goes: {}", places(contexts()));
    Section::new("profile", heading, table)
        .chart(Chart::new("Share of time by class", classes(&stacks)))
        .note(format!("shares are of the total op time; {}", names.join(", ")))
        .note(
            "to 90 %: how many op types make up 90 % of that time; gaps: share of a profiled step between ops; \
             planned: all buffers; peak: the most bytes alive at once, the minimum for any plan",
        )
        .note_fusion(contexts())
}

/// The columns of a [`Roofline`].
fn roofline_columns() -> [Column; 6] {
    [
        number("FLOP/byte", "flop_per_byte", Digits).spare(5),
        number("rate", "flop_per_s", FlopRate).spare(3),
        number("bandwidth", "bytes_per_s", ByteRate).spare(6),
        text("bound").spare(1),
        number("of roof", "of_roof", Percent),
        count("flops").programs(),
    ]
}

fn roofline_fields(roofline: &Roofline) -> [Field; 6] {
    fields![
        roofline.intensity,
        roofline.flop_per_s,
        roofline.bytes_per_s,
        roofline.bound,
        roofline.of_roof,
        roofline.flops
    ]
}

/// How ops' times are shown: in no more digits than their clock has, where a browser rounds it.
fn op_time(record: &Record) -> Quantity {
    let finest = record.device.limits.timestamp_resolution_ns;
    finest.map_or(Duration, |finest| Quantity::RoundedDuration(finest as u64))
}

fn types(labels: &Labels, profile: &RunProfile, record: &Record) -> Section {
    let time = op_time(record);
    let columns = [
        text("type"),
        text("class"),
        count("calls"),
        count("fused").named("fused_calls").spare(7),
        number("time", "time_ns", time),
        number("share", "share", Percent),
        number("sum", "cumulative", Percent).spare(4),
    ];
    let mut table = with_context(columns.into_iter().chain(roofline_columns()));
    for kind in profile::gathered(&profile.types, record) {
        let row = fields![
            &kind.name,
            kind.class,
            kind.calls,
            kind.fused_calls,
            kind.ns,
            kind.share,
            kind.cumulative
        ];
        let fields = context_fields(&profile.context).into_iter().chain(row);
        table.row(fields.chain(roofline_fields(&kind.roofline)));
    }
    let section = Section::new("types", title(labels, &profile.context), table)
        .detail()
        .chart(Chart::new(
            "The longest ops: bars as in the table, whiskers span the 5th to the 95th percentile of the steps",
            longest(profile, time),
        ))
        .chart(Chart::new(
            "Dominance: cumulative share of time of the longest op types; the line marks 90 %",
            chart::dominance(&profile.types, profile.to_dominance),
        ));
    roofline(profile, record)
        .into_iter()
        .fold(section, Section::chart)
        .note(summary(profile, record))
        .notes(above_roof(profile))
}

/// The ops under their roof; nothing without ceilings.
fn roofline(profile: &RunProfile, record: &Record) -> Option<Chart> {
    let (svg, unplaced) = chart::roofline(&profile.ops, &record.peaks)?;
    let title = "Roofline: each op under the ceilings measured in the same run; closer to the line is better";
    let are = if unplaced == 1 { "is" } else { "are" };
    let note = (unplaced > 0).then(|| {
        let ops = counted(unplaced, "op");
        format!("{ops} without arithmetic, or too short for the clock, {are} not shown.")
    });
    Some(Chart::new(title, svg).note(note.unwrap_or_default()))
}

/// That ops and gaps sum up to a step, and where the ceilings cross.
fn summary(profile: &RunProfile, record: &Record) -> String {
    let (peaks, time) = (&record.peaks, op_time(record));
    format!(
        "ops {} + gaps {} ({}) = a profiled step of {}{}; {} steps profiled; ceilings {} and {}, so memory binds below {} \
         FLOP/byte",
        time.show(profile.ops_ns),
        time.show(profile.gaps_ns),
        percent(profile.gap_share),
        time.show(profile.span_ns),
        over_timed(profile.over_timed),
        profile.steps,
        flop_rate(peaks.fma_f32_flop_per_s),
        byte_rate(peaks.copy_bytes_per_s),
        digits(peaks.fma_f32_flop_per_s / peaks.copy_bytes_per_s),
    )
}

/// Why an op can be above its roof, where one is.
fn above_roof(profile: &RunProfile) -> Option<String> {
    let above =
        profile.ops.iter().filter(|op| op.roofline.of_roof.is_some_and(|share| share > 1.0));
    let bound = |bound| above.clone().filter(|op| op.roofline.bound == bound).count();
    let (memory, compute) = (bound(Bound::Memory), bound(Bound::Compute));
    (memory + compute > 0).then(|| {
        format!(
            "above 100 % of the roof: {} held by memory, whose operands lay in a cache, and {compute} held by \
             arithmetic, which were too short to be timed well, ran faster than the probe or took fewer multiply-adds \
             than the definition ('winograd')",
            counted(memory, "op")
        )
    })
}

fn longest(profile: &RunProfile, time: Quantity) -> String {
    let mut ops: Vec<_> = profile.ops.iter().filter(|op| op.middle_ns.is_some()).collect();
    ops.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    let bar = |op: &&profile::OpPlace| Bar {
        label: op.label.split('[').next().unwrap_or_default().into(),
        value: op.ns,
        interval: op.middle_ns,
        style: format!("class-{}", op.class),
        shown: time.show(op.ns),
    };
    let chosen: Vec<Bar> = ops.iter().take(LONGEST).map(bar).collect();
    bars("The longest ops: time, with the 5th to the 95th percentile of the steps", &chosen)
}

fn ops(labels: &Labels, profile: &RunProfile, record: &Record) -> Section {
    let time = op_time(record);
    let columns = [
        count("#").page(),
        text("op"),
        text("type").spare(2),
        text("class"),
        text("phase").spare(8),
        number("time", "time_ns", time),
        number("5 %", "p05_ns", time).wide(),
        number("95 %", "p95_ns", time).wide(),
        number("share", "share", Percent),
    ];
    let mut table = with_context(columns.into_iter().chain(roofline_columns()));
    for (i, op) in profile.ops.iter().enumerate() {
        let row = fields![
            i + 1,
            &op.label,
            op.types.join("+"),
            op.class,
            op.phase,
            op.ns,
            op.middle_ns.map(|ends| ends.0),
            op.middle_ns.map(|ends| ends.1),
            op.share
        ];
        let fields = context_fields(&profile.context).into_iter().chain(row);
        table.row(fields.chain(roofline_fields(&op.roofline)));
    }
    Section::new("ops", format!("{}, op by op", title(labels, &profile.context)), table).detail()
}
