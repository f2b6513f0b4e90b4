//! A table of texts, in each form that `--output` has.

use comfy_table::{CellAlignment, ContentArrangement, Table as Drawn, TableStyle, presets};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

use super::Format;

pub mod sections;

/// What stands in one place of a table: for people with its unit, for programs as a number in base units.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// The same for both.
    Text(String),
    /// A figure.
    Number {
        /// For `csv`, `json` and `jsonl`.
        value: f64,
        /// For `table` and `md`.
        shown: String,
    },
    /// Not known: a dash for people, null for programs.
    Nothing,
}

impl Field {
    /// A figure and how it is shown, or nothing.
    pub fn number(value: Option<f64>, show: impl Fn(f64) -> String) -> Self {
        match value.filter(|v| v.is_finite()) {
            Some(value) => Self::Number {
                value,
                shown: show(value),
            },
            None => Self::Nothing,
        }
    }

    /// A whole number.
    pub fn count(count: usize) -> Self {
        Self::number(Some(count as f64), |_| count.to_string())
    }

    fn shown(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Number { shown, .. } => shown,
            Self::Nothing => "-",
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.clone()),
            Self::Number { value, .. } if value.fract() == 0.0 && value.abs() < 9e15 => {
                Value::from(*value as i64)
            }
            Self::Number { value, .. } => Value::from(*value),
            Self::Nothing => Value::Null,
        }
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number { value, .. } => value.to_string(),
            Self::Nothing => String::new(),
        }
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

/// Rows under headings. A heading that starts with `>` has its column set to the right; one that starts
/// with `~` is for programs only; `time:time_ns` is `time` for people and `time_ns` for programs.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<Field>>,
}

impl Table {
    /// No rows yet.
    pub fn new(headings: &[&str]) -> Self {
        Self {
            headings: headings.iter().map(|h| h.to_string()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of texts.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.fields(cells.into_iter().map(Field::from));
    }

    /// Adds a row.
    pub fn fields(&mut self, fields: impl IntoIterator<Item = Field>) {
        self.rows.push(fields.into_iter().collect());
    }

    /// The columns' names for programs.
    fn names(&self) -> Vec<&str> {
        self.headings.iter().map(|h| name(h)).collect()
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
        let is_shown = |i: &usize| !self.headings[*i].starts_with('~');
        let columns: Vec<usize> = (0..self.headings.len()).filter(is_shown).collect();
        let heading = |&i: &usize| {
            let h = self.headings[i].trim_start_matches('>');
            h.split_once(':').map_or(h, |(shown, _)| shown)
        };
        // On a terminal it is folded to the width there is; elsewhere lines are as long as they are.
        table
            .load_style(preset)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(columns.iter().map(heading));
        for row in &self.rows {
            table.add_row(columns.iter().filter_map(|&i| row.get(i)).map(Field::shown));
        }
        for (at, &i) in columns.iter().enumerate() {
            if let (true, Some(column)) = (self.headings[i].starts_with('>'), table.column_mut(at))
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = table.to_string();
        lines
            .lines()
            .map(|l| format!("{}\n", l.trim_end()))
            .collect()
    }

    fn csv(&self, head: bool) -> Result<String> {
        let fault = |e: &dyn std::fmt::Display| Error::Internal(format!("a table as CSV: {e}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        if head {
            writer.write_record(self.names()).map_err(|e| fault(&e))?;
        }
        for row in &self.rows {
            let texts = row.iter().map(Field::csv);
            writer.write_record(texts).map_err(|e| fault(&e))?;
        }
        let bytes = writer.into_inner().map_err(|e| fault(&e))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn objects(&self) -> Vec<Value> {
        let names = self.names();
        let object = |row: &Vec<Field>| {
            let pairs = names.iter().zip(row);
            let fields: Map<_, _> = pairs.map(|(n, f)| (n.to_string(), f.json())).collect();
            Value::Object(fields)
        };
        self.rows.iter().map(object).collect()
    }
}

/// A heading's name for programs.
fn name(heading: &str) -> &str {
    let heading = heading.trim_start_matches(['>', '~']);
    heading.split_once(':').map_or(heading, |(_, name)| name)
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
    fn figures_have_a_unit_for_people_and_a_key_with_it_for_programs() {
        let mut table = Table::new(&["~device", ">time:time_ns", ">share"]);
        let time = Field::number(Some(2500.0), |_| "2.500 µs".into());
        table.fields(["gpu".into(), time, Field::Nothing]);
        let shown = table.render(Format::Table).unwrap();
        assert!(shown.contains("2.500 µs") && !shown.contains("gpu") && shown.contains('-'));
        assert_eq!(
            table.render(Format::Csv).unwrap(),
            "device,time_ns,share\ngpu,2500,\n"
        );
        assert_eq!(
            table.render(Format::Jsonl).unwrap(),
            "{\"device\":\"gpu\",\"share\":null,\"time_ns\":2500}\n"
        );
        assert_eq!(
            Field::number(Some(f64::NAN), |_| String::new()),
            Field::Nothing
        );
    }
}
