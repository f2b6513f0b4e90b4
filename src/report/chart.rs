//! Pictures from the plain data of an analysis: SVG for the page, characters for a terminal.

pub(super) mod bars;
pub(super) mod dendrogram;
pub(super) mod distances;
pub(super) mod profile;
mod ratios;
pub(super) mod scaling;
pub(super) mod speeds;
pub(super) mod spread;
mod svg;

/// A picture of the page.
#[derive(Debug, Clone)]
pub struct Chart {
    pub(super) title: String,
    pub(super) svg: String,
    pub(super) note: String,
}

impl Chart {
    /// An SVG element under its title.
    pub(super) fn new(title: impl Into<String>, svg: String) -> Self {
        Self { title: title.into(), svg, note: String::new() }
    }

    /// A remark below it.
    pub(super) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}
