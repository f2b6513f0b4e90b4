//! What the page asks, and what it is told.

use fathom::terms::{Mode, Preset};
use serde::{Deserialize, Serialize};

/// A question.
#[derive(Debug, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(crate) enum Question {
    /// Opens the device.
    Open(Surroundings),
    /// What would run, and whether it fits.
    Plan(Chosen),
    /// Measures the ceilings and begins a record.
    Begin(Chosen),
    /// Measures one run of what was chosen.
    Run {
        /// Its place.
        at: usize,
        /// Has the device lost while it is measured: a test asks for that.
        #[serde(default)]
        lose: bool,
    },
    /// Adds a remark to the record.
    Note {
        /// For whoever reads it.
        text: String,
    },
    /// Measures the ceilings once more and ends the record.
    End,
    /// Records as the sections of a report.
    Report {
        /// The records.
        records: Vec<Named>,
    },
    /// A record as a block of Markdown.
    Markdown {
        /// Its text.
        text: String,
    },
}

/// What the page knows of itself.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Surroundings {
    /// The adapter as the browser tells it.
    pub(crate) adapter: Told,
    /// The browser's name and version.
    pub(crate) browser: String,
    /// What it calls itself to servers.
    pub(crate) user_agent: String,
    /// The operating system, as far as it tells.
    pub(crate) os: String,
    /// Logical cores.
    pub(crate) cores: Option<usize>,
    /// What its clock is rounded to.
    pub(crate) clock_resolution_ns: f64,
}

/// `GPUAdapterInfo`; what a browser keeps to itself is empty.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Told {
    pub(crate) vendor: String,
    pub(crate) architecture: String,
    pub(crate) device: String,
    pub(crate) description: String,
}

/// What is to run, and how.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Chosen {
    pub(crate) workloads: Vec<String>,
    pub(crate) modes: Vec<Mode>,
    pub(crate) preset: Preset,
    /// Most seconds that a run is sampled for.
    pub(crate) time_s: f64,
    /// The record of an earlier worker that ended: its runs are kept.
    #[serde(default)]
    pub(crate) earlier: Option<String>,
    /// The runs that ended it, each with why.
    #[serde(default)]
    pub(crate) failures: Vec<String>,
    /// Has the device lost over the ceilings: a test asks for that.
    #[serde(default)]
    pub(crate) lose: bool,
}

/// A record with its file's name.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// An answer.
#[derive(Debug, Serialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// The device is open.
    Opened {
        name: String,
        driver: String,
        software: bool,
        timestamps: bool,
        /// The preset that fits such a device.
        preset: Preset,
        /// What is known of it, in rows.
        facts: Vec<(&'static str, String)>,
        workloads: Vec<Listed>,
    },
    /// What would run.
    Planned { rows: Vec<Planned>, about: String },
    /// A record has begun.
    Begun { runs: usize, record: String },
    /// A run has been measured.
    Ran { row: Row, record: String },
    /// A run has failed; the others can go on.
    Missed { why: String, record: String },
    /// The record has a remark more, or has ended.
    Recorded { record: String },
    /// For people.
    Shown { text: String },
    /// It could not be done.
    Failed { why: String, lost: bool },
}

/// A workload of the list.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
}

/// A run before it has begun.
#[derive(Debug, Serialize)]
pub(crate) struct Planned {
    pub(crate) workload: String,
    pub(crate) mode: Mode,
    pub(crate) batch: usize,
    pub(crate) memory: String,
    /// Seconds that it is likely to take at most.
    pub(crate) seconds: f64,
    /// Why the device's limits forbid it.
    pub(crate) unfit: Option<String>,
}

/// A run that has ended.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) samples_per_s: String,
    pub(crate) step: String,
    pub(crate) noise: String,
    pub(crate) rate: String,
    pub(crate) verified: String,
    pub(crate) passed: bool,
    pub(crate) doubts: Vec<String>,
}

/// How far a run is.
#[derive(Debug, Serialize)]
pub(crate) struct News<'a> {
    pub(crate) part: &'a str,
    pub(crate) share: f64,
}
