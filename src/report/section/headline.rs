//! The headline: what was run on which device, a row per run, then the doubts; each run's op types on demand.
//!
//! It can be had whole, or in the pieces in which a run prints it: [`opening`], a [`row`] as each run ends,
//! [`closing`].

use serde::Serialize;
use serde_json::Value;

use crate::analysis::profile::{self, TypeTime};
use crate::columns;
use crate::error::{Error, Result, plain};
use crate::record::{Clock, Doubt, Integrity, Record, Run, Status, Timing, doubt};
use crate::report::Format;
use crate::report::column::Quantity::{Bytes, Digits, Duration, FlopRate, Giga, Grouped, Percent};
use crate::report::column::{count, number, text};
use crate::report::number::{byte_rate, duration_ns, flop_rate};
use crate::report::table::{ColumnOf, Table, paragraph, sentence};

use super::labels::fused;

mod caveats;
mod facts;

use caveats::wrong;
pub(super) use caveats::{above_peak, cautions};
use facts::facts;
pub(super) use facts::play;

/// Kinds of doubt that are printed; the rest are counted.
const MOST_DOUBTS: usize = 3;

/// A record in a form: JSON is the record itself, a line of JSON or a row of CSV is a run.
///
/// # Errors
/// As [`Record::to_json`] and [`Table::render`].
pub fn render(record: &Record, format: Format) -> Result<String> {
    match format {
        Format::Table | Format::Md => {
            let table = runs(std::slice::from_ref(record));
            let head = head(record, format);
            Ok(head + &table.drawn(format) + &following(record, format, true, usize::MAX)?)
        }
        Format::Csv => runs(&[record.sealed()?]).render(format),
        Format::Json => record.to_json(),
        Format::Jsonl => lines(record),
    }
}

/// What is printed before the first run has ended: what is run on which device, and the headings.
///
/// # Errors
/// As [`Table::head`].
pub fn opening(record: &Record, format: Format) -> Result<String> {
    let head = match format {
        Format::Table | Format::Md => head(record, format),
        Format::Csv | Format::Json | Format::Jsonl => String::new(),
    };
    Ok(head + &coming(&[]).head(format)?)
}

/// The newest run as a row, without the record's id, which is that of the whole; nothing in JSON, which is the whole.
///
/// # Errors
/// As [`Table::last`].
pub fn row(record: &Record, format: Format) -> Result<String> {
    match (format, record.runs.last()) {
        (Format::Jsonl, Some(run)) => {
            let record = Record { runs: Vec::new(), ..record.clone() };
            line(value(run)?, &value(&record)?, &CONTEXT[1..], record.integrity)
        }
        _ => coming(std::slice::from_ref(record)).last(format),
    }
}

/// The table of rows that come before their record is whole and has an id: `created` tells programs which it is.
fn coming(records: &[Record]) -> Table {
    runs(records).without("record")
}

/// What follows the rows: op types with `ops`, doubts, remarks; or the record as JSON. Of a record that `@last` names
/// only the gravest doubts are told; of one that is not kept all, since nothing tells the others later.
///
/// # Errors
/// As [`Record::to_json`].
pub fn closing(record: &Record, format: Format, ops: bool, is_last: bool) -> Result<String> {
    following(record, format, ops, if is_last { MOST_DOUBTS } else { usize::MAX })
}

fn following(record: &Record, format: Format, ops: bool, most: usize) -> Result<String> {
    let is_markdown = match format {
        Format::Table => false,
        Format::Md => true,
        Format::Json => return record.to_json(),
        Format::Csv | Format::Jsonl => return Ok(String::new()),
    };
    let mut text = String::new();
    for run in record.runs.iter().filter(|_| ops) {
        text += "\n";
        text += &details(record, run, format);
    }
    let measured = record.runs.iter().map(|run| Measured::new(record, run));
    let above = above_peak(measured).map(|why| format!("note: {why}"));
    let remarks = doubts(record, most).into_iter().chain(above).chain(record.notes.iter().cloned());
    for (i, remark) in remarks.enumerate() {
        text += if i == 0 { "\n" } else { "" };
        text += &if is_markdown { format!("- {remark}\n") } else { paragraph(&remark) };
    }
    Ok(text)
}

