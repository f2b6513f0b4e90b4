//! A table of texts, in each form that `--output` has.

use comfy_table::{CellAlignment, ContentArrangement, Table as Drawn, TableStyle, presets};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

use super::Format;

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
/// a `|` is the column's name for programs, as in `>step|step_ns`.
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

    /// The headings for people or for programs.
    fn names(&self, people: bool) -> Vec<&str> {
        let name = |heading: &'_ String| -> (usize, usize) {
            let start = usize::from(heading.starts_with('>'));
            match heading.find('|') {
                Some(bar) if people => (start, bar),
                Some(bar) => (bar + 1, heading.len()),
                None => (start, heading.len()),
            }
        };
        let slice = |h| {
            let (start, end) = name(h);
            &h[start..end]
        };
        self.headings.iter().map(slice).collect()
    }

    /// The text in a form.
    ///
    /// # Errors
    /// [`Error::Internal`] where a row cannot be written, which does not happen in memory.
    pub fn render(&self, format: Format) -> Result<String> {
        match format {
            Format::Table => Ok(self.drawn(presets::NOTHING)),
            Format::Md => Ok(self.drawn(presets::ASCII_MARKDOWN)),
            Format::Csv => self.csv(),
            Format::Json => Ok(format!("{:#}\n", Value::Array(self.objects()))),
            Format::Jsonl => Ok(self.objects().iter().map(|o| format!("{o}\n")).collect()),
        }
    }

    fn drawn(&self, preset: TableStyle) -> String {
        let mut table = Drawn::new();
        // On a terminal it is folded to the width there is; elsewhere lines are as long as they are.
        table
            .load_style(preset)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(self.names(true));
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| &cell.shown));
        }
        for (i, heading) in self.headings.iter().enumerate() {
            if let (true, Some(column)) = (heading.starts_with('>'), table.column_mut(i)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = table.to_string();
        lines
            .lines()
            .map(|l| format!("{}\n", l.trim_end()))
            .collect()
    }

    fn csv(&self) -> Result<String> {
        let fault = |e: &dyn std::fmt::Display| Error::Internal(format!("a table as CSV: {e}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.names(false)).map_err(|e| fault(&e))?;
        for row in &self.rows {
            let text = |cell: &Cell| match &cell.value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            writer
                .write_record(row.iter().map(text))
                .map_err(|e| fault(&e))?;
        }
        let bytes = writer.into_inner().map_err(|e| fault(&e))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn objects(&self) -> Vec<Value> {
        let names = self.names(false);
        let object = |row: &Vec<Cell>| {
            let pairs = names.iter().zip(row);
            let fields: Map<_, _> = pairs
                .map(|(n, c)| (n.to_string(), c.value.clone()))
                .collect();
            Value::Object(fields)
        };
        self.rows.iter().map(object).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_holds_every_cell() {
        let mut table = Table::new(&["name", ">size"]);
        table.row(["a,b".to_string(), "7".to_string()]);
        for format in [
            Format::Table,
            Format::Md,
            Format::Csv,
            Format::Json,
            Format::Jsonl,
        ] {
            let text = table.render(format).unwrap();
            assert!(
                text.contains("a,b") && text.contains('7') && text.contains("size"),
                "{text}"
            );
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
}
