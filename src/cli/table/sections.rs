//! Several tables in one answer, in each form that `--output` has.

use serde_json::{Map, Value};

use crate::error::Result;

use super::super::Format;
use super::Table;

/// A table with what people need around it.
#[derive(Debug, Clone)]
pub struct Section {
    /// What programs know it by; sections of one key have the same columns.
    pub key: &'static str,
    /// Above it, for people.
    pub title: String,
    /// The rows.
    pub table: Table,
    /// A drawing below it, for people.
    pub figure: String,
    /// Remarks below it, for people.
    pub notes: Vec<String>,
}

impl Section {
    /// A table without drawing or remarks.
    pub fn new(key: &'static str, title: impl Into<String>, table: Table) -> Self {
        Self { key, title: title.into(), table, figure: String::new(), notes: Vec::new() }
    }

    /// Adds a remark.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    fn drawn(&self, format: Format) -> Result<String> {
        let is_table = matches!(format, Format::Table);
        let mut text = format!("{}{}\n", if is_table { "" } else { "## " }, self.title);
        // Markdown wants a table, and each remark, apart.
        let apart = if is_table { "" } else { "\n" };
        text += &format!("{apart}{}", self.table.render(format)?);
        if !self.figure.is_empty() {
            let fence = if is_table { "" } else { "```\n" };
            text += &format!("\n{fence}{}{fence}", self.figure);
        }
        for note in &self.notes {
            text += &format!("{apart}{note}\n");
        }
        Ok(text)
    }
}

/// All sections in a form. `csv`: the tables one after the other, a blank line between those of different
/// keys. `json`: an object of a list for each key. `jsonl`: each row with its key as `table`.
///
/// # Errors
/// As [`Table::render`].
pub fn render(sections: &[Section], format: Format) -> Result<String> {
    let mut text = String::new();
    match format {
        Format::Table | Format::Md => {
            for (i, section) in sections.iter().enumerate() {
                text += if i > 0 { "\n" } else { "" };
                text += &section.drawn(format)?;
            }
        }
        Format::Csv => {
            let mut last = None;
            for section in sections {
                let goes_on = last == Some(section.key);
                text += if goes_on || text.is_empty() { "" } else { "\n" };
                text += &section.table.csv(!goes_on)?;
                last = Some(section.key);
            }
        }
        Format::Json => {
            let mut all = Map::new();
            for section in sections {
                let list = all.entry(section.key).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.extend(section.table.objects());
                }
            }
            text = format!("{:#}\n", Value::Object(all));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_tells_the_tables_apart() {
        let section = |key, cell: &str| {
            let mut table = Table::new(&["name"]);
            table.row([cell.to_string()]);
            Section::new(key, format!("about {cell}"), table).note("so it is")
        };
        let all = [section("a", "x"), section("a", "y"), section("b", "z")];
        let form = |format| render(&all, format).unwrap();
        assert_eq!(form(Format::Csv), "name\nx\ny\n\nname\nz\n");
        assert_eq!(form(Format::Jsonl).lines().next(), Some("{\"name\":\"x\",\"table\":\"a\"}"));
        let json: Value = serde_json::from_str(&form(Format::Json)).unwrap();
        assert_eq!(json["a"][1]["name"], "y");
        assert_eq!(json["b"][0]["name"], "z");
        for format in [Format::Table, Format::Md] {
            let text = form(format);
            for expected in ["about x", "about z", "so it is"] {
                assert!(text.contains(expected), "{text}");
            }
        }
    }
}