/// What a line says of its record, beside whether it is intact: itself, program, machine, device and options.
const CONTEXT: [&str; 6] = ["id", "created", "tool", "host", "device", "config"];

/// A line for each run.
fn lines(record: &Record) -> Result<String> {
    let whole: Value = serde_json::from_str(&record.to_json()?).unwrap_or_default();
    let runs = whole["runs"].as_array().into_iter().flatten();
    runs.map(|run| line(run.clone(), &whole, &CONTEXT, record.integrity)).collect()
}

fn line(mut run: Value, whole: &Value, of: &[&str], integrity: Integrity) -> Result<String> {
    for key in of {
        run[key] = whole[key].clone();
    }
    run["integrity"] = integrity.name().into();
    Ok(format!("{run}\n"))
}

fn value(part: &impl Serialize) -> Result<Value> {
    serde_json::to_value(part).map_err(|e| Error::Internal(format!("a run as JSON: {e}")))
}

/// A run as the columns of tables see it.
pub(super) struct Measured<'a> {
    record: &'a Record,
    pub(super) run: &'a Run,
    pub(super) timing: Option<&'a Timing>,
    doubts: String,
}

impl<'a> Measured<'a> {
    pub(super) fn new(record: &'a Record, run: &'a Run) -> Self {
        let doubts = run.doubts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self { record, run, timing: run.timing.as_ref(), doubts }
    }

    /// `31/31`: kernels that passed, of those that were checked; an edited record proves none.
    pub(super) fn verified(&self) -> String {
        let verified = &self.run.verified;
        match verified.status {
            _ if self.record.integrity == Integrity::Edited => Integrity::Edited.name().to_string(),
            Status::Unverified => "UNVERIFIED".to_string(),
            _ => format!("{}/{}", verified.passed, verified.checked),
        }
    }

    /// The labels of the kernels that are wrong.
    fn wrong(&self) -> String {
        let labels: Vec<_> =
            self.run.verified.wrong().iter().map(|one| one.label.as_str()).collect();
        labels.join("; ")
    }

    /// Its rate as a share of the ceiling.
    pub(super) fn of_peak(&self) -> Option<f64> {
        self.run.flop_per_s().and_then(|rate| self.record.peaks.share(rate))
    }

    /// The share of the wall time in which the device was busy; nothing where the wall clock is all there is.
    pub(super) fn gpu_share(&self) -> Option<f64> {
        let timing = self.timing.filter(|timing| timing.clock == Clock::Timestamps)?;
        Some(timing.step.median_ns / timing.wall_median_ns)
    }
}

