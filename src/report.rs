//! Records as text: the table for people, Markdown, CSV, JSON, a page, a trace.

use crate::error::Result;
use crate::record::Record;

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
