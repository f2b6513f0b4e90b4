//! The front page: a table of devices for each preset.

use std::collections::BTreeSet;

use maud::{Markup, PreEscaped, html};

use crate::report::html::frame::{self, drawn};

use super::cell::{Cell, Column};
use super::entry::Row;
use super::{LeftOut, Part};

/// What the page is about.
const ABOUT: &str = "How fast devices train and run deep learning: whole models in portable compute kernels, \
                     verified on each device and timed by its own clock.";

/// What the page shows.
pub(super) struct Front<'a> {
    pub(super) parts: &'a [Part],
    pub(super) left_out: &'a [LeftOut],
    /// Where on the site the benchmark runs in the browser, if it does.
    pub(super) runs_at: Option<&'a str>,
}

impl Front<'_> {
    /// All of its document.
    pub(super) fn page(&self) -> Markup {
        let run = html! {
            @if let Some(runs_at) = self.runs_at { a.button href=(runs_at) { "Run it on this device" } }
        };
        html! {
            @if let Some(first) = self.parts.first() {
                a.skip href={ "#" (first.preset.name()) } { "Skip to the figures" }
            }
            (frame::header(ABOUT, &run))
            (frame::patterns(&Markup::default()))
            (self.filters())
            main {
                @for part in self.parts { (part.section()) }
                @if !self.left_out.is_empty() { (self.left_out()) }
            }
            footer {
                p {
                    "Made by fathom " (env!("CARGO_PKG_VERSION")) " from the records that each device's page holds. What the \
                     figures mean: " code { "fathom help measuring" } ". A speed-up is the ratio of two devices' steps, its \
                     95 % interval that of the two steps taken together; " code { "fathom compare --across" } " resamples \
                     both records, and finds the same but for the last digit; of the whole it leaves out runs during \
                     which the machine itself moved."
                }
            }
            @for part in self.parts {
                script type="application/json" id={ "steps-" (part.preset.name()) } { (PreEscaped(&part.steps)) }
            }
        }
    }

    fn filters(&self) -> Markup {
        let rows = || self.parts.iter().flat_map(Part::rows);
        // Each once, in order.
        let vendors: BTreeSet<_> = rows().map(|row| row.vendor).collect();
        let backends: BTreeSet<_> = rows().map(|row| row.backend.name()).collect();
        let presets = self.parts.iter().map(|part| part.preset.name());
        html! {
            nav aria-label="What is shown" {
                form id="filters" hidden {
                    (filter("Vendor", "vendor", vendors)) " "
                    (filter("Backend", "backend", backends)) " "
                    (filter("Preset", "preset", presets)) " "
                    label {
                        "Mode "
                        select name="mode" {
                            option value="both" { "both" }
                            option value="train" { "training" }
                            option value="infer" { "inference" }
                        }
                    }
                    " " label { input type="checkbox" name="software" checked; " software adapters" }
                }
            }
        }
    }

    fn left_out(&self) -> Markup {
        html! {
            section id="left-out" {
                h2 { "Left out" }
                p.note { "Files of which nothing can be believed, or read." }
                ul { @for one in self.left_out { li { b { (one.file) } ": " (one.why) } } }
            }
        }
    }
}

fn filter(title: &str, name: &str, words: impl IntoIterator<Item = &'static str>) -> Markup {
    html! {
        label {
            (title) " "
            select name=(name) {
                option value="" { "all" }
                @for word in words { option { (word) } }
            }
        }
    }
}

impl Part {
    /// Its devices, those with a rank first.
    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.ranked.iter().chain(&self.unranked)
    }

    fn section(&self) -> Markup {
        let preset = self.preset.name();
        html! {
            section.preset id=(preset) data-preset=(preset) {
                h2 { "Preset " (preset) }
                p.note {
                    "The median step, with half the width of its 95 % interval; point at a figure for what is behind it. \
                     Score: " (self.unit) "."
                }
                p.against hidden {
                    label {
                        "Compare with "
                        select {
                            option value="" { "nothing: times of a step" }
                            @for row in self.rows() {
                                option value=(row.slug) {
                                    (row.name) ", " (row.backend.name()) ", " (row.driver) ", " (row.tool)
                                }
                            }
                        }
                    }
                }
                div.table tabindex="0" role="region" aria-label={ "Devices and workloads of preset " (preset) } {
                    table {
                        thead { (self.headings()) }
                        tbody { @for row in &self.ranked { (row.shown(&self.columns)) } }
                        @if !self.unranked.is_empty() { (self.software()) }
                    }
                }
                @if let Some(chart) = &self.chart { div.charts { (drawn(chart)) } }
            }
        }
    }

    fn headings(&self) -> Markup {
        html! {
            tr {
                th scope="col" { button.sort type="button" { "device" } }
                th.number.whole scope="col" { button.sort type="button" { "score" } }
                @for column in &self.columns {
                    th.number scope="col" data-mode=(column.mode.name()) {
                        button.sort type="button" { (column.workload) " " span { (column.mode.name()) } }
                    }
                }
            }
        }
    }

    /// What runs on the CPU, apart from the others.
    fn software(&self) -> Markup {
        html! {
            tbody.divider {
                tr {
                    td colspan=(self.columns.len() + 2) {
                        span {
                            "Software adapters: they run on the CPU, are as fast as the machine under them, and have no rank"
                        }
                    }
                }
            }
            tbody { @for row in &self.unranked { (row.shown(&self.columns)) } }
        }
    }
}

impl Row {
    fn shown(&self, columns: &[Column]) -> Markup {
        html! {
            tr data-slug=(self.slug) data-vendor=(self.vendor) data-backend=(self.backend.name()) data-software[self.software] {
                th scope="row" {
                    @if let Some(rank) = self.rank { span.rank { (rank) "." } " " }
                    a href=(self.page) { (self.name) }
                    small { (self.backend.name()) ", " (self.driver) }
                    small { (self.tool) ", " (self.date) }
                    @for mark in &self.marks { small.mark { (mark) } }
                }
                @match &self.score {
                    Some(score) => td.number.whole data-sort=(score.value) { (score.text) small { (score.small) } },
                    None => td.number.whole data-tip={ (self.name) " has no score: " (self.unscored) } { "-" },
                }
                @for (cell, column) in self.cells.iter().zip(columns) { (cell.shown(column, &self.name)) }
            }
        }
    }
}

impl Cell {
    fn shown(&self, column: &Column, device: &str) -> Markup {
        html! {
            td.number.cell.doubted[self.doubted] data-cell=(column.name) data-mode=(column.mode.name())
                data-tip={ (device) ", " (column.name) ": " (self.tip) } data-sort=[self.sort] {
                (self.text)
                @if !self.small.is_empty() { small { (self.small) } }
            }
        }
    }
}