/// Every run of some records in a row.
pub fn runs(records: &[Record]) -> Table {
    let columns: [ColumnOf<Measured<'_>>; 51] = columns![m:
        text("record").programs() => &m.record.id,
        text("integrity").programs() => m.record.integrity,
        text("created").programs() => &m.record.created,
        text("version").programs() => &m.record.tool.version,
        text("commit").programs() => m.record.tool.commit(),
        text("measured").programs() => m.record.tool.measured(),
        text("os").programs() => &m.record.host.os,
        text("device").wide() => m.record.device_name(),
        text("device_id").programs() => m.record.device.id(),
        text("backend").programs() => m.record.device.backend,
        text("driver").programs() => &m.record.device.driver,
        text("preset").wide() => m.run.preset,
        text("workload").width(8) => &m.run.workload,
        text("mode").width(5) => m.run.mode,
        count("batch").width(5) => m.run.batch,
        text("precision").programs() => m.record.config.precision,
        text("fused").programs() => m.record.config.fuse,
        text("conditions").programs() => m.record.further_conditions().collect::<Vec<_>>().join(", "),
        count("seed").programs() => m.record.config.seed,
        number("samples/s", "samples_per_s", Digits).people().width(9) => m.run.samples_per_s(),
        text("clock").programs() => m.timing.map(|t| t.clock),
        number("step", "step_ns", Duration).width(8) => m.run.step_ns(),
        number("95 % from", "ci95_low_ns", Duration).wide() => m.timing.map(|t| t.step.ci95_ns.0),
        number("to", "ci95_high_ns", Duration).wide() => m.timing.map(|t| t.step.ci95_ns.1),
        number("±", "noise", Percent).width(6) => m.run.noise(),
        number("samples/s", "samples_per_s", Digits).programs() => m.run.samples_per_s(),
        number("rate", "flop_per_s", FlopRate).width(13).spare(6) => m.run.flop_per_s(),
        number("of peak", "of_peak", Percent).width(7).spare(2) => m.of_peak(),
        number("gpu/wall", "gpu_share", Percent).people().width(8).spare(5) => m.gpu_share(),
        number("wall", "wall_ns", Duration).programs() => m.timing.map(|t| t.wall_median_ns),
        number("encode", "encode_ns", Duration).programs() => m.timing.map(|t| t.encode_ns),
        number("overlapped", "overlapped_ns", Duration).programs()
            => m.timing.and_then(|t| t.overlapped_ns),
        number("in flight/s", "throughput", Digits).width(11).spare(8) => m.run.throughput(),
        number("latency", "latency_ns", Duration).width(8).spare(7) => m.timing.and_then(|t| t.latency_ns),
        count("queue_depth").programs() => m.timing.and_then(|t| t.queue_depth),
        number("build", "build_ns", Duration).programs() => m.run.build_ns,
        number("gaps", "gap_share", Percent).width(6).spare(4) => m.run.gap_share(),
        number("profiled/timed", "profiled_over_timed", Digits).wide() => m.run.profiled_over_timed(),
        number("memory", "memory_bytes", Bytes).width(9).spare(3) => m.run.memory.planned_bytes,
        number("parameters", "parameters", Grouped).wide() => m.run.parameters,
        count("flops").programs() => m.run.flops,
        count("dispatches").wide() => m.run.dispatches,
        text("verified").people().right().width(10) => m.verified(),
        count("doubts").people().width(6).spare(1) => m.run.doubts.len(),
        text("verified").programs() => m.run.verified.status,
        count("checked").programs() => m.run.verified.checked,
        count("passed").programs() => m.run.verified.passed,
        text("wrong").programs() => m.wrong(),
        text("remarks").page() => &m.doubts,
        text("validity").programs() => if m.doubts.is_empty() { "ok" } else { m.doubts.as_str() },
        text("program").programs() => &m.run.program,
    ];
    let of = |record| move |run| Measured::new(record, run);
    Table::of(columns, records.iter().flat_map(|record| record.runs.iter().map(of(record))))
}

/// What was run on which device.
fn head(record: &Record, format: Format) -> String {
    let (config, device) = (&record.config, &record.device);
    let subject = format!(
        "{} - {} ({}, {})",
        record.tool.measured(),
        record.device_name(),
        device.backend,
        device.driver
    );
    let further: String = record.further_conditions().map(|told| format!(", {told}")).collect();
    let (fma, copy) = (record.peaks.fma_f32_flop_per_s, record.peaks.copy_bytes_per_s);
    let ceilings = match record.tool.peer {
        None => format!("; ceilings measured: {}, {}", flop_rate(fma), byte_rate(copy)),
        Some(_) => String::new(),
    };
    let settings = format!(
        "preset {}, {}, seed {}, {}{further}{ceilings}",
        config.preset,
        config.precision,
        config.seed,
        fused(config.fuse),
    );
    // Names are the driver's, and a record may come from anywhere.
    let (subject, settings) = (plain(subject), plain(settings));
    if format == Format::Md {
        format!("## {subject}\n\n{settings}\n\n")
    } else {
        format!("{}{}\n", paragraph(&subject), paragraph(&settings))
    }
}

/// A run's facts and op types.
fn details(record: &Record, run: &Run, format: Format) -> String {
    let is_markdown = format == Format::Md;
    let mut text = if is_markdown {
        format!("### {}\n\n{}", run.key(), facts(run))
    } else {
        paragraph(&format!("{}: {}", run.key(), facts(run).trim_end()))
    };
    text += &wrong(run, is_markdown);
    let (Some(profile), Some(span_ns)) = (&run.profile, run.span_ns()) else {
        return text;
    };
    let apart = if is_markdown { "\n" } else { "" };
    let sum = format!(
        "ops {} + gaps {} = a profiled step of {}{}",
        duration_ns(run.ops_ns()),
        duration_ns(profile.gaps_ns),
        duration_ns(span_ns),
        over_timed(run.profiled_over_timed()),
    );
    let types = types(record, run).drawn(format);
    text += &format!("{apart}{types}{apart}");
    text + &sentence(&sum, format)
}

