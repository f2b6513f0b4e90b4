//! A row a run.

use crate::error::{Error, Result};
use crate::record::{Record, Run};

/// The headline figures, in base units.
///
/// # Errors
/// [`Error::Internal`] where a row cannot be written, which does not happen in memory.
pub fn csv(record: &Record) -> Result<String> {
    let fault = |e: &dyn std::fmt::Display| Error::Internal(format!("a record as CSV: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let headings = [
        "device",
        "backend",
        "driver",
        "preset",
        "workload",
        "mode",
        "batch",
        "precision",
        "seed",
        "step_ns",
        "ci95_low_ns",
        "ci95_high_ns",
        "noise",
        "samples_per_s",
        "flop_per_s",
        "of_peak",
        "wall_ns",
        "gap_share",
        "memory_bytes",
        "parameters",
        "flops",
        "dispatches",
        "verified",
        "checked",
        "passed",
        "validity",
        "program",
    ];
    writer.write_record(headings).map_err(|e| fault(&e))?;
    for run in &record.runs {
        let number = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
        let timing = run.timing.as_ref();
        let row = [
            record.device.name.clone(),
            record.device.backend.to_string(),
            record.device.driver.clone(),
            run.preset.to_string(),
            run.workload.clone(),
            run.mode.to_string(),
            run.batch.to_string(),
            record.config.precision.to_string(),
            record.config.seed.to_string(),
            number(timing.map(|t| t.step.median_ns)),
            number(timing.map(|t| t.step.ci95_ns.0)),
            number(timing.map(|t| t.step.ci95_ns.1)),
            number(run.noise()),
            number(run.samples_per_s()),
            number(run.flop_per_s()),
            number(run.flop_per_s().map(|rate| rate / record.peaks.fma_f32_flop_per_s)),
            number(timing.map(|t| t.wall_median_ns)),
            number(run.gap_share()),
            run.memory.planned_bytes.to_string(),
            run.parameters.to_string(),
            run.flops.to_string(),
            run.dispatches.to_string(),
            run.verified.status.to_string(),
            run.verified.checked.to_string(),
            run.verified.passed.to_string(),
            validity(run),
            run.program.clone(),
        ];
        writer.write_record(row).map_err(|e| fault(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| fault(&e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `ok`, or every doubt.
fn validity(run: &Run) -> String {
    let doubts: Vec<_> = run.doubts.iter().map(ToString::to_string).collect();
    if doubts.is_empty() { "ok".into() } else { doubts.join("; ") }
}
