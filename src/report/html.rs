//! One self-contained page of records: the analyses as charts and tables, with the records themselves
//! embedded. No network, no script from elsewhere.
//!
//! The page's scripts sort and copy tables, show exact figures, change the theme and hand out the records.

use maud::Markup;

use crate::analysis::similarity::Linkage;
use crate::error::{Result, lines};
use crate::record::Record;
use crate::terms::Mode;

use super::section::{ANALYSES, Options, Section, overview};

mod device;
pub(super) mod frame;
mod packed;
mod page;

use page::{Answered, Embedded, Page};

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

/// How pages look, on a screen and on paper.
pub(super) const STYLE: &str = include_str!("html/page.css");

/// What every page does: its theme, its tables, its charts' exact figures.
pub(super) const SCRIPT: &str = concat!(
    include_str!("html/theme.js"),
    include_str!("html/tables.js"),
    include_str!("html/tip.js")
);

/// The page of some records, one at least, with a link back to `home` where it is one of several.
///
/// # Errors
/// [`crate::error::Error::Internal`] where a record cannot be packed, which does not happen in memory.
pub fn page(sources: &[NamedRecord], home: Option<&str>) -> Result<String> {
    let page = filled(sources)?;
    let names = device::names(&page.devices);
    let scripts = [SCRIPT, include_str!("html/page.js")];
    Ok(text(&frame::document(&names.join(", "), &[STYLE], &scripts, &page.whole(home)?)))
}

/// The sections of that page alone, for a document that has its style and its scripts.
///
/// # Errors
/// As [`page`].
pub fn sections(sources: &[NamedRecord]) -> Result<String> {
    Ok(text(&filled(sources)?.part()?))
}

/// What a page shows of some records.
fn filled(sources: &[NamedRecord]) -> Result<Page> {
    let records: Vec<Record> = sources.iter().map(|s| s.record.clone()).collect();
    Ok(Page {
        devices: device::devices(&records),
        warnings: warnings(sources),
        summary: overview::sections(&records).into_iter().map(Section::part).collect(),
        analyses: analyses(&records),
        records: sources.iter().map(embed).collect::<Result<_>>()?,
    })
}

/// A page's text, without what would act on a reader: a record may come from anywhere.
pub(super) fn text(page: &Markup) -> String {
    lines(&page.0)
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
        integrity: record.integrity,
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
