//! The page of some records: its sections, and what leads to them.

use maud::{Markup, PreEscaped, html};

use crate::error::Result;
use crate::record::Integrity;
use crate::report::section::Part;
use crate::terms::Class;

use super::device::{self, Device};
use super::frame::{self, shown};

/// What the page shows.
pub(super) struct Page {
    pub(super) devices: Vec<Device>,
    /// What must be known before a figure is believed.
    pub(super) warnings: Vec<String>,
    pub(super) summary: Vec<Part>,
    pub(super) analyses: Vec<Answered>,
    pub(super) records: Vec<Embedded>,
}

/// An analysis for which the records have what it needs.
pub(super) struct Answered {
    pub(super) name: &'static str,
    pub(super) heading: &'static str,
    pub(super) charts: &'static str,
    pub(super) parts: Vec<Part>,
}

/// A record inside the page.
pub(super) struct Embedded {
    pub(super) name: String,
    pub(super) created: String,
    pub(super) device: String,
    pub(super) integrity: Integrity,
    pub(super) bytes: usize,
    /// The whole of it.
    pub(super) packed: String,
}

impl Page {
    /// All of a document, with a link back to `home` where it is one of several.
    pub(super) fn whole(&self, home: Option<&str>) -> Result<Markup> {
        let which = match device::names(&self.devices).as_slice() {
            [name] => format!("{name} trains and runs"),
            names => format!("{} devices train and run", names.len()),
        };
        let about = format!(
            "How fast {which} deep learning: whole models in portable compute kernels, verified on the device and timed \
             by its own clock."
        );
        let unfold = html! { button type="button" id="unfold" { "Open all details" } };
        Ok(html! {
            a.skip href="#summary" { "Skip to the figures" }
            (frame::header(&about, &unfold))
            (patterns())
            (self.contents(home))
            main { (self.sections()?) }
            footer {
                p {
                    "Made by fathom " (env!("CARGO_PKG_VERSION")) ". Method: Adolf, Rama, Reagen, Wei, Brooks, "
                    cite { "Fathom: reference workloads for modern deep learning methods" } ", IISWC 2016."
                }
            }
            (self.embedded())
        })
    }

    /// The sections alone.
    pub(super) fn part(&self) -> Result<Markup> {
        Ok(html! { (patterns()) (self.contents(None)) (self.sections()?) (self.embedded()) })
    }

    fn contents(&self, home: Option<&str>) -> Markup {
        html! {
            nav aria-label="Parts of the page" {
                @if let Some(home) = home { a href=(home) { "All devices" } }
                a href="#summary" { "Summary" }
                @for analysis in &self.analyses { a href={ "#" (analysis.name) } { (analysis.heading) } }
                a href="#records" { "Records" }
            }
        }
    }

    fn sections(&self) -> Result<Markup> {
        Ok(html! {
            section id="summary" {
                h2 { "Summary" }
                @for warning in &self.warnings { p.warning role="alert" { (warning) } }
                @for (at, part) in self.summary.iter().enumerate() {
                    (shown(part)?)
                    @if at == 0 { (self.cards()) }
                }
                (legend())
            }
            @for analysis in &self.analyses {
                section id=(analysis.name) {
                    h2 { (analysis.heading) }
                    @if !analysis.charts.is_empty() { p.note { (analysis.charts) } }
                    @for part in &analysis.parts { (shown(part)?) }
                }
            }
            (self.downloads())
        })
    }

    fn cards(&self) -> Markup {
        html! {
            div.cards {
                @for device in &self.devices {
                    div.card {
                        h3 { (device.title) }
                        dl { @for (name, value) in &device.rows { div { dt { (name) } dd { (value) } } } }
                    }
                }
            }
        }
    }

    fn downloads(&self) -> Markup {
        html! {
            section id="records" {
                h2 { "Records" }
                p.note { "The raw records behind this page, with every sample." }
                ul {
                    @for (at, record) in self.records.iter().enumerate() {
                        li {
                            button.download type="button" data-record={ "record-" (at) } data-name=(record.name) {
                                "Download " (record.name)
                            }
                            " " (record.device) ", " (record.created) ", " (record.bytes) " bytes"
                            @if record.integrity != Integrity::Intact { ", " strong { (record.integrity.name()) } }
                        }
                    }
                }
            }
        }
    }

    fn embedded(&self) -> Markup {
        html! {
            @for (at, record) in self.records.iter().enumerate() {
                script.record type="text/plain" id={ "record-" (at) } { (PreEscaped(&record.packed)) }
            }
        }
    }
}

/// A pattern for each class of operation: the first is plain.
fn patterns() -> Markup {
    let of_classes = html! {
        @for (at, class) in Class::ALL.iter().enumerate() {
            pattern id={ "pattern-" (class.letter()) } width="8" height="8" patternUnits="userSpaceOnUse"
                patternTransform={ "rotate(" (at * 26) ")" } {
                rect width="8" height="8" class={ "fill-" (class.letter()) } {}
                path d="M0 0V8" class="hatch" visibility=[(at == 0).then_some("hidden")] {}
            }
        }
    };
    frame::patterns(&of_classes)
}

fn legend() -> Markup {
    html! {
        ul.legend aria-label="Classes of operation" {
            @for class in Class::ALL {
                li {
                    svg viewBox="0 0 20 16" aria-hidden="true" {
                        rect width="20" height="16" class={ "class-" (class.letter()) } {}
                    }
                    b { (class.letter()) } " " (class.title())
                }
            }
        }
    }
}
