//! The page's first part: what is to be doubted, every run in a row, devices side by side, and what surrounds the
//! steps: building, data, upload, encoding, playing.

use crate::compare::{self, Alike, Cell, Comparison, Side};
use crate::error::Error;
use crate::record::{Doubt, Integrity, Record, Run, RunKey, Status, doubt};
use crate::report::chart::Chart;
use crate::report::chart::speeds::{Line, speeds};
use crate::report::chart::spread::{QUANTILES, Spread, spread};
use crate::report::column::Quantity::{Bytes, Digits, Duration, Giga, Grouped, Percent, Times};
use crate::report::column::{Column, count, number, text};
use crate::report::field::Field;
use crate::report::table::{ColumnOf, Table};
use crate::stats;
use crate::{columns, fields};

use super::Section;
use super::compare::disagreements;
use super::headline::{Measured, play};

/// Runs that are named beside a kind of doubt.
const NAMED: usize = 4;

/// All of it, where there is something of its kind.
pub fn sections(records: &[Record]) -> Vec<Section> {
    let mut sections = vec![trust(records)];
    sections.extend(doubts(records));
    sections.push(runs(records));
    sections.extend(across(records));
    sections.push(surroundings(records));
    sections
}

/// The columns that say which run a row is of; the device where there are several.
fn columns(records: &[Record]) -> Vec<Column> {
    let mut columns = vec![text("workload"), text("mode"), count("batch")];
    if devices(records).len() > 1 {
        columns.insert(0, text("device"));
    }
    columns
}

/// A table with a row for each run.
fn a_row_a_run<'a, const N: usize>(
    records: &'a [Record],
    figures: [ColumnOf<Measured<'a>>; N],
) -> Table {
    let (figures, shown): (Vec<_>, Vec<_>) = figures.into_iter().unzip();
    let mut table = Table::new(columns(records).into_iter().chain(figures));
    for (record, run) in all(records) {
        let measured = Measured::new(record, run);
        let figures = shown.iter().map(|of| of(&measured));
        table.row(fields_of(records, record, run).into_iter().chain(figures));
    }
    table
}

fn fields_of(records: &[Record], record: &Record, run: &Run) -> Vec<Field> {
    let mut fields = Vec::from(fields![&run.workload, run.mode, run.batch]);
    if devices(records).len() > 1 {
        fields.insert(0, Field::from(record.device_name()));
    }
    fields
}

/// Every run of every record.
fn all(records: &[Record]) -> impl Iterator<Item = (&Record, &Run)> {
    records.iter().flat_map(|record| record.runs.iter().map(move |run| (record, run)))
}

/// What was verified, and the kinds of doubt with the runs they concern.
fn trust(records: &[Record]) -> Section {
    let runs = all(records).count();
    let sound = || all(records).filter(|(record, _)| record.integrity != Integrity::Edited);
    let verified = sound().filter(|(_, run)| run.verified.status == Status::Passed).count();
    let checked: usize = sound().map(|(_, run)| run.verified.passed).sum();
    let mut table = Table::new([text("doubt"), text("runs").right(), text("among them")]);
    let every = records.iter().flat_map(|record| &record.runs);
    for (kind, of) in doubt::by_kind(every, Doubt::brief) {
        let mut named: Vec<String> = Vec::new();
        // Several records may have one run each of a key.
        for key in of.iter().map(|(run, _)| run.key().to_string()) {
            if named.len() < NAMED && !named.contains(&key) {
                named.push(key);
            }
        }
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
    records.iter().flat_map(|record| &record.notes).fold(section, Section::note)
}

/// Each doubt of each run, for whoever wants to know; nothing where there is none.
fn doubts(records: &[Record]) -> Option<Section> {
    let mut table = Table::new(columns(records).into_iter().chain([text("doubt")]));
    for (record, run) in all(records) {
        for doubt in &run.doubts {
            let fields = fields_of(records, record, run).into_iter();
            table.row(fields.chain([Field::from(doubt.to_string())]));
        }
    }
    let any = all(records).any(|(_, run)| !run.doubts.is_empty());
    any.then(|| Section::new("doubts", "Every doubt, run by run", table).detail())
}

/// The figures that everybody looks for.
fn runs(records: &[Record]) -> Section {
    let figures: [ColumnOf<Measured<'_>>; 7] = columns![m:
        number("step", "step_ns", Duration) => m.run.step_ns(),
        number("±", "noise", Percent) => m.run.noise(),
        number("samples/s", "samples_per_s", Digits) => m.run.samples_per_s(),
        number("of peak", "of_peak", Percent) => m.of_peak(),
        number("memory", "memory_bytes", Bytes) => m.run.memory.planned_bytes,
        text("verified").right() => m.verified(),
        count("doubts") => m.run.doubts.len(),
    ];
    let table = a_row_a_run(records, figures);
    let title = "How steps scatter: their times over the run's median";
    Section::new("runs", "Every run: the median step with its 95 % interval", table)
        .chart(scatter(records, title))
}

/// The spread of each run's steps; a line a device.
fn scatter(records: &[Record], title: &str) -> Chart {
    let names = devices(records);
    let mut runs: Vec<(RunKey, Spread)> = Vec::new();
    for (record, run) in all(records) {
        let Some(timing) = &run.timing else { continue };
        let key = run.key();
        let at = runs.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let spread = Spread { label: key.to_string(), devices: vec![None; names.len()] };
            runs.push((key, spread));
            runs.len() - 1
        });
        let quantiles =
            QUANTILES.map(|p| stats::quantile(&timing.step_ns, p) / timing.step.median_ns);
        let device = names.iter().position(|name| *name == record.device_name());
        // Of several records of a device, the last is shown.
        if let Some(device) = device {
            runs[at].1.devices[device] = Some(quantiles);
        }
    }
    let runs: Vec<_> = runs.into_iter().map(|(_, spread)| spread).collect();
    let note =
        "a box holds half of the steps, the line nine in ten; a thin box at 1 is a steady device";
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    Chart::new(title, spread(title, &names, &runs)).note(note)
}

