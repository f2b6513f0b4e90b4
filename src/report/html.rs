//! One self-contained page of records: the analyses as charts and tables, with the records themselves
//! embedded. No network, no script from elsewhere.
//!
//! The template lays out what the sections hold; the page's scripts sort and copy tables, show exact figures, change
//! the theme and hand out the records.

use minijinja::ErrorKind::InvalidOperation;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, filters};
use serde::Serialize;

use crate::error::{Error, Result, lines};
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

/// How pages look, on a screen and on paper.
pub(super) const STYLE: &str = include_str!("html/page.css");

/// What every page does: its theme, its tables, its charts' exact figures.
pub(super) const SCRIPT: &str = concat!(
    include_str!("html/theme.js"),
    include_str!("html/tables.js"),
    include_str!("html/tip.js")
);

/// A template with the pieces that every page has before it.
macro_rules! framed {
    ($template:literal) => {
        concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/html/frame.html")),
            include_str!($template)
        )
    };
}
pub(super) use framed;

/// What the template is filled with.
#[derive(Serialize)]
struct Page<'a> {
    /// A document of its own, or the sections alone.
    whole: bool,
    style: [&'static str; 1],
    scripts: [&'static str; 2],
    /// The page that leads to this one.
    home: Option<&'a str>,
    version: &'static str,
    legend: Vec<(char, &'static str)>,
    devices: Vec<Device>,
    warnings: Vec<String>,
    summary: Vec<Part>,
    analyses: Vec<Answered>,
    records: Vec<Embedded>,
}

/// The page of some records, one at least, with a link back to `home` where it is one of several.
///
/// # Errors
/// [`Error::Internal`] where the template is at fault.
pub fn page(sources: &[NamedRecord], home: Option<&str>) -> Result<String> {
    rendered(sources, home, true)
}

/// The sections of that page alone, for a document that has its style and its scripts.
///
/// # Errors
/// As [`page`].
pub fn sections(sources: &[NamedRecord]) -> Result<String> {
    rendered(sources, None, false)
}

fn rendered(sources: &[NamedRecord], home: Option<&str>, whole: bool) -> Result<String> {
    let records: Vec<Record> = sources.iter().map(|s| s.record.clone()).collect();
    let mut templates = environment();
    templates.add_filter("pack", |html: &str| {
        let refused = |e: Error| minijinja::Error::new(InvalidOperation, e.to_string());
        packed::pack(&lines(html)).map_err(refused)
    });
    let filled = Page {
        whole,
        style: [STYLE],
        scripts: [SCRIPT, include_str!("html/page.js")],
        home,
        version: env!("CARGO_PKG_VERSION"),
        legend: Class::ALL.map(|class| (class.letter(), class.title())).into(),
        devices: device::devices(&records),
        summary: overview::sections(&records).into_iter().map(Section::part).collect(),
        analyses: analyses(&records),
        warnings: warnings(sources),
        records: sources.iter().map(embed).collect::<Result<_>>()?,
    };
    render(&templates, framed!("html/page.html"), &filled)
}

/// What templates may use. No more is compiled into the page that runs in a browser.
pub(super) fn environment() -> Environment<'static> {
    let mut templates = Environment::empty();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_filter("safe", filters::safe);
    templates.add_filter("length", filters::length);
    templates.add_test("none", minijinja::tests::is_none);
    templates
}

/// A template filled in, without what would act on a reader: a record may come from anywhere.
///
/// # Errors
/// [`Error::Internal`] where the template is at fault.
pub(super) fn render(
    templates: &Environment<'_>,
    template: &str,
    filled: &impl Serialize,
) -> Result<String> {
    let rendered = templates.render_named_str("page.html", template, Value::from(Serde(filled)));
    let page = rendered.map_err(|e| Error::Internal(format!("the page's template: {e:#}")))?;
    Ok(lines(&page))
}

/// Records up to which a page shows every op; beyond that it shows op types.
const MOST_WITH_OPS: usize = 4;

/// What the records answer, the whole of it, in both modes.
fn analyses(records: &[Record]) -> Vec<Answered> {
    let ops = records.len() <= MOST_WITH_OPS;
    let options = Options { modes: Mode::ALL.to_vec(), linkage: Linkage::Centroid, ops };
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
    Ok(Embedded {
        name: source.name.clone(),
        created: record.created.clone(),
        device: record.device.name.clone(),
        integrity: record.integrity.name(),
        bytes: source.text.len(),
        packed: packed::pack(&source.text)?,
    })
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
