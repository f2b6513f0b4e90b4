//! Records as text: the table for people, Markdown, CSV, JSON, a page, a trace.

use crate::error::Result;
use crate::record::{Record, Run};

mod csv;
pub mod html;
pub mod number;
mod ops;
mod table;
pub mod trace;

pub use self::csv::csv;
pub use self::table::{markdown, table};

/// The record as JSON.
///
/// # Errors
/// As [`Record::to_json`].
pub fn json(record: &Record) -> Result<String> {
    record.to_json()
}

/// A line for each run, with the device.
///
/// # Errors
/// As [`Record::to_json`].
pub fn jsonl(record: &Record) -> Result<String> {
    let whole: serde_json::Value = serde_json::from_str(&record.to_json()?).unwrap_or_default();
    let runs = whole["runs"].as_array().cloned().unwrap_or_default();
    let line = |mut run: serde_json::Value| {
        run["device"] = whole["device"].clone();
        run["id"] = whole["id"].clone();
        format!("{run}\n")
    };
    Ok(runs.into_iter().map(line).collect())
}

/// Samples a second.
fn throughput(run: &Run) -> Option<f64> {
    run.timing.as_ref().map(|t| run.batch as f64 / t.step.median_ns * 1e9)
}

/// Half-width of the median's interval as a share of it.
fn noise(run: &Run) -> Option<f64> {
    let step = &run.timing.as_ref()?.step;
    Some((step.ci95_ns.1 - step.ci95_ns.0) / 2.0 / step.median_ns)
}

/// Operations a second.
fn flop_rate(run: &Run) -> Option<f64> {
    run.timing.as_ref().map(|t| run.flops as f64 / t.step.median_ns * 1e9)
}

/// Share of the profiled span that lies between ops.
fn gap_share(run: &Run) -> Option<f64> {
    run.profile.as_ref().map(|p| p.gaps_ns / p.span_ns)
}
