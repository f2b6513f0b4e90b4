//! Tables of the page: sortable by every column, so a cell knows its value as well as its text.

use serde::Serialize;

/// A table.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    number: bool,
}

/// What is read in a cell, and what it is sorted by where that is not the text.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    text: String,
    sort: Option<f64>,
}

impl Cell {
    /// A figure.
    pub(super) fn number(value: f64, text: String) -> Self {
        Self { text, sort: value.is_finite().then_some(value) }
    }

    /// A figure that may be missing.
    pub(super) fn maybe(value: Option<f64>, show: impl Fn(f64) -> String) -> Self {
        value.map_or_else(|| Self::from("–"), |value| Self::number(value, show(value)))
    }

    /// A count.
    pub(super) fn count(count: usize) -> Self {
        Self::number(count as f64, count.to_string())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { text: text.into(), sort: None }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, sort: None }
    }
}

impl Table {
    /// No rows yet; a heading that starts with `>` is of figures.
    pub(super) fn new(caption: &str, headings: &[&str]) -> Self {
        let column = |heading: &&str| Column {
            name: heading.trim_start_matches('>').into(),
            number: heading.starts_with('>'),
        };
        Self {
            caption: caption.into(),
            columns: headings.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }
}