/// `, 1.04 times the timed one`.
pub(super) fn over_timed(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| format!(", {ratio:.2} times the timed one"))
}

/// A run's op types, those under 1 % in one row.
fn types(record: &Record, run: &Run) -> Table {
    let columns: [ColumnOf<TypeTime>; 7] = columns![kind:
        text("type") => &kind.name,
        text("class") => kind.class,
        count("calls") => kind.calls,
        number("time", "time_ns", Duration) => kind.ns,
        number("share", "share", Percent) => kind.share,
        number("GFLOP/s", "flop_per_s", Giga) => kind.roofline.flop_per_s,
        number("GB/s", "bytes_per_s", Giga) => kind.roofline.bytes_per_s,
    ];
    Table::of(columns, profile::gathered(&profile::types(record, run), record))
}

/// The gravest kinds of doubt in a line each with the runs they concern, and how many more there are.
fn doubts(record: &Record, most: usize) -> Vec<String> {
    let mut kinds = doubt::by_kind(&record.runs, Doubt::brief);
    // Of equal weight the more frequent one first.
    kinds.sort_by_key(|(_, found)| (weight(found[0].1), usize::MAX - found.len()));
    let line = |(kind, found): &(String, Vec<(&Run, &Doubt)>)| match found.as_slice() {
        [(run, _)] => format!("doubt: {kind} ({})", run.key()),
        _ => format!("doubt: {kind} ({} of {} runs)", found.len(), record.runs.len()),
    };
    let edited = record.integrity.warning().map(|why| format!("warning: {why}"));
    let mut lines: Vec<_> = edited.into_iter().collect();
    lines.extend(kinds.iter().take(most).map(line));
    match kinds.len().saturating_sub(most) {
        0 => {}
        1 => lines.push("and 1 more doubt: `fathom show @last` names it".into()),
        more => lines.push(format!("and {more} more doubts: `fathom show @last` names them")),
    }
    lines.extend(cautions(record).into_iter().map(|why| format!("warning: {why}")));
    lines
}

