//! One section per kind of result: its tables, its text and its charts, laid out once for every format.
//! [`ANALYSES`] is the list that `fathom analyze`, its help and the page go by.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::analysis::RunContext;
use crate::analysis::similarity::Linkage;
use crate::error::Result;
use crate::fields;
use crate::record::{Clock, Record};
use crate::terms::{Mode, each_once};

use super::Format;
use super::chart::Chart;
use super::column::{Column, count, text};
use super::field::Field;
use super::table::{Grid, Table, joined, paragraph, sentence};
use labels::Labels;

pub mod compare;
pub mod headline;
pub(super) mod labels;
pub mod modes;
pub mod ops;
pub mod origin;
pub mod overview;
pub mod peaks;
pub mod profile;
pub mod records;
pub mod scaling;
pub mod score;
pub mod similarity;
pub mod stationarity;
pub mod training;

/// A table with what people need around it.
#[derive(Debug, Clone)]
pub struct Section {
    /// What programs know it by: the rows of all sections of a key are one list for them. Where columns stand for what is
    /// compared, as in `similarity` and `scaling_batch`, sections of one key differ in them.
    key: &'static str,
    title: String,
    table: Table,
    /// A picture in characters, below the table.
    drawing: String,
    /// Pictures of the page.
    charts: Vec<Chart>,
    notes: Vec<String>,
    /// Of a single run: the page folds it.
    is_detail: bool,
}

/// A section as a page shows it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) title: String,
    pub(super) charts: Vec<Chart>,
    pub(super) table: Grid,
    pub(super) notes: Vec<String>,
    pub(super) is_detail: bool,
}

/// What may be chosen of the analyses.
#[derive(Debug, Clone)]
pub struct Options {
    /// Modes whose workloads are compared with each other.
    pub modes: Vec<Mode>,
    /// How clusters of workloads are compared.
    pub linkage: Linkage,
    /// Every op by itself, not only op types.
    pub ops: bool,
}

/// A question that records answer.
#[derive(Debug)]
pub struct Analysis {
    /// Its word on the command line, and its place on the page.
    pub name: &'static str,
    /// Its heading on the page.
    pub heading: &'static str,
    /// How its charts are read.
    pub charts: &'static str,
    /// What records must have for it.
    pub needs: &'static str,
    /// What must be run where no record is given.
    pub sample: Sample,
    /// What the records tell; nothing where they lack what it needs.
    pub sections: fn(&[Record], &Options) -> Vec<Section>,
}

/// What an analysis needs to be run for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Timed runs.
    Timed,
    /// Runs with a profile of at least this many steps.
    Profiled(usize),
    /// Runs with a profile over several thread counts and batches.
    Varied,
}

/// Every analysis, in the order in which they are shown.
pub const ANALYSES: &[&Analysis] = &[
    &profile::ANALYSIS,
    &stationarity::ANALYSIS,
    &similarity::ANALYSIS,
    &modes::ANALYSIS,
    &scaling::ANALYSIS,
];

/// Their names, as a sentence lists them.
pub fn names() -> String {
    ANALYSES.iter().map(|analysis| analysis.name).collect::<Vec<_>>().join(", ")
}

impl Section {
    /// A table without drawing or remarks.
    fn new(key: &'static str, title: impl Into<String>, table: Table) -> Self {
        Self {
            key,
            title: title.into(),
            table,
            drawing: String::new(),
            charts: Vec::new(),
            notes: Vec::new(),
            is_detail: false,
        }
    }

    /// Adds a remark.
    fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds remarks where there are some.
    fn notes(self, texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        texts.into_iter().fold(self, Self::note)
    }

    /// Adds a picture.
    fn chart(mut self, chart: Chart) -> Self {
        self.charts.push(chart);
        self
    }

    /// Marks it as of a single run.
    fn detail(self) -> Self {
        Self { is_detail: true, ..self }
    }

    /// Says that some runs are not shown since newer ones of their kind are.
    fn note_older(self, older: usize) -> Self {
        match older {
            0 => self,
            1 => self.note("of several runs of a kind the newest is shown: an older one is not"),
            n => self.note(format!(
                "of several runs of a kind the newest is shown: {n} older ones are not"
            )),
        }
    }

