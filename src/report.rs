//! Records for readers: tables for people, Markdown, CSV, JSON, an HTML page, a trace.

use crate::terms::words;

pub mod chart;
pub mod column;
pub mod field;
pub mod html;
pub mod number;
pub mod section;
pub mod site;
pub mod table;
pub mod trace;

words! {
    /// Form of what is printed or kept.
    Format {
        /// For people.
        Table = "table",
        /// Markdown.
        Md = "md",
        /// Comma-separated, one row a result.
        Csv = "csv",
        /// The whole record, or a list of rows.
        Json = "json",
        /// A line a result.
        Jsonl = "jsonl",
    }
}
