//! One self-contained page of records: the analyses as charts and tables, with the records themselves
//! embedded. No network, no script from elsewhere.
//!
//! The template lays out what the sections hold; the page's script sorts and copies tables, shows exact
//! figures, changes the theme and hands out the records.

use minijinja::Environment;
use minijinja::ErrorKind::InvalidOperation;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::record::Record;

use crate::analysis::similarity::Linkage;
use crate::terms::Class;
use crate::terms::Mode;

use super::section::{ANALYSES, Options, Part, Section, overview};

mod device;
mod packed;

use device::Device;

/// A record and what it is called: its file's name.
#[derive(Debug, Clone)]
pub struct NamedRecord {
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
    /// The whole of it.
    packed: String,
}

/// An analysis for which the records have what it needs.
#[derive(Serialize)]
struct Answered {
    name: &'static str,
    heading: &'static str,
    charts: &'static str,
    parts: Vec<Part>,
}

/// What the template is filled with.
#[derive(Serialize)]
struct Page {
    style: &'static str,
    script: &'static str,
    version: &'static str,
    legend: Vec<(char, &'static str)>,
    devices: Vec<Device>,
    summary: Vec<Part>,
    analyses: Vec<Answered>,
    records: Vec<Embedded>,
}

/// The page of some records, one at least.
///
/// # Errors
/// [`Error::Internal`] where a record has no form in JSON, or the template is at fault.
pub fn page(sources: &[NamedRecord]) -> Result<String> {
    let records: Vec<Record> = sources.iter().map(|s| s.record.clone()).collect();
    let embedded = sources.iter().map(embed).collect::<Result<Vec<_>>>()?;
    let fault = |e: minijinja::Error| Error::Internal(format!("the report's template: {e:#}"));
    let mut templates = Environment::new();
    templates.add_template("page.html", include_str!("html/page.html")).map_err(fault)?;
    templates.add_filter("pack", |html: &str| {
        let refused = |e: Error| minijinja::Error::new(InvalidOperation, e.to_string());
        packed::pack(html).map_err(refused)
    });
    let page = templates.get_template("page.html").map_err(fault)?;
    let filled = Page {
        style: include_str!("html/page.css"),
        script: include_str!("html/page.js"),
        version: env!("CARGO_PKG_VERSION"),
        legend: Class::ALL.map(|class| (class.letter(), class.title())).into(),
        devices: device::devices(&records),
        summary: overview::sections(&records).into_iter().map(Section::part).collect(),
        analyses: analyses(&records),
        records: embedded,
    };
    page.render(Value::from(Serde(&filled))).map_err(fault)
}

/// What the records answer, the whole of it: a page has room for every op and both modes.
fn analyses(records: &[Record]) -> Vec<Answered> {
    let options = Options { modes: Mode::ALL.to_vec(), linkage: Linkage::Centroid, ops: true };
    let answered = ANALYSES.iter().map(|analysis| Answered {
        name: analysis.name,
        heading: analysis.heading,
        charts: analysis.charts,
        parts: (analysis.sections)(records, &options).into_iter().map(Section::part).collect(),
    });
    answered.filter(|analysis| !analysis.parts.is_empty()).collect()
}

fn embed(source: &NamedRecord) -> Result<Embedded> {
    let record = &source.record;
    let text = serde_json::to_string_pretty(record)
        .map_err(|e| Error::Internal(format!("a record as JSON: {e}")))?;
    let text = text + "\n";
    Ok(Embedded {
        name: source.name.clone(),
        created: record.created.clone(),
        device: record.device.name.clone(),
        bytes: text.len(),
        packed: packed::pack(&text)?,
    })
}

#[cfg(test)]
mod tests;
