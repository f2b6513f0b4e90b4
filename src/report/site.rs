//! A static site of records of many devices: how fast each runs every workload, how many times as fast it is as any
//! other, and a page with the report of each. Files that any host can serve, and that open from a disk as well.
//!
//! Records of one device by different drivers, versions or settings stand apart; what was repeated stands together.
//! The page computes speed-ups from the devices' steps by the rules of [`crate::compare`], so that a site is of the size of
//! its devices and not of their pairs.

use std::path::Path;

use crate::compare::Side;
use crate::error::{Result, plain};
use crate::host::parallel::*;
use crate::record::store::{self, Loaded};
use crate::score::{self, fitness};
use crate::terms::{Mode, Preset};

use super::chart::Chart;
use super::chart::bars::{Bar, bars};
use super::html::frame::document;
use super::html::{self, NamedRecord};
use super::section::score as section;

mod cell;
mod entry;
mod front;
mod steps;
mod vendor;

use cell::Column;
use entry::{Entry, Row};
use front::Front;

/// A file that is not on the site, and why.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// Its name.
    pub file: String,
    /// `EDITED: ...`.
    pub why: String,
}

/// What a site is made of.
#[derive(Debug, Default)]
pub struct Content<'a> {
    /// The records.
    pub sources: Vec<NamedRecord>,
    /// Files of which nothing is shown.
    pub left_out: Vec<LeftOut>,
    /// The suite's workloads, in the order of the columns.
    pub workloads: Vec<&'a str>,
    /// Where on the site the benchmark runs in the browser, if it does.
    pub runs_at: Option<&'a str>,
}

/// A file of the site.
#[derive(Debug)]
pub struct File {
    /// Its path below the site's folder, with `/`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// A preset's part of the front page.
#[derive(Debug)]
struct Part {
    preset: Preset,
    /// What scores a thousand, or why nothing does.
    unit: String,
    columns: Vec<Column>,
    ranked: Vec<Row>,
    unranked: Vec<Row>,
    chart: Option<Chart>,
    /// What speed-ups are computed from, as JSON.
    steps: String,
}

/// The records that may stand beside each other, and the files that may not, each with why.
///
/// # Errors
/// [`crate::error::Error::Io`] where the folder cannot be read.
pub fn gather(folder: &Path) -> Result<(Vec<NamedRecord>, Vec<LeftOut>)> {
    let (mut sources, mut left_out) = (Vec::<NamedRecord>::new(), Vec::new());
    for path in store::tree(folder)? {
        let name = plain(path.strip_prefix(folder).unwrap_or(&path).display());
        let why = match Loaded::read(path) {
            Err(error) => error.beside_its_file(),
            Ok(Loaded { text, record, .. }) => {
                let twin = sources.iter().find(|known| known.record.id == record.id);
                let same = twin.map(|twin| format!("it is the same record as {}", twin.name));
                match fitness::distrust(&record).into_iter().next().or(same) {
                    Some(why) => why,
                    None => {
                        sources.push(NamedRecord { name, text, record });
                        continue;
                    }
                }
            }
        };
        left_out.push(LeftOut { file: name, why });
    }
    Ok((sources, left_out))
}

/// The files of the site.
///
/// # Errors
/// [`crate::error::Error::Internal`] where something cannot be packed, which does not happen in memory.
pub fn site(content: Content<'_>) -> Result<Vec<File>> {
    let Content { sources, left_out, workloads, runs_at } = content;
    let entries = entry::entries(sources);
    let page = |entry: &Entry| {
        let text = html::page(entry.newest_sources(), Some("../index.html"))?;
        Ok(File { path: entry.page(), text })
    };
    let mut files = entries.par_iter().map(page).collect::<Result<Vec<_>>>()?;
    let mut parts = Vec::new();
    for preset in [Preset::Full, Preset::Tiny] {
        let of_preset: Vec<_> = entries.iter().filter(|entry| entry.preset() == preset).collect();
        if !of_preset.is_empty() {
            parts.push(part(preset, &of_preset, &workloads)?);
        }
    }
    let front = Front { parts: &parts, left_out: &left_out, runs_at };
    let style = [html::STYLE, include_str!("site/site.css")];
    let scripts = [html::SCRIPT, include_str!("site/site.js")];
    let document = document("devices compared", &style, &scripts, &front.page());
    files.push(File { path: "index.html".into(), text: html::text(&document) });
    Ok(files)
}

/// The devices of a preset.
fn part(preset: Preset, entries: &[&Entry], workloads: &[&str]) -> Result<Part> {
    let name = format!("the reference for preset {preset}");
    let reference = score::committed(preset).map(|record| Side::of(name, record));
    let unit = match &reference {
        Ok(reference) => section::reference(reference),
        Err(why) => why.to_string(),
    };
    let reference = reference.ok();
    let columns = cell::columns(workloads);
    let row = |entry: &&Entry| entry.row(reference.as_ref(), &columns);
    let mut rows: Vec<Row> = entries.par_iter().map(row).collect();
    // The fastest first; what has no score follows by name.
    rows.sort_by(|a, b| {
        let score = |row: &Row| row.score.as_ref().map_or(f64::NEG_INFINITY, |score| score.value);
        score(b).total_cmp(&score(a)).then_with(|| a.name.cmp(&b.name))
    });
    let chart = chart(preset, &rows);
    let (unranked, mut ranked): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.software);
    let scored = ranked.iter_mut().filter(|row| row.score.is_some());
    scored.zip(1..).for_each(|(row, rank)| row.rank = Some(rank));
    let steps = steps::steps(entries)?;
    Ok(Part { preset, unit, columns, ranked, unranked, chart, steps })
}

/// The scores of a preset, where there are several.
fn chart(preset: Preset, rows: &[Row]) -> Option<Chart> {
    let bar = |row: &Row| {
        let score = row.score.as_ref()?;
        let style = if row.software { "bar other" } else { "bar" };
        Some(Bar {
            label: format!("{}, {}, {}", row.name, row.backend, row.driver),
            value: score.value,
            interval: Some(score.interval),
            style: style.into(),
            shown: score.text.clone(),
        })
    };
    let scored: Vec<Bar> = rows.iter().filter_map(bar).collect();
    let title = format!("Scores of preset {preset} (the reference is 1000)");
    let note = "the line is the 95 % interval; hatched: runs on the CPU, and has no rank";
    (scored.len() > 1).then(|| Chart::new(&title, bars(&title, &scored)).note(note))
}

/// `speech train`: how a run is called in the page and among its steps.
fn cell_name(workload: &str, mode: Mode) -> String {
    format!("{workload} {mode}")
}

#[cfg(test)]
mod tests;
