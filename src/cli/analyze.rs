//! `fathom analyze`: what records tell, or what is measured here and now.

use std::path::Path;

use clap::{Args, ValueEnum};

use crate::analysis::{Cell, similarity};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::terms::Mode;

use super::range::Range;
use super::run::{self, RunArgs};
use super::table::Cell as Field;
use super::table::sections::{self, Section};
use super::{Batches, output, records};

mod dendrogram;
mod measure;
mod modes;
mod profile;
mod scaling;
mod similar;
mod stationarity;

/// Options of `analyze`.
#[derive(Debug, Clone, Args)]
pub struct AnalyzeArgs {
    /// One of profile, stationarity, similarity, modes, scaling [default: all that the records allow], then
    /// records: files, folders, @last, @last~1, or the beginning of an id. Without a record what is needed
    /// is run first, as the options below say
    #[arg(value_name = "PART|RECORD")]
    pub what: Vec<String>,

    /// How clusters are held against each other: centroid (as in the paper), average, single, complete
    #[arg(
        long,
        value_name = "NAME",
        default_value = "centroid",
        hide_possible_values = true,
        help_heading = "Analysis"
    )]
    pub linkage: LinkageArg,

    /// Every op by itself, not only op types
    #[arg(long, help_heading = "Analysis")]
    pub ops: bool,

    /// Thread counts of a CPU adapter that `scaling` measures
    #[arg(
        long,
        value_name = "N,..|A..B*2",
        value_delimiter = ',',
        default_value = "1,2",
        help_heading = "Analysis"
    )]
    pub threads: Vec<Range>,

    /// Batches that `scaling` measures
    #[arg(
        long,
        value_name = "N,..|A..B*2",
        value_delimiter = ',',
        default_value = "1..16*2",
        help_heading = "Analysis"
    )]
    pub batches: Vec<Range>,

    /// What is run where no record is named.
    #[command(flatten)]
    pub run: RunArgs,
}

/// A linkage as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LinkageArg {
    /// As the clusters' means.
    Centroid,
    /// As their members on average.
    Average,
    /// As their nearest members.
    Single,
    /// As their furthest members.
    Complete,
}

impl From<LinkageArg> for similarity::Linkage {
    fn from(arg: LinkageArg) -> Self {
        match arg {
            LinkageArg::Centroid => Self::Centroid,
            LinkageArg::Average => Self::Average,
            LinkageArg::Single => Self::Single,
            LinkageArg::Complete => Self::Complete,
        }
    }
}

/// What is asked of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Profile,
    Stationarity,
    Similarity,
    Modes,
    Scaling,
}

impl Part {
    const ALL: [Self; 5] =
        [Self::Profile, Self::Stationarity, Self::Similarity, Self::Modes, Self::Scaling];

    fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Stationarity => "stationarity",
            Self::Similarity => "similarity",
            Self::Modes => "modes",
            Self::Scaling => "scaling",
        }
    }

    /// What records must have for it.
    fn wants(self) -> &'static str {
        match self {
            Self::Profile | Self::Stationarity => {
                "a run with a profile (no --no-profile, a device with timestamps)"
            }
            Self::Similarity => {
                "profiled runs of two workloads in that mode on one adapter, preset and fusion"
            }
            Self::Modes => "a timed run",
            Self::Scaling => {
                "profiled runs of one workload that differ in LP_NUM_THREADS or in batch alone"
            }
        }
    }

    fn sections(self, args: &AnalyzeArgs, records: &[Record]) -> Vec<Section> {
        match self {
            Self::Profile => profile::sections(records, args.ops),
            Self::Stationarity => stationarity::sections(records, args.ops),
            Self::Similarity => similar::sections(records, mode(args), args.linkage.into()),
            Self::Modes => modes::sections(records),
            Self::Scaling => scaling::sections(records),
        }
    }
}

/// The mode that similarity is of: training unless another is asked for first.
fn mode(args: &AnalyzeArgs) -> Mode {
    args.run.mode.first().map_or(Mode::Train, |mode| (*mode).into())
}

