//! The page's first part: what is to be doubted, every run in a row, devices side by side, and what surrounds the
//! steps: building, data, upload, encoding, playing.

use crate::compare::{self, Alike, Cell, Comparison, Side};
use crate::error::Error;
use crate::record::{Doubt, Integrity, Record, Run, RunKey, Status, doubt};
use crate::report::chart::Chart;
use crate::report::chart::speeds::{Line, Speed, speeds};
use crate::report::chart::spread::{QUANTILES, Spread, spread};
use crate::report::column::Quantity::{Bytes, Digits, Duration, Giga, Grouped, Percent, Times};
use crate::report::column::{Column, count, number, text};
use crate::report::field::Field;
use crate::report::table::{ColumnOf, Table};
use crate::stats;
use crate::terms::each_once;
use crate::{columns, fields};

use super::Section;
use super::compare::disagreements;
use super::headline::{Measured, above_peak, cautions, play};
use super::labels::Labels;

/// Runs that are named beside a kind of doubt.
const NAMED: usize = 4;

/// All of it, where there is something of its kind.
pub fn sections(records: &[Record]) -> Vec<Section> {
    let labels = Labels::of(records);
    let mut sections = vec![trust(&labels, records)];
    sections.extend(doubts(&labels, records));
    sections.push(runs(&labels, records));
    sections.extend(across(&labels, records));
    sections.push(surroundings(&labels, records));
    sections
}

/// The columns that say which run a row is of, and of several records which record.
fn columns(labels: &Labels) -> Vec<Column> {
    let run = [text("workload"), text("mode"), count("batch")];
    labels.column().into_iter().chain(run).collect()
}

/// A table with a row for each run.
fn a_row_a_run<'a, const N: usize>(
    labels: &Labels,
    records: &'a [Record],
    figures: [ColumnOf<Measured<'a>>; N],
) -> Table {
    let (figures, shown): (Vec<_>, Vec<_>) = figures.into_iter().unzip();
    let mut table = Table::new(columns(labels).into_iter().chain(figures));
    for (at, record, run) in placed(records) {
        let measured = Measured::new(record, run);
        let figures = shown.iter().map(|of| of(&measured));
        table.row(fields_of(labels, at, run).into_iter().chain(figures));
    }
    table
}

fn fields_of(labels: &Labels, at: usize, run: &Run) -> Vec<Field> {
    let mut fields = Vec::from(fields![&run.workload, run.mode, run.batch]);
    if labels.column().is_some() {
        fields.insert(0, Field::from(labels.own(at)));
    }
    fields
}

/// Every run of every record.
fn all(records: &[Record]) -> impl Iterator<Item = (&Record, &Run)> {
    placed(records).map(|(_, record, run)| (record, run))
}

/// The same with the record's place among the records.
fn placed(records: &[Record]) -> impl Iterator<Item = (usize, &Record, &Run)> {
    let places = records.iter().enumerate();
    places.flat_map(|(at, record)| record.runs.iter().map(move |run| (at, record, run)))
}

/// What was verified, and the kinds of doubt with the runs they concern.
fn trust(labels: &Labels, records: &[Record]) -> Section {
    let runs = all(records).count();
    let sound = || all(records).filter(|(record, _)| record.integrity != Integrity::Edited);
    let verified = sound().filter(|(_, run)| run.verified.status == Status::Passed).count();
    let checked: usize = sound().map(|(_, run)| run.verified.passed).sum();
    let mut table = Table::new([text("doubt"), text("runs").right(), text("among them")]);
    let every = records.iter().flat_map(|record| &record.runs);
    for (kind, of) in doubt::by_kind(every, Doubt::brief) {
        // Several records may have one run each of a key.
        let mut named = each_once(of.iter().map(|(run, _)| run.key().to_string()));
        named.truncate(NAMED);
        table.row(fields![kind, format!("{} of {runs}", of.len()), named.join(", ")]);
    }
    let said = format!(
        "{verified} of {runs} runs are verified: {checked} kernels were checked on the device before they were timed."
    );
    let edited = runs - sound().count();
    let edited = (edited > 0).then(|| {
        format!("{edited} of {runs} runs are of an EDITED record: nothing of them is verified.")
    });
    let section = Section::new("trust", "Verified and doubted", table).note(said).notes(edited);
    let of_record = |(at, record): (usize, &Record)| {
        let which = if records.len() > 1 { format!("{}: ", labels.own(at)) } else { String::new() };
        let wrong = record.runs.iter().flat_map(|run| {
            let named = |kernel| format!("wrong: {}: {kernel}", run.key());
            run.verified.wrong().iter().map(named)
        });
        let remarks = wrong.chain(record.notes.iter().cloned()).chain(cautions(record));
        remarks.map(|remark| format!("{which}{remark}")).collect::<Vec<_>>()
    };
    section.notes(records.iter().enumerate().flat_map(of_record))
}