/// What makes a figure void comes before what makes it uncertain.
fn weight(doubt: &Doubt) -> u8 {
    match doubt {
        Doubt::WrongKernels | Doubt::Unverified | Doubt::Loss => 0,
        other if other.concerns_steps() => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::record::{BuildProfile, Doubt};
    use crate::terms::Mode;

    fn record() -> Record {
        synthetic::record(&[("speech", Mode::Train, &[("matmul", 5.0), ("add", 2.0)])])
    }

    #[test]
    fn every_form_holds_every_run() {
        for format in Format::ALL {
            let text = render(&record(), format).unwrap();
            assert!(text.contains("speech") && text.contains("train"), "{text}");
        }
        let csv = render(&record(), Format::Csv).unwrap();
        let mut lines = csv.lines();
        let head: Vec<_> = lines.next().unwrap().split(',').collect();
        let row: Vec<_> = lines.next().unwrap().split(',').collect();
        let of = |name: &str| row[head.iter().position(|h| *h == name).unwrap()];
        assert_eq!((of("step_ns"), of("ci95_low_ns"), of("passed")), ("7.0", "6.93", "1"));
        assert_eq!((head[0], head[head.len() - 1], head.len()), ("record", "program", 46));
        for name in ["created", "version", "commit", "os", "device_id", "clock"] {
            assert!(head.contains(&name), "no {name} in {head:?}");
        }
        assert_eq!((of("clock"), of("device_id")), ("timestamps", "0000:0000"));
        let line: serde_json::Value =
            serde_json::from_str(&render(&record(), Format::Jsonl).unwrap()).unwrap();
        for place in ["/tool/version", "/tool/git", "/created", "/host/os", "/device/vendor"] {
            assert!(line.pointer(place).is_some(), "no {place} in {line}");
        }
        assert_eq!(line["timing"]["source"], "timestamps");
        assert_eq!(line["batch"], 4);
    }

    #[test]
    fn three_kinds_of_doubt_are_told_in_a_line_each_and_the_rest_are_counted() {
        let mut record = synthetic::record(&[
            ("speech", Mode::Train, &[("matmul", 5.0)]),
            ("vgg", Mode::Train, &[("matmul", 5.0)]),
        ]);
        let drift = |relative| Doubt::Drift { relative };
        let unsettled = Doubt::Unsettled { interval: None, wanted: None };
        let wall = Doubt::WallClock { faults: Vec::new() };
        record.runs[0].doubts = vec![wall, drift(0.1), Doubt::Gaps { share: 0.1 }, unsettled];
        record.runs[1].doubts = vec![drift(0.2), Doubt::Loss];
        record.tool.profile = BuildProfile::Debug;
        record.peaks.fma_f32_flop_per_s = 1e15;
        let text = closing(&record, Format::Table, false, true).unwrap();
        assert!(!render(&record, Format::Table).unwrap().contains("more doubts"));
        let not_kept = closing(&record, Format::Table, false, false).unwrap();
        assert_eq!(not_kept.matches("doubt: ").count(), 5, "{not_kept}");
        assert!(!not_kept.contains("@last"), "{not_kept}");
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(lines[0], "doubt: the loss is not a number (vgg train batch 4)");
        assert_eq!(lines[1], "doubt: step times drifted (2 of 2 runs)");
        assert!(lines[2].contains("(speech train batch 4)"), "{text}");
        assert!(lines[3].starts_with("and 2 more doubts"), "{text}");
        assert!(lines[4].starts_with("warning: this is a debug build"), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_run_printed_in_pieces_is_the_record_in_every_form_but_the_op_tables() {
        let mut growing = synthetic::record(&[]);
        let whole = synthetic::record(&[
            ("speech", Mode::Train, &[("matmul", 5.0)]),
            ("vgg", Mode::Infer, &[("matmul", 5.0)]),
        ]);
        for format in Format::ALL {
            growing.runs.clear();
            let mut text = opening(&growing, format).unwrap();
            for run in &whole.runs {
                growing.runs.push(run.clone());
                text += &row(&growing, format).unwrap();
            }
            text += &closing(&growing, format, false, true).unwrap();
            match format {
                Format::Json => assert_eq!(text, render(&growing, format).unwrap()),
                Format::Csv => {
                    assert_eq!(text, coming(&[growing.clone()]).render(format).unwrap());
                    assert!(text.starts_with("integrity,created,"), "{text}");
                }
                Format::Jsonl => assert_eq!(text.lines().count(), 2, "{text}"),
                Format::Table | Format::Md => {
                    assert!(text.contains("speech") && text.contains("vgg"), "{text}");
                    assert!(!text.contains("FLOP per step"), "{text}");
                }
            }
        }
    }

    #[test]
    fn the_headings_of_a_run_fit_80_columns_without_the_least_important() {
        let text = runs(&[record()]).fitted(Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for expected in ["samples/s", "±", "of peak", "verified", "doubts", "no room for: rate"] {
            assert!(text.contains(expected), "no {expected} in\n{text}");
        }
    }

    #[test]
    fn a_share_above_the_ceiling_is_explained() {
        let mut above = record();
        above.peaks.fma_f32_flop_per_s = 1e15;
        let text = closing(&above, Format::Table, false, true).unwrap();
        assert!(!text.contains("above 100 %"), "{text}");
        above.peaks.fma_f32_flop_per_s = 1e3;
        let text = closing(&above, Format::Table, false, true).unwrap();
        let slower = "note: above 100 % of peak: speech train: the ceiling was measured while the machine was slower";
        assert!(text.contains(slower), "{text}");
        above.runs[0].ops[0].label = "conv1.conv2d/winograd[F=4]".into();
        let text = closing(&above, Format::Md, false, true).unwrap();
        assert!(text.contains("Winograd's products") && !text.contains("slower"), "{text}");
    }

    #[test]
    fn how_busy_the_device_was_is_not_known_by_the_wall_clock() {
        let mut record = record();
        let share = |record: &Record| Measured::new(record, &record.runs[0]).gpu_share();
        assert!(share(&record).is_some());
        record.runs[0].timing.as_mut().unwrap().clock = Clock::Wall;
        assert_eq!(share(&record), None);
    }

    #[test]
    fn what_changes_figures_is_told_before_them() {
        let mut checked = record();
        checked.config.checks = crate::terms::Checks::On;
        let text = opening(&checked, Format::Table).unwrap();
        assert!(text.contains("f32, seed 1, not fused, bounds checks;"), "{text}");
    }
}