    /// Said once of figures by op type in which a fused run has a part.
    fn note_fusion<'a>(self, contexts: impl IntoIterator<Item = &'a RunContext>) -> Self {
        if !contexts.into_iter().any(|context| context.fused) {
            return self;
        }
        self.note(
            "fused: elementwise ops that were fused into a neighbour count as that neighbour; \
     a record made with `--no-fuse` gives the paper's view",
        )
    }

    fn drawn(&self, format: Format) -> String {
        let (mut text, fence) = match format {
            Format::Md => (format!("## {}\n\n", self.title), "```\n"),
            _ => (paragraph(&self.title), ""),
        };
        text += &self.table.drawn(format);
        if !self.drawing.is_empty() {
            text += &format!("\n{fence}{}{fence}", self.drawing);
        }
        for note in &self.notes {
            text += &format!("\n{}", sentence(note, format));
        }
        text
    }

    /// For the page.
    pub(super) fn part(self) -> Part {
        Part {
            title: self.title,
            charts: self.charts,
            table: self.table.grid(),
            notes: self.notes,
            is_detail: self.is_detail,
        }
    }
}

/// All sections in a form. `csv`: one table of all rows, each with its key as `table`. `json`: an object with a list for
/// each key. `jsonl`: each row with its key as `table`.
///
/// # Errors
/// As [`Table::render`].
pub fn render(sections: &[Section], format: Format) -> Result<String> {
    let mut text = String::new();
    match format {
        Format::Table | Format::Md => {
            let drawn: Vec<String> = sections.iter().map(|section| section.drawn(format)).collect();
            text = drawn.join("\n");
        }
        Format::Csv => {
            let tables: Vec<_> = sections.iter().map(|s| (s.key, &s.table)).collect();
            text = joined(&tables)?;
        }
        Format::Json => {
            let mut lists = BTreeMap::<_, Vec<_>>::new();
            for section in sections {
                lists.entry(section.key).or_default().extend(section.table.objects());
            }
            text = format!("{:#}\n", json!(lists));
        }
        Format::Jsonl => {
            for section in sections {
                for mut row in section.table.objects() {
                    row["table"] = Value::from(section.key);
                    text += &format!("{row}\n");
                }
            }
        }
    }
    Ok(text)
}

/// The columns that say for programs which run a row is of, and then a table's own; people read it in the
/// title.
fn with_context(columns: impl IntoIterator<Item = Column>) -> Table {
    let context = [
        text("device"),
        count("threads"),
        text("workload"),
        text("mode"),
        text("preset"),
        text("precision"),
        count("batch"),
        text("fused"),
    ];
    let context = context.map(Column::programs).into_iter();
    Table::new(provenance().into_iter().chain(context).chain(columns))
}

/// By what, when and where a row's figures came about, for programs.
fn provenance() -> [Column; 10] {
    let names = [
        "record",
        "created",
        "version",
        "commit",
        "measured",
        "os",
        "device_id",
        "driver",
        "conditions",
        "clock",
    ];
    names.map(|name| text(name).programs())
}

/// The columns of [`provenance`] with their fields, each value once where a row is of several runs.
fn provenance_of<'a>(runs: impl IntoIterator<Item = &'a RunContext>) -> [Field; 10] {
    let runs: Vec<&RunContext> = runs.into_iter().collect();
    let values: [fn(&RunContext) -> &str; 10] = [
        |run| &run.record,
        |run| &run.created,
        |run| &run.version,
        |run| &run.commit,
        |run| &run.measured,
        |run| &run.os,
        |run| &run.device_id,
        |run| &run.driver,
        |run| &run.conditions,
        |run| run.clock.map_or("", Clock::name),
    ];
    values.map(|value| match each_once(runs.iter().map(|run| value(run))).join(" ") {
        values if values.is_empty() => Field::Missing,
        values => Field::Text(values),
    })
}

/// Fields of the columns of [`with_context`].
fn context_fields(context: &RunContext) -> Vec<Field> {
    let run = fields![
        &context.device,
        context.threads(),
        &context.workload,
        context.mode,
        context.preset,
        context.precision,
        context.batch,
        context.fused
    ];
    provenance_of([context]).into_iter().chain(run).collect()
}

