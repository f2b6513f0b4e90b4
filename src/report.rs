//! Records for readers: tables for people, Markdown, CSV, JSON, an HTML page, a trace.

pub mod chart;
pub mod column;
pub mod field;
pub mod html;
pub mod number;
pub mod section;
pub mod site;
pub mod table;
pub mod trace;

/// Form of what is printed or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// Markdown.
    Md,
    /// Comma-separated, one row a result.
    Csv,
    /// The whole record, or a list of rows.
    Json,
    /// A line a result.
    Jsonl,
}

impl Format {
    /// All forms.
    pub const ALL: [Self; 5] = [Self::Table, Self::Md, Self::Csv, Self::Json, Self::Jsonl];

    /// `table`, `md`, `csv`, `json`, `jsonl`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Md => "md",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
        }
    }
}