/// The part asked for, and the names of records.
fn parse(what: &[String]) -> (Option<Part>, &[String]) {
    let part = what.first().and_then(|word| {
        let mut all = Part::ALL.into_iter();
        all.find(|part| part.name() == word.as_str())
    });
    match part {
        Some(_) => (part, &what[1..]),
        None => (None, what),
    }
}

/// Reads or makes the records and prints what they tell.
///
/// # Errors
/// [`Error::Data`] for a broken record, [`Error::NothingSelected`] where the records don't allow what is
/// asked, else as [`run::execute`].
pub fn execute(args: &AnalyzeArgs) -> Result<()> {
    let (part, names) = parse(&args.what);
    if names.is_empty() && args.run.dry_run {
        return run::execute(&args.run);
    }
    let (records, outcome) =
        if names.is_empty() { measure::records(args, part)? } else { (load(names)?, Ok(())) };
    let parts = part.map_or_else(|| Part::ALL.to_vec(), |part| vec![part]);
    let sections: Vec<_> = parts.iter().flat_map(|part| part.sections(args, &records)).collect();
    if sections.is_empty() {
        outcome?;
        let wants = part.unwrap_or(Part::Modes).wants();
        return Err(Error::NothingSelected(format!(
            "the records have nothing to analyze: it takes {wants}"
        )));
    }
    output::data(&sections::render(&sections, args.run.out.output)?)?;
    outcome
}

fn load(names: &[String]) -> Result<Vec<Record>> {
    for name in names {
        let is_word = name.chars().all(|c| c.is_ascii_alphabetic());
        let is_id = name.chars().all(|c| c.is_ascii_hexdigit());
        if is_word && !is_id && !Path::new(name).exists() {
            return Err(Error::Usage(format!(
                "'{name}' is no record, and no part of the analysis: {}",
                Part::ALL.map(Part::name).join(", ")
            )));
        }
    }
    let found = records::load(names)?;
    Ok(found.into_iter().map(|one| one.record).collect())
}

/// The columns that say for programs which run a row is of; people read it in the title.
const CONTEXT: [&str; 7] =
    ["~device", "~threads", "~workload", "~mode", "~preset", "~batch", "~fused"];

/// Headings after [`CONTEXT`].
fn headings<'a>(own: &[&'a str]) -> Vec<&'a str> {
    CONTEXT.into_iter().chain(own.iter().copied()).collect()
}

/// Fields after those of [`CONTEXT`].
fn fields(cell: &Cell, own: impl IntoIterator<Item = Field>) -> Vec<Field> {
    let context = [
        cell.device.as_str().into(),
        cell.threads.map_or_else(Field::none, Field::count),
        cell.workload.as_str().into(),
        cell.mode.name().into(),
        cell.preset.name().into(),
        Field::count(cell.batch),
        if cell.fused { "yes" } else { "no" }.into(),
    ];
    context.into_iter().chain(own).collect()
}

/// `speech train batch 4`.
fn title(cell: &Cell) -> String {
    format!("{} {} batch {}", cell.workload, cell.mode, cell.batch)
}

/// `llvmpipe (vulkan), 2 threads, preset tiny, fused`.
fn place(cell: &Cell) -> String {
    let threads = match cell.threads {
        Some(1) => ", 1 thread".to_string(),
        Some(n) => format!(", {n} threads"),
        None => String::new(),
    };
    let fused = if cell.fused { "fused" } else { "not fused" };
    format!("{} ({}){threads}, preset {}, {fused}", cell.device, cell.backend, cell.preset)
}

/// Said once of figures by op type in which a fused run has a part.
fn fused_note<'a>(section: Section, cells: impl IntoIterator<Item = &'a Cell>) -> Section {
    if cells.into_iter().any(|cell| cell.fused) {
        section.note(
            "fused: elementwise ops that were merged into a neighbour count as that neighbour; `--no-fuse` when \
             the record is made gives the paper's view",
        )
    } else {
        section
    }
}

/// A share as percent.
fn share(value: f64) -> Field {
    Field::maybe(Some(value), crate::report::number::percent)
}

/// A time.
fn time(ns: f64) -> Field {
    Field::maybe(Some(ns), crate::report::number::duration_ns)
}

/// The batches of `--batches`, the thread counts of `--threads`.
fn values(ranges: &[Range]) -> Vec<usize> {
    Batches::of(ranges).0
}