/// The same where people read which workload, mode and batch, and of several records which record.
fn overview(labels: &Labels, columns: impl IntoIterator<Item = Column>) -> Table {
    let device = [text("device").programs(), count("threads").programs()];
    let run = [
        text("workload"),
        text("mode"),
        text("preset").programs(),
        text("precision").programs(),
        count("batch"),
        text("fused").programs(),
    ];
    let context = device.into_iter().chain(labels.column()).chain(run);
    Table::new(provenance().into_iter().chain(context).chain(columns))
}

/// Fields of the columns of [`overview`].
fn overview_fields(labels: &Labels, context: &RunContext) -> Vec<Field> {
    let mut fields = context_fields(context);
    if labels.column().is_some() {
        let at = provenance().len() + 2;
        fields.insert(at, labels.own_of(context).into());
    }
    fields
}

/// `speech train batch 4`, and of several records which.
fn title(labels: &Labels, context: &RunContext) -> String {
    let RunContext { workload, mode, batch, .. } = context;
    format!("{workload} {mode} batch {batch}{}", labels.ending(context))
}

/// `llvmpipe (vulkan), 2 threads, preset tiny, f32, fused`.
fn place(context: &RunContext) -> String {
    let threads = match context.workers {
        Some(0) => ", 1 thread without workers".to_string(),
        Some(1) => ", 1 thread".to_string(),
        Some(n) => format!(", {n} threads"),
        None => String::new(),
    };
    let RunContext { device, backend, preset, precision, conditions, .. } = context;
    let fused = labels::fused(context.fused);
    let further = if conditions.is_empty() { String::new() } else { format!(", {conditions}") };
    format!("{device} ({backend}){threads}, preset {preset}, {precision}, {fused}{further}")
}

/// The places of some runs, each once.
fn places<'a>(contexts: impl IntoIterator<Item = &'a RunContext>) -> String {
    each_once(contexts.into_iter().map(place)).join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_tells_the_tables_apart() {
        let section = |key, word: &str| {
            let mut table = Table::new([text(if key == "b" { "other" } else { "name" })]);
            table.row(fields![word]);
            Section::new(key, format!("about {word}"), table).note("so it is")
        };
        let sections = [section("a", "x"), section("a", "y"), section("b", "z")];
        let form = |format| render(&sections, format).unwrap();
        assert_eq!(form(Format::Csv), "table,name,other\na,x,\na,y,\nb,,z\n");
        assert_eq!(form(Format::Jsonl).lines().next(), Some("{\"name\":\"x\",\"table\":\"a\"}"));
        let json: Value = serde_json::from_str(&form(Format::Json)).unwrap();
        assert_eq!(json["a"][1]["name"], "y");
        assert_eq!(json["b"][0]["other"], "z");
        for format in [Format::Table, Format::Md] {
            let text = form(format);
            for expected in ["about x", "about z", "so it is"] {
                assert!(text.contains(expected), "{text}");
            }
        }
    }

    #[test]
    fn a_driver_without_workers_has_a_thread_and_is_told_from_one_with_a_worker() {
        let mut record = crate::analysis::synthetic::record(&[("w", Mode::Train, &[("add", 1.0)])]);
        let runs = [Some(0), Some(1), Some(2), None].map(|workers| {
            record.host.threads = workers;
            RunContext::of(&record, &record.runs[0])
        });
        let told = runs.each_ref().map(|run| (run.threads(), place(run)));
        let of = |threads: &str| format!("made up (vulkan){threads}, preset tiny, f32, not fused");
        assert_eq!(
            told,
            [
                (Some(1), of(", 1 thread without workers")),
                (Some(1), of(", 1 thread")),
                (Some(2), of(", 2 threads")),
                (None, of("")),
            ]
        );
    }

    #[test]
    fn an_analysis_has_a_name_of_its_own() {
        for (i, analysis) in ANALYSES.iter().enumerate() {
            assert!(ANALYSES[..i].iter().all(|earlier| earlier.name != analysis.name));
        }
    }
}
