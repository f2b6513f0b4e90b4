//! One self-contained page of records: the analyses as charts and tables, with the records themselves
//! embedded. No network, no script from elsewhere.
//!
//! The template lays out what the sections hold; the page's script sorts and copies tables, shows exact
//! figures, changes the theme and hands out the records.

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::record::Record;

use crate::analysis::similarity::Linkage;
use crate::terms::Class;
use crate::terms::Mode;

use super::section::{ANALYSES, Options, Part, headline};
use super::table::Grid;

mod device;

use device::Device;

/// A record and what it is called: its file's name.
#[derive(Debug, Clone)]
pub struct NamedRecord {
    /// `llvmpipe.json`.
    pub name: String,
    /// Its text, which the page hands out byte for byte.
    pub text: String,
    /// What it holds.
    pub record: Record,
}

/// A record inside the page.
#[derive(Serialize)]
struct Embedded {
    name: String,
    created: String,
    device: String,
    integrity: &'static str,
    bytes: usize,
    /// JSON in which no `<` is left, so that nothing in it ends the element it stands in.
    text: String,
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
    warnings: Vec<String>,
    summary: Grid,
    analyses: Vec<Answered>,
    records: Vec<Embedded>,
}

/// The page of some records, one at least.
///
/// # Errors
/// [`Error::Internal`] where the template is at fault.
pub fn page(sources: &[NamedRecord]) -> Result<String> {
    let records: Vec<Record> = sources.iter().map(|s| s.record.clone()).collect();
    let fault = |e: minijinja::Error| Error::Internal(format!("the report's template: {e:#}"));
    let mut templates = Environment::new();
    templates.add_template("page.html", include_str!("html/page.html")).map_err(fault)?;
    let page = templates.get_template("page.html").map_err(fault)?;
    let filled = Page {
        style: include_str!("html/page.css"),
        script: include_str!("html/page.js"),
        version: env!("CARGO_PKG_VERSION"),
        legend: Class::ALL.map(|class| (class.letter(), class.title())).into(),
        devices: device::devices(&records),
        summary: headline::runs(&records).grid(),
        analyses: analyses(&records),
        warnings: warnings(sources),
        records: sources.iter().map(embed).collect(),
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
        parts: (analysis.sections)(records, &options).into_iter().map(|s| s.part()).collect(),
    });
    answered.filter(|analysis| !analysis.parts.is_empty()).collect()
}

fn embed(source: &NamedRecord) -> Embedded {
    let record = &source.record;
    Embedded {
        name: source.name.clone(),
        created: record.created.clone(),
        device: record.device.name.clone(),
        integrity: record.integrity.name(),
        bytes: source.text.len(),
        text: source.text.replace('<', "\\u003c"),
    }
}

/// What must be known before a figure of the page is believed.
fn warnings(sources: &[NamedRecord]) -> Vec<String> {
    let warning = |source: &NamedRecord| {
        let why = source.record.integrity.warning()?;
        Some(format!("{}: {why}", source.name))
    };
    sources.iter().filter_map(warning).collect()
}

#[cfg(test)]
mod tests;
