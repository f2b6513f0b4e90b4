//! What every page is framed by, and how it shows a section's table, charts and remarks.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::error::{Result, lines};
use crate::report::chart::Chart;
use crate::report::section::Part;
use crate::report::table::{Grid, Heading, Shown};

use super::packed;

/// Characters up to which a cell's text is not broken into lines.
const LONG: usize = 20;

/// A document that stands alone.
pub(in crate::report) fn document(
    title: &str,
    style: &[&str],
    scripts: &[&str],
    content: &Markup,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Fathom: " (title) }
                link rel="icon" href="data:,";
                style { @for sheet in style { (PreEscaped(sheet)) } }
            }
            body {
                (content)
                div id="tip" role="status" hidden {}
                script { @for script in scripts { (PreEscaped(script)) } }
            }
        }
    }
}

/// The name above a page, what it is about, and what can be done with it.
pub(in crate::report) fn header(about: &str, tool: &Markup) -> Markup {
    html! {
        header {
            div {
                h1 { "Fathom" }
                p { (about) }
            }
            div.tools {
                (tool)
                button type="button" id="theme" aria-pressed="false" { "Dark theme" }
            }
        }
    }
}

/// Patterns that charts refer to: of what belongs to no class, and the page's own.
pub(in crate::report) fn patterns(others: &Markup) -> Markup {
    html! {
        svg width="0" height="0" class="patterns" aria-hidden="true" {
            defs {
                (others)
                pattern id="pattern-other" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="6" height="6" class="other-ground" {}
                    path d="M0 0V6" class="other-hatch" {}
                }
            }
        }
    }
}

/// A chart under its title.
pub(in crate::report) fn drawn(chart: &Chart) -> Markup {
    html! {
        figure {
            figcaption { (chart.title) }
            div.drawing { (PreEscaped(&chart.svg)) }
            @if !chart.note.is_empty() { p.note { (chart.note) } }
        }
    }
}

/// What a section holds; that of a single run is folded, and unpacked when it is looked at.
pub(super) fn shown(part: &Part) -> Result<Markup> {
    if !part.is_detail {
        return Ok(html! { h3 { (part.title) } (body(part)) });
    }
    let packed = packed::pack(&lines(&body(part).into_string()))?;
    Ok(html! {
        details {
            summary { (part.title) }
            script.packed type="text/plain" { (PreEscaped(packed)) }
        }
    })
}

fn body(part: &Part) -> Markup {
    html! {
        @if !part.charts.is_empty() {
            div.charts { @for chart in &part.charts { (drawn(chart)) } }
        }
        @if !part.table.rows.is_empty() { (grid(&part.table, &part.title)) }
        @for note in &part.notes { p.note { (note) } }
    }
}

fn grid(grid: &Grid, caption: &str) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { span { (caption) " " button.copy type="button" { "Copy" } } }
                thead {
                    tr { @for column in &grid.columns { (heading(column)) } }
                }
                tbody {
                    @for row in &grid.rows {
                        tr { @for (cell, column) in row.iter().zip(&grid.columns) { (field(cell, column)) } }
                    }
                }
            }
        }
    }
}

fn heading(column: &Heading) -> Markup {
    html! {
        th scope="col" class=[column.number.then_some("number")] {
            button.sort type="button" { (column.title) }
        }
    }
}

/// A figure is sorted by its value, whatever its text.
fn field(cell: &Shown, column: &Heading) -> Markup {
    let is_long = cell.text.chars().count() > LONG;
    let class = if column.number { Some("number") } else { is_long.then_some("long") };
    html! { td class=[class] data-sort=[cell.sort] { (cell.text) } }
}
