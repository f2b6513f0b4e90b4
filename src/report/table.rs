//! The default output: a header, a row a run, an op table for each, warnings.

use comfy_table::{CellAlignment, Table, TableStyle, presets};

use crate::record::{BuildProfile, Record, Run, Status};

use super::number::{byte_rate, bytes, digits, duration_ns, flop_rate as rate, flops, percent};
use super::ops::by_type;

/// For people at a terminal.
pub fn table(record: &Record) -> String {
    render(record, presets::NOTHING, "")
}

/// The same as Markdown.
pub fn markdown(record: &Record) -> String {
    render(record, presets::ASCII_MARKDOWN, "## ")
}

fn render(record: &Record, preset: TableStyle, heading: &str) -> String {
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
        rate(record.peaks.fma_f32_flop_per_s),
        byte_rate(record.peaks.copy_bytes_per_s),
    );
    text += &headline(record, preset);
    for run in &record.runs {
        text += "\n";
        text += &detail(run, preset, heading);
    }
    let warnings = warnings(record);
    if !warnings.is_empty() {
        text += "\n";
        text += &warnings.iter().map(|w| format!("warning: {w}\n")).collect::<String>();
    }
    text
}

/// A table whose columns from `first_number` on are set to the right.
fn drawn(
    headings: &[&str],
    rows: Vec<Vec<String>>,
    preset: TableStyle,
    first_number: usize,
) -> String {
    let mut table = Table::new();
    table.load_style(preset).set_header(headings.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(first_number) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let text = table.to_string();
    text.lines().map(|l| format!("{}\n", l.trim_end())).collect()
}

fn headline(record: &Record, preset: TableStyle) -> String {
    let headings = [
        "workload",
        "mode",
        "batch",
        "samples/s",
        "step",
        "±",
        "rate",
        "of peak",
        "gpu/wall",
        "gaps",
        "memory",
        "verified",
    ];
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let rows = record.runs.iter().map(|run| {
        let timing = run.timing.as_ref();
        let busy = timing.map(|t| t.step.median_ns / t.wall_median_ns);
        let verified = match run.verified.status {
            Status::Unverified => "UNVERIFIED".to_string(),
            _ => format!("{}/{}", run.verified.passed, run.verified.checked),
        };
        vec![
            run.workload.clone(),
            run.mode.to_string(),
            run.batch.to_string(),
            or_dash(run.samples_per_s().map(digits)),
            or_dash(timing.map(|t| duration_ns(t.step.median_ns))),
            or_dash(run.noise().map(percent)),
            or_dash(run.flop_per_s().map(rate)),
            or_dash(run.flop_per_s().map(|r| percent(r / record.peaks.fma_f32_flop_per_s))),
            or_dash(busy.map(percent)),
            or_dash(run.gap_share().map(percent)),
            bytes(run.memory.planned_bytes as f64),
            verified,
        ]
    });
    drawn(&headings, rows.collect(), preset, 2)
}

fn detail(run: &Run, preset: TableStyle, heading: &str) -> String {
    let part = if heading.is_empty() { "" } else { "### " };
    let mut text = format!(
        "{part}{}: {} parameters, {} a step, {} ops in {} dispatches; built in {}, of which {} for {} \
         pipelines\n",
        run.key(),
        super::number::grouped(run.parameters),
        flops(run.flops as f64),
        run.ops.len(),
        run.dispatches,
        duration_ns(run.build_ns),
        duration_ns(run.pipelines_ns),
        run.pipelines,
    );
    if let (Some(playing), Some(timing)) = (&run.playing, &run.timing) {
        text += &format!(
            "a step of the game takes {}, choosing actions for a batch {}, an update {}\n",
            duration_ns(playing.environment_ns),
            duration_ns(playing.action_ns),
            duration_ns(timing.step.median_ns),
        );
    }
    let Some(profile) = &run.profile else {
        return text;
    };
    let rows = by_type(run).into_iter().map(|row| {
        vec![
            row.name,
            row.class.to_string(),
            row.calls.to_string(),
            duration_ns(row.ns),
            percent(row.share),
            digits(row.flops as f64 / row.ns),
            digits(row.bytes as f64 / row.ns),
        ]
    });
    let headings = ["  type", "class", "calls", "time", "share", "GFLOP/s", "GB/s"];
    let rows = rows.map(|mut row: Vec<String>| {
        row[0] = format!("  {}", row[0]);
        row
    });
    text += &drawn(&headings, rows.collect(), preset, 2);
    let ops = profile.span_ns - profile.gaps_ns;
    text += &format!(
        "  ops {} + gaps {} = span {} of a profiled step\n",
        duration_ns(ops),
        duration_ns(profile.gaps_ns),
        duration_ns(profile.span_ns),
    );
    text
}

fn warnings(record: &Record) -> Vec<String> {
    let mut warnings = Vec::new();
    for run in &record.runs {
        warnings.extend(run.doubts.iter().map(|doubt| format!("{}: {doubt}", run.key())));
    }
    if record.tool.profile != BuildProfile::Release {
        warnings.push("a debug build: host times and build times are far too long".into());
    }
    warnings
}