/// Each doubt of each run, for whoever wants to know; nothing where there is none.
fn doubts(labels: &Labels, records: &[Record]) -> Option<Section> {
    let mut table = Table::new(columns(labels).into_iter().chain([text("doubt")]));
    for (at, _, run) in placed(records) {
        for doubt in &run.doubts {
            let fields = fields_of(labels, at, run).into_iter();
            table.row(fields.chain([Field::from(doubt.to_string())]));
        }
    }
    let any = all(records).any(|(_, run)| !run.doubts.is_empty());
    any.then(|| Section::new("doubts", "Every doubt, run by run", table).detail())
}

/// The figures that everybody looks for.
fn runs(labels: &Labels, records: &[Record]) -> Section {
    let figures: [ColumnOf<Measured<'_>>; 7] = columns![m:
        number("step", "step_ns", Duration) => m.run.step_ns(),
        number("±", "noise", Percent) => m.run.noise(),
        number("samples/s", "samples_per_s", Digits) => m.run.samples_per_s(),
        number("of peak", "of_peak", Percent) => m.of_peak(),
        number("memory", "memory_bytes", Bytes) => m.run.memory.planned_bytes,
        text("verified").right() => m.verified(),
        count("doubts") => m.run.doubts.len(),
    ];
    let table = a_row_a_run(labels, records, figures);
    let title = "How steps scatter: their times over the run's median";
    Section::new("runs", "Every run: the median step with its 95 % interval", table)
        .chart(scatter(labels, records, title))
        .notes(above_peak(all(records).map(|(record, run)| Measured::new(record, run))))
}

/// The spread of each run's steps; a line a kind of record.
fn scatter(labels: &Labels, records: &[Record], title: &str) -> Chart {
    let names = labels.distinct();
    let mut runs: Vec<(RunKey, Spread)> = Vec::new();
    for (at, _, run) in placed(records) {
        let Some(timing) = &run.timing else { continue };
        let key = run.key();
        let line = runs.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let spread = Spread { label: key.to_string(), devices: vec![None; names.len()] };
            runs.push((key, spread));
            runs.len() - 1
        });
        let quantiles =
            QUANTILES.map(|p| stats::quantile(&timing.step_ns, p) / timing.step.median_ns);
        if let Some(kind) = names.iter().position(|name| *name == labels.kind(at)) {
            runs[line].1.devices[kind] = Some(quantiles);
        }
    }
    let runs: Vec<_> = runs.into_iter().map(|(_, spread)| spread).collect();
    let mut note =
        "a box holds half of the steps, the line nine in ten; a thin box at 1 is a steady device"
            .to_string();
    if names.len() < records.len() {
        note += "; of records that differ in their date alone, the last one's steps are shown";
    }
    Chart::new(title, spread(title, &names, &runs)).note(note)
}

/// What a step's time does not hold.
fn surroundings(labels: &Labels, records: &[Record]) -> Section {
    let figures: [ColumnOf<Measured<'_>>; 12] = columns![m:
        number("build", "build_ns", Duration) => m.run.build_ns,
        number("batch data", "data_ns", Duration) => m.run.data_ns,
        number("upload", "upload_ns", Duration) => m.run.upload_ns,
        number("encode", "encode_ns", Duration) => m.timing.map(|t| t.encode_ns),
        number("in flight", "overlapped_ns", Duration) => m.timing.and_then(|t| t.overlapped_ns),
        number("latency", "latency_ns", Duration) => m.timing.and_then(|t| t.latency_ns),
        // With spaces: a narrow page breaks it there.
        number("profiled / timed", "profiled_over_timed", Digits) => m.run.profiled_over_timed(),
        number("gpu/wall", "gpu_share", Percent) => m.gpu_share(),
        number("gaps", "gap_share", Percent) => m.run.gap_share(),
        number("GFLOP/s", "flop_per_s", Giga) => m.run.flop_per_s(),
        number("parameters", "parameters", Grouped) => m.run.parameters,
        count("dispatches") => m.run.dispatches,
    ];
    let table = a_row_a_run(labels, records, figures);
    let plays = placed(records).filter_map(|(at, _, run)| {
        let played = play(run.playing.as_ref()?, run.step_ns()?);
        Some(format!("{} on {}: {played}", run.key(), labels.own(at)))
    });
    Section::new("surroundings", "Around the steps", table).notes(plays)
}

