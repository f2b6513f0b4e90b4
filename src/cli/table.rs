//! A table of texts, in each form that `--output` has.

use comfy_table::{CellAlignment, ContentArrangement, Table as Drawn, TableStyle, presets};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

use super::Format;

/// Rows under headings; a heading that starts with `>` has its column set to the right.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No rows yet.
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn names(&self) -> Vec<&'static str> {
        self.headings
            .iter()
            .map(|h| h.trim_start_matches('>'))
            .collect()
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
            .set_header(self.names());
        for row in &self.rows {
            table.add_row(row);
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
        writer.write_record(self.names()).map_err(|e| fault(&e))?;
        for row in &self.rows {
            writer.write_record(row).map_err(|e| fault(&e))?;
        }
        let bytes = writer.into_inner().map_err(|e| fault(&e))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn objects(&self) -> Vec<Value> {
        let names = self.names();
        let object = |row: &Vec<String>| {
            let pairs = names.iter().zip(row);
            let fields: Map<_, _> = pairs
                .map(|(n, c)| (n.to_string(), Value::from(c.clone())))
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
}
