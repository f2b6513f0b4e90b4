//! A table of texts, in each form that `--output` has.

use comfy_table::{CellAlignment, ContentArrangement, Table as Drawn, TableStyle, presets};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

use super::Format;

pub mod sections;

/// What people read in a cell, and what programs do.
#[derive(Debug, Clone)]
pub struct Cell {
    shown: String,
    value: Value,
}

impl Cell {
    /// A number in its base unit, and how people see it; a figure that is no number is a dash and a null.
    pub fn number(value: f64, shown: impl Into<String>) -> Self {
        let shown = if value.is_finite() { shown.into() } else { "-".into() };
        Self { shown, value: Value::from(value) }
    }

    /// A number that may be missing.
    pub fn maybe(value: Option<f64>, show: impl Fn(f64) -> String) -> Self {
        value.map_or_else(Self::none, |value| Self::number(value, show(value)))
    }

    /// A whole number.
    pub fn count(count: usize) -> Self {
        Self { shown: count.to_string(), value: Value::from(count) }
    }

    /// Nothing: a dash for people.
    pub fn none() -> Self {
        Self { shown: "-".into(), value: Value::Null }
    }
}

impl From<String> for Cell {
    fn from(shown: String) -> Self {
        Self { value: Value::from(shown.clone()), shown }
    }
}

impl From<&str> for Cell {
    fn from(shown: &str) -> Self {
        shown.to_string().into()
    }
}

/// Rows under headings; a heading that starts with `>` has its column set to the right, and what follows
/// a `|` is the column's name for programs, as in `>step|step_ns`. One that starts with `~` is for programs
/// only.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// No rows yet.
    pub fn new<S: AsRef<str>>(headings: &[S]) -> Self {
        Self {
            headings: headings.iter().map(|h| h.as_ref().to_string()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The headings for programs.
    fn names(&self) -> Vec<&str> {
        self.headings.iter().map(|h| names(h).1).collect()
    }

    /// The text in a form.
    ///
    /// # Errors
    /// [`Error::Internal`] where a row cannot be written, which does not happen in memory.
    pub fn render(&self, format: Format) -> Result<String> {
        match format {
            Format::Table => Ok(self.drawn(presets::NOTHING)),
            Format::Md => Ok(self.drawn(presets::ASCII_MARKDOWN)),
            Format::Csv => self.csv(true),
            Format::Json => Ok(format!("{:#}\n", Value::Array(self.objects()))),
            Format::Jsonl => Ok(self.objects().iter().map(|o| format!("{o}\n")).collect()),
        }
    }

    fn drawn(&self, preset: TableStyle) -> String {
        let mut table = Drawn::new();
        let all = self.headings.iter().enumerate();
        let columns: Vec<_> = all.filter(|(_, h)| !h.starts_with('~')).collect();
        // On a terminal it is folded to the width there is; elsewhere lines are as long as they are.
        table
            .load_style(preset)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(columns.iter().map(|(_, h)| names(h).0));
        for row in &self.rows {
            let cells = columns.iter().filter_map(|(i, _)| row.get(*i));
            table.add_row(cells.map(|cell| &cell.shown));
        }
        for (at, (_, heading)) in columns.iter().enumerate() {
            if let (true, Some(column)) = (heading.starts_with('>'), table.column_mut(at)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = table.to_string();
        lines.lines().map(|l| format!("{}\n", l.trim_end())).collect()
    }

    fn csv(&self, head: bool) -> Result<String> {
        let fault = |e: &dyn std::fmt::Display| Error::Internal(format!("a table as CSV: {e}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        if head {
            writer.write_record(self.names()).map_err(|e| fault(&e))?;
        }
        for row in &self.rows {
            let text = |cell: &Cell| match &cell.value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            writer.write_record(row.iter().map(text)).map_err(|e| fault(&e))?;
        }
        let bytes = writer.into_inner().map_err(|e| fault(&e))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn objects(&self) -> Vec<Value> {
        let names = self.names();
        let object = |row: &Vec<Cell>| {
            let pairs = names.iter().zip(row);
            let fields: Map<_, _> = pairs.map(|(n, c)| (n.to_string(), c.value.clone())).collect();
            Value::Object(fields)
        };
        self.rows.iter().map(object).collect()
    }
}

/// A heading's name for people, and that for programs.
fn names(heading: &str) -> (&str, &str) {
    let heading = heading.trim_start_matches(['>', '~']);
    heading.split_once('|').unwrap_or((heading, heading))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_holds_every_cell() {
        let mut table = Table::new(&["name", ">size"]);
        table.row(["a,b".to_string(), "7".to_string()]);
        for format in [Format::Table, Format::Md, Format::Csv, Format::Json, Format::Jsonl] {
            let text = table.render(format).unwrap();
            assert!(text.contains("a,b") && text.contains('7') && text.contains("size"), "{text}");
        }
        assert_eq!(table.render(Format::Csv).unwrap(), "name,size\n\"a,b\",7\n");
    }

    #[test]
    fn programs_get_base_units_and_people_get_theirs() {
        let mut table = Table::new(&["name", ">step|step_ns"]);
        table.row([Cell::from("a"), Cell::number(1500.0, "1.500 µs")]);
        table.row([Cell::from("b"), Cell::number(f64::NAN, "wrong")]);
        table.row([Cell::from("c"), Cell::none()]);
        let csv = table.render(Format::Csv).unwrap();
        assert_eq!(csv, "name,step_ns\na,1500.0\nb,\nc,\n");
        let lines = table.render(Format::Jsonl).unwrap();
        assert!(lines.starts_with("{\"name\":\"a\",\"step_ns\":1500.0}"), "{lines}");
        let shown = table.render(Format::Table).unwrap();
        assert!(shown.contains("1.500 µs") && !shown.contains("step_ns"), "{shown}");
        assert!(!shown.contains("wrong"), "{shown}");
    }

    #[test]
    fn a_column_for_programs_is_not_shown() {
        let mut table = Table::new(&["~device", ">ops"]);
        table.row([Cell::from("gpu"), Cell::count(7)]);
        let shown = table.render(Format::Table).unwrap();
        assert!(shown.contains("ops") && !shown.contains("device") && !shown.contains("gpu"));
        assert_eq!(table.render(Format::Csv).unwrap(), "device,ops\ngpu,7\n");
    }
}