/// Devices, drivers and programs side by side, each over the first; nothing where there is one.
fn across(labels: &Labels, records: &[Record]) -> Option<Section> {
    let kinds = labels.distinct();
    if kinds.len() < 2 {
        return None;
    }
    let side = |kind: &&str| {
        let of_kind = records.iter().enumerate().filter(|(at, _)| labels.kind(*at) == *kind);
        Side {
            name: kind.to_string(),
            records: of_kind.map(|(_, record)| record.clone()).collect(),
        }
    };
    let sides: Vec<Side> = kinds.iter().map(side).collect();
    let (base, others) = sides.split_first()?;
    let heading = "Side by side: how many times as fast as the first";
    Some(match compare::compare(base, others, Alike::AllButDevice) {
        Ok(comparison) => speedups(&comparison, base, others, heading),
        Err(error) => {
            let why = match error {
                Error::Incomparable(why) => why,
                other => other.to_string(),
            };
            Section::new("across", heading, Table::new([text("device")])).note(why)
        }
    })
}

fn speedups(comparison: &Comparison, base: &Side, others: &[Side], heading: &str) -> Section {
    let base_step = number(&base.name, "base_ns", Duration);
    let mut columns = vec![text("workload"), text("mode"), count("batch"), base_step];
    for side in others {
        columns.push(number(&side.name, "speed_up", Times).ends());
        columns.push(text("result").named(format!("{} result", side.name)));
    }
    let mut table = Table::new(columns);
    let mut lines = Vec::new();
    for Cell { key, base_ns, rows } in comparison.cells(base, others.len()) {
        let speed = |row: &compare::Row| speed(row.finding.ratio, row.finding.ci95);
        let speeds: Vec<_> = rows.iter().map(|row| row.map(speed)).collect();
        let mut fields = Vec::from(fields![&key.workload, key.mode, key.batch, base_ns]);
        for (speed, row) in speeds.iter().zip(&rows) {
            let agreement = row.and_then(|row| row.agreement.as_ref());
            fields.push(speed.map(|(value, ends)| Field::interval(value, ends)).into());
            fields.push(agreement.map(|(agreement, ..)| *agreement).into());
        }
        table.row(fields);
        lines.push(Line { label: format!("{} {}", key.workload, key.mode), speeds });
    }
    let mut fields = Vec::from(fields!["geometric mean", "", None::<f64>, None::<f64>]);
    for side in 0..others.len() {
        let whole = comparison.overall(side).map(|whole| speed(whole.ratio, whole.ci95));
        fields.push(whole.map(|(value, ends)| Field::interval(value, ends)).into());
        fields.push(Field::Missing);
    }
    table.row(fields);
    let names: Vec<_> = others.iter().map(|side| side.name.as_str()).collect();
    let title = format!("How many times as fast as {}, on a logarithmic scale", base.name);
    Section::new("across", heading, table)
        .chart(Chart::new(&title, speeds(&title, &names, &lines)))
        .note("in brackets the 95 % interval; an interval that holds 1 shows no difference")
        .note(
            "result: what the first steps from the seed gave is the same to rounding (PASS), near (CLOSE) or DIFFERENT",
        )
        .notes(disagreements(comparison, base, others))
        .notes(&comparison.notes)
        .notes(comparison.missing.iter().map(ToString::to_string))
}