/// What a step's time does not hold.
fn surroundings(records: &[Record]) -> Section {
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
    let table = a_row_a_run(records, figures);
    let mut section = Section::new("surroundings", "Around the steps", table);
    for (record, run) in all(records) {
        if let (Some(playing), Some(step)) = (&run.playing, run.step_ns()) {
            section = section.note(format!(
                "{} on {}: {}",
                run.key(),
                record.device_name(),
                play(playing, step)
            ));
        }
    }
    section
}

/// The names of the devices, each once; what an edited record tells of one has a name of its own.
fn devices(records: &[Record]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in records.iter().map(Record::device_name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Devices side by side, each over the first; nothing where there is one.
fn across(records: &[Record]) -> Option<Section> {
    let names = devices(records);
    if names.len() < 2 {
        return None;
    }
    let side = |name: &String| Side {
        name: name.clone(),
        records: records.iter().filter(|record| record.device_name() == *name).cloned().collect(),
    };
    let sides: Vec<Side> = names.iter().map(side).collect();
    let (base, others) = sides.split_first()?;
    let heading = "Devices side by side: how many times as fast as the first";
    Some(match compare::compare(base, others, Alike::AllButDevice) {
        Ok(comparison) => speedups(&comparison, base, others, heading),
        Err(Error::Incomparable(why)) => {
            Section::new("across", heading, Table::new([text("device")])).note(why)
        }
        Err(other) => {
            Section::new("across", heading, Table::new([text("device")])).note(other.to_string())
        }
    })
}

fn speedups(comparison: &Comparison, base: &Side, others: &[Side], heading: &str) -> Section {
    let mut columns = vec![text("workload"), text("mode"), count("batch")];
    columns.push(number(&base.name, "base_ns", Duration));
    for side in others {
        columns.push(number(&side.name, "speed_up", Times).ends());
        columns.push(text("result").named(format!("{} result", side.name)));
    }
    let mut table = Table::new(columns);
    let mut lines = Vec::new();
    for Cell { key, base_ns, rows } in comparison.cells(base, others.len()) {
        // A ratio of times is above 1 where the other is slower.
        let speed = |row: &compare::Row| {
            let (low, high) = row.finding.ci95;
            (1.0 / row.finding.ratio, 1.0 / high, 1.0 / low)
        };
        let speeds: Vec<_> = rows.iter().map(|row| row.map(speed)).collect();
        let mut fields = Vec::from(fields![&key.workload, key.mode, key.batch, base_ns]);
        for (speed, row) in speeds.iter().zip(&rows) {
            fields.push(match *speed {
                Some((value, low, high)) => Field::Interval { value, low, high },
                None => Field::Missing,
            });
            let agreement = row.and_then(|row| row.agreement.as_ref());
            fields.push(Field::from(agreement.map(|(agreement, ..)| agreement.name())));
        }
        table.row(fields);
        lines.push(Line { label: format!("{} {}", key.workload, key.mode), speeds });
    }
    let mut fields = Vec::from(fields!["geometric mean", "", None::<f64>, None::<f64>]);
    for side in 0..others.len() {
        fields.push(match comparison.overall(side) {
            Some(whole) => {
                let (low, high) = whole.ci95;
                Field::Interval { value: 1.0 / whole.ratio, low: 1.0 / high, high: 1.0 / low }
            }
            None => Field::Missing,
        });
        fields.push(Field::Missing);
    }
    table.row(fields);
    let names: Vec<_> = others.iter().map(|side| side.name.as_str()).collect();
    let title = format!("How many times as fast as {}, on a logarithmic scale", base.name);
    let section = Section::new("across", heading, table)
        .chart(Chart::new(&title, speeds(&title, &names, &lines)))
        .note("in brackets the 95 % interval; an interval that holds 1 shows no difference")
        .note(
            "result: what the first steps from the seed gave is the same to rounding (PASS), near (CLOSE) or DIFFERENT",
        )
        .notes(disagreements(comparison, base, others));
    let missing = comparison.missing.iter().map(ToString::to_string);
    let notes = comparison.notes.iter().cloned().chain(missing);
    notes.fold(section, Section::note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::record::{Outcome, Sketch};
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
        record.notes = vec!["cut short: 2 of 16 runs were measured".into()];
        let sections = sections(&[record]);
        assert_eq!(sections[0].key, "trust");
        let table = sections[0].table.render(crate::report::Format::Csv).unwrap();
        assert!(table.contains("the loss is not a number,1 of 2,vgg infer batch 4"), "{table}");
        assert!(sections[0].notes[0].starts_with("2 of 2 runs are verified"));
        assert!(sections[0].notes[1].contains("cut short"));
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
}
