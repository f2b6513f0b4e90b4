//! One self-contained page of records: what the analyses say, as charts and tables, with the records
//! themselves inside. No network, no script from elsewhere.
//!
//! Sees records and their analyses only. The charts are drawn here as SVG; the page's script sorts and
//! copies tables, shows exact figures, changes the theme and hands out the records.

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::record::Record;

mod chart;
mod section;
mod svg;
mod table;

use section::{Device, Figure, Workload};
use table::Table;

/// A record and what it is called: its file's name.
#[derive(Debug, Clone)]
pub struct Source {
    /// `llvmpipe.json`.
    pub name: String,
    /// What it holds.
    pub record: Record,
}

/// A record inside the page.
#[derive(Serialize)]
struct Embedded {
    name: String,
    created: String,
    device: String,
    bytes: usize,
    /// JSON in which no `<` is left, so that nothing in it ends the element it stands in.
    text: String,
}

/// What the template is filled with.
#[derive(Serialize)]
struct Page {
    style: &'static str,
    script: &'static str,
    version: &'static str,
    legend: Vec<(char, &'static str)>,
    devices: Vec<Device>,
    summary: Table,
    modes: Option<Figure>,
    workloads: Vec<Workload>,
    similarities: Vec<Figure>,
    scaling: Vec<Figure>,
    records: Vec<Embedded>,
}

/// The page of some records, one at least.
///
/// # Errors
/// [`Error::Internal`] where a record has no form in JSON, or the template is at fault.
pub fn page(sources: &[Source]) -> Result<String> {
    let records: Vec<Record> = sources.iter().map(|s| s.record.clone()).collect();
    let embedded = sources.iter().map(embed).collect::<Result<Vec<_>>>()?;
    let fault = |e: minijinja::Error| Error::Internal(format!("the report's template: {e:#}"));
    let mut templates = Environment::new();
    templates.add_template("page.html", include_str!("html/page.html")).map_err(fault)?;
    let page = templates.get_template("page.html").map_err(fault)?;
    let filled = Page {
        style: include_str!("html/page.css"),
        script: include_str!("html/page.js"),
        version: env!("CARGO_PKG_VERSION"),
        legend: chart::legend(),
        devices: section::devices(&records),
        summary: section::summary(&records),
        modes: section::modes(&records),
        workloads: section::workloads(&records),
        similarities: section::similarities(&records),
        scaling: section::scaling(&records),
        records: embedded,
    };
    page.render(Value::from(Serde(&filled))).map_err(fault)
}

fn embed(source: &Source) -> Result<Embedded> {
    let record = &source.record;
    let text = serde_json::to_string_pretty(record)
        .map_err(|e| Error::Internal(format!("a record as JSON: {e}")))?;
    let text = text + "\n";
    Ok(Embedded {
        name: source.name.clone(),
        created: record.created.clone(),
        device: record.device.name.clone(),
        bytes: text.len(),
        text: text.replace('<', "\\u003c"),
    })
}

#[cfg(test)]
mod tests;