/// How many times as fast, of a ratio of times, which is above 1 where the other is slower.
fn speed(ratio: f64, (low, high): (f64, f64)) -> Speed {
    (1.0 / ratio, (1.0 / high, 1.0 / low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::record::{Outcome, Sketch, Worst};
    use crate::terms::Mode;

    fn record(device: &str, ns: f64) -> Record {
        let ops = [("matmul", ns)];
        let mut record =
            synthetic::record(&[("speech", Mode::Train, &ops), ("vgg", Mode::Infer, &ops)]);
        record.device.name = device.into();
        record
    }

    #[test]
    fn doubts_and_verification_come_first() {
        let mut record = record("a", 1000.0);
        record.runs[1].doubts = vec![Doubt::Loss];
        let wrong = |label: &str| Worst { label: label.into(), error: None, detail: None };
        record.notes = vec!["cut short: 2 of 16 runs were measured".into()];
        record.peaks.raised_by = Some("matmul/tile".into());
        let sections = sections(std::slice::from_ref(&record));
        assert_eq!(sections[0].key, "trust");
        let table = sections[0].table.render(crate::report::Format::Csv).unwrap();
        assert!(table.contains("the loss is not a number,1 of 2,vgg infer batch 4"), "{table}");
        assert!(sections[0].notes[0].starts_with("2 of 2 runs are verified"));
        assert!(sections[0].notes[1].contains("cut short"));
        assert!(sections[0].notes[2].starts_with("matmul/tile was faster than the probe"));
        let verified = &mut record.runs[1].verified;
        verified.status = Status::Failed;
        verified.failed = vec![wrong("a.matmul/tile"), wrong("b.reduce/rows")];
        let notes = &super::sections(&[record])[0].notes;
        assert_eq!(notes[1], "wrong: vgg infer batch 4: a.matmul/tile: beyond its bound");
        assert!(notes[2].contains("b.reduce/rows"), "{notes:?}");
        let keys: Vec<_> = sections.iter().map(|section| section.key).collect();
        assert_eq!(
            keys,
            ["trust", "doubts", "runs", "surroundings"],
            "one device has none beside it"
        );
    }

    #[test]
    fn devices_stand_side_by_side_with_speed_ups_and_intervals() {
        let mut records = [record("a", 1000.0), record("b", 500.0), record("c", 2000.0)];
        for (record, weight) in records.iter_mut().zip([1.0, 1.0, 1.1]) {
            let tensors = vec![Sketch::of("w", &[weight; 16])];
            record.runs[0].outcome = Some(Outcome { steps: 3, loss: Some(2.3), tensors });
        }
        let sections = sections(&records);
        let across = sections.iter().find(|section| section.key == "across").unwrap();
        let shown = across.table.render(crate::report::Format::Md).unwrap();
        assert!(shown.contains("2.00x") && shown.contains("0.50x"), "{shown}");
        assert!(shown.contains("DIFFERENT") && shown.contains("PASS"), "{shown}");
        assert!(across.notes.iter().any(|note| note.contains("w by 9.1")), "{:?}", across.notes);
        assert_eq!(across.charts.len(), 1);
        let runs = sections.iter().find(|section| section.key == "runs").unwrap();
        let scatter = format!("{:?}", runs.charts);
        for expected in ["device-2", "c: half of the steps from"] {
            assert!(scatter.contains(expected), "{scatter}");
        }
        let headings = shown.lines().next().unwrap();
        assert!(headings.contains(" b ") && headings.contains(" c "), "{headings}");
    }

    #[test]
    fn rows_of_records_of_one_device_are_told_apart() {
        let old = record("a", 1000.0);
        let mut new = record("a", 500.0);
        new.device.driver = "2.0".into();
        let sections = sections(&[old, new]);
        let of = |key| sections.iter().find(|section| section.key == key).unwrap();
        for key in ["runs", "surroundings"] {
            let shown = of(key).table.render(crate::report::Format::Md).unwrap();
            let rows: Vec<_> = shown.lines().skip(2).collect();
            let (old, new) = rows.split_at(2);
            assert!(new.iter().all(|row| row.contains("a, 2.0")), "{shown}");
            assert!(old.iter().all(|row| !row.contains("a, 2.0")), "{shown}");
        }
        let across = of("across").table.render(crate::report::Format::Md).unwrap();
        assert!(across.contains("a, 2.0") && across.contains("2.00x"), "{across}");
    }
}
