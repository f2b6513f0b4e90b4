//! The headline: what was run on which device, a row per run, then each run's op types and the warnings.

use crate::analysis::profile;
use crate::error::Result;
use crate::fields;
use crate::record::{BuildProfile, Record, Run, Status};
use crate::report::Format;
use crate::report::column::Kind::{Bytes, Digits, Duration, FlopRate, Giga, Grouped, Percent};
use crate::report::column::{count, number, text};
use crate::report::number::{byte_rate, duration_ns, flop_rate, flops, grouped, percent};
use crate::report::table::Table;

/// A record in a form: JSON is the record itself, a line of JSON or a row of CSV is a run.
///
/// # Errors
/// As [`Record::to_json`] and [`Table::render`].
pub fn render(record: &Record, format: Format) -> Result<String> {
    match format {
        Format::Table | Format::Md => Ok(drawn(record, format)),
        Format::Csv => runs(&[record.sealed()?]).render(format),
        Format::Json => record.to_json(),
        Format::Jsonl => lines(record),
    }
}

/// A line for each run, with what its record says of program, machine, device and options.
fn lines(record: &Record) -> Result<String> {
    let whole: serde_json::Value = serde_json::from_str(&record.to_json()?).unwrap_or_default();
    let runs = whole["runs"].as_array().cloned().unwrap_or_default();
    let line = |mut run: serde_json::Value| {
        for key in ["id", "created", "tool", "host", "device", "config"] {
            run[key] = whole[key].clone();
        }
        format!("{run}\n")
    };
    Ok(runs.into_iter().map(line).collect())
}

/// Every run of some records in a row.
pub fn runs(records: &[Record]) -> Table {
    let mut table = Table::new([
        text("record").programs(),
        text("integrity").programs(),
        text("created").programs(),
        text("version").programs(),
        text("commit").programs(),
        text("os").programs(),
        text("device").wide(),
        text("device_id").programs(),
        text("backend").programs(),
        text("driver").programs(),
        text("preset").wide(),
        text("workload"),
        text("mode"),
        count("batch"),
        text("precision").programs(),
        count("seed").programs(),
        number("samples/s", "samples_per_s", Digits).people(),
        text("clock").programs(),
        number("step", "step_ns", Duration),
        number("95 % from", "ci95_low_ns", Duration).wide(),
        number("to", "ci95_high_ns", Duration).wide(),
        number("±", "noise", Percent),
        number("samples/s", "samples_per_s", Digits).programs(),
        number("rate", "flop_per_s", FlopRate),
        number("of peak", "of_peak", Percent),
        number("gpu/wall", "gpu_share", Percent).people(),
        number("wall", "wall_ns", Duration).programs(),
        number("encode", "encode_ns", Duration).programs(),
        number("overlapped", "overlapped_ns", Duration).programs(),
        number("build", "build_ns", Duration).programs(),
        number("gaps", "gap_share", Percent),
        number("profiled/timed", "profiled_over_timed", Digits).wide(),
        number("memory", "memory_bytes", Bytes),
        number("parameters", "parameters", Grouped).wide(),
        count("flops").programs(),
        count("dispatches").wide(),
        text("verified").people().right(),
        text("verified").programs(),
        count("checked").programs(),
        count("passed").programs(),
        text("remarks").page(),
        text("validity").programs(),
        text("program").programs(),
    ]);
    for record in records {
        for run in &record.runs {
            let (device, config) = (&record.device, &record.config);
            let timing = run.timing.as_ref();
            let step = timing.map(|t| &t.step);
            let rate = run.flop_per_s();
            let doubts = run.doubts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let verified = match run.verified.status {
                Status::Unverified => "UNVERIFIED".to_string(),
                _ => format!("{}/{}", run.verified.passed, run.verified.checked),
            };
            table.row(fields![
                &record.id,
                record.integrity,
                &record.created,
                &record.tool.version,
                record.tool.commit(),
                &record.host.os,
                &device.name,
                device.id(),
                device.backend,
                &device.driver,
                run.preset,
                &run.workload,
                run.mode,
                run.batch,
                config.precision,
                config.seed,
                run.samples_per_s(),
                timing.map(|t| t.clock),
                run.step_ns(),
                step.map(|s| s.ci95_ns.0),
                step.map(|s| s.ci95_ns.1),
                run.noise(),
                run.samples_per_s(),
                rate,
                rate.map(|rate| rate / record.peaks.fma_f32_flop_per_s),
                timing.map(|t| t.step.median_ns / t.wall_median_ns),
                timing.map(|t| t.wall_median_ns),
                timing.map(|t| t.encode_ns),
                timing.and_then(|t| t.overlapped_ns),
                run.build_ns,
                run.gap_share(),
                run.profiled_over_timed(),
                run.memory.planned_bytes,
                run.parameters,
                run.flops,
                run.dispatches,
                verified,
                run.verified.status,
                run.verified.checked,
                run.verified.passed,
                &doubts,
                if doubts.is_empty() { "ok" } else { doubts.as_str() },
                &run.program
            ]);
        }
    }
    table
}

fn drawn(record: &Record, format: Format) -> String {
    let is_markdown = format == Format::Md;
    let (heading, part) = if is_markdown { ("## ", "### ") } else { ("", "") };
    let config = &record.config;
    let device = &record.device;
    let mut text = format!(
        "{heading}fathom {} - {} ({}, {})\npreset {}, {}, seed {}, {}; ceilings measured: {}, {}\n\n",
        record.tool.version,
        device.name,
        device.backend,
        device.driver,
        config.preset,
        config.precision,
        config.seed,
        if config.fuse { "fused" } else { "not fused" },
        flop_rate(record.peaks.fma_f32_flop_per_s),
        byte_rate(record.peaks.copy_bytes_per_s),
    );
    text += &runs(std::slice::from_ref(record)).drawn(format);
    for run in &record.runs {
        text += &format!("\n{part}{}", facts(run));
        if let (Some(profile), Some(span_ns)) = (&run.profile, run.span_ns()) {
            let types = types(record, run).drawn(format);
            let indented = |line: &str| format!("  {line}\n");
            text += &if is_markdown { types } else { types.lines().map(indented).collect() };
            text += &format!(
                "  ops {} + gaps {} = a profiled step of {}{}\n",
                duration_ns(run.ops_ns()),
                duration_ns(profile.gaps_ns),
                duration_ns(span_ns),
                over_timed(run.profiled_over_timed()),
            );
        }
    }
    let warnings = warnings(record);
    if !warnings.is_empty() {
        text += "\n";
        text += &warnings.iter().map(|w| format!("warning: {w}\n")).collect::<String>();
    }
    text
}

/// Ceilings that moved by more than this share are pointed out.
const MOVED: f64 = 0.1;

/// `, 1.04 times the timed one`.
pub(super) fn over_timed(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| format!(", {ratio:.2} times the timed one"))
}

/// What a run is, in a line, and what its host does in another; of a player its parts in a third.
fn facts(run: &Run) -> String {
    let pipelines = match run.pipelines {
        1 => "1 pipeline".into(),
        n => format!("{n} pipelines"),
    };
    let first = run.first_step_ns.map_or(String::new(), |ns| {
        format!(" and {} for the first step, where drivers compile", duration_ns(ns))
    });
    let mut text = format!(
        "{}: {} parameters, {} per step, {} ops in {} dispatches; built in {}, of which {} for {pipelines}{first}\n",
        run.key(),
        grouped(run.parameters),
        flops(run.flops as f64),
        run.ops.len(),
        run.dispatches,
        duration_ns(run.build_ns),
        duration_ns(run.pipelines_ns),
    );
    let Some(timing) = &run.timing else { return text };
    if let Some(overlapped) = timing.overlapped_ns {
        text += &format!(
            "encoding a step takes the host {}, which the step's time leaves out; overlapped with the device's work, \
             encoding included, a step takes {}\n",
            duration_ns(timing.encode_ns),
            duration_ns(overlapped),
        );
    }
    if let Some(playing) = &run.playing {
        text += &format!(
            "a step of the game takes {}, choosing the actions of a batch {}, an update {}\n",
            duration_ns(playing.environment_ns),
            duration_ns(playing.action_ns),
            duration_ns(timing.step.median_ns),
        );
    }
    text
}

/// A run's op types, those under 1 % in one row.
fn types(record: &Record, run: &Run) -> Table {
    let mut table = Table::new([
        text("type"),
        text("class"),
        count("calls"),
        number("time", "time_ns", Duration),
        number("share", "share", Percent),
        number("GFLOP/s", "flop_per_s", Giga),
        number("GB/s", "bytes_per_s", Giga),
    ]);
    let types = profile::types(run, &record.peaks);
    for kind in profile::gathered(&types, &record.peaks) {
        let roofline = &kind.roofline;
        table.row(fields![
            &kind.name,
            kind.class,
            kind.calls,
            kind.ns,
            kind.share,
            roofline.flop_per_s,
            roofline.bytes_per_s
        ]);
    }
    table
}

fn warnings(record: &Record) -> Vec<String> {
    let mut warnings: Vec<_> = record.integrity.warning().map(String::from).into_iter().collect();
    for run in &record.runs {
        warnings.extend(run.doubts.iter().map(|doubt| format!("{}: {doubt}", run.key())));
    }
    if let Some(moved) = record.peaks.moved().filter(|moved| *moved > MOVED) {
        warnings.push(format!(
            "the ceilings moved by {} between the beginning and the end of the run: shares of them are rough",
            percent(moved)
        ));
    }
    if let Some(kernel) = &record.peaks.raised_by {
        warnings.push(format!("{kernel} was faster than the probe: its rate is the ceiling"));
    }
    if record.tool.profile != BuildProfile::Release {
        warnings.push("this is a debug build: host times and build times are far too long".into());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::record::Doubt;
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
        assert_eq!((head[0], head[head.len() - 1], head.len()), ("record", "program", 39));
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
    fn doubts_are_told_as_warnings() {
        let mut record = record();
        record.runs[0].doubts = vec![Doubt::Loss];
        record.tool.profile = BuildProfile::Debug;
        let text = render(&record, Format::Table).unwrap();
        assert!(text.contains("warning: speech train batch 4: the loss is not a number"), "{text}");
        assert!(text.contains("warning: this is a debug build"), "{text}");
    }
}
