//! What records show, following the questions of the Fathom paper (Adolf, Rama, Reagen, Wei, Brooks, IISWC
//! 2016, section V): where time goes, whether it is stationary, which workloads are similar, training against
//! inference, and what more parallelism gains.
//!
//! Pure functions of result records that return plain data: no device, no file, no text. So they serve the
//! command line, a page and a browser alike, and old records as well as new ones. Where a record lacks
//! something (a profile, a ceiling) the figure is left out; nothing here returns a NaN.

use crate::record::{Clock, Record, Run};
use crate::terms::{Backend, Mode, Precision, Preset, computing};

pub mod class;
pub mod modes;
pub mod profile;
pub mod scaling;
pub mod similarity;
pub mod stationarity;
#[cfg(test)]
pub(crate) mod synthetic;

/// Which run of which record a figure is of.
#[derive(Debug, Clone, PartialEq)]
pub struct RunContext {
    /// The record's id; empty where it was never written.
    pub record: String,
    /// When the record began, RFC 3339.
    pub created: String,
    /// Of the program.
    pub version: String,
    /// Commit it was built from.
    pub commit: String,
    /// What was measured: `fathom 0.1.0`, or another framework and how.
    pub measured: String,
    /// Of the machine, with its version.
    pub os: String,
    /// By what the adapter is known across runs.
    pub device_id: String,
    /// Where the run's step times come from; nothing where it was not timed.
    pub clock: Option<Clock>,
    /// The adapter's name, marked where the record was edited: such a run is comparable with no other of the adapter.
    pub device: String,
    /// The interface the adapter answers on.
    pub backend: Backend,
    /// With its version.
    pub driver: String,
    /// Of the machine under a software adapter, which is as fast as that.
    pub processor: Option<String>,
    /// Runs on the CPU.
    pub software: bool,
    /// Workers a software adapter was told to have, 0 where the thread that submits computes.
    pub workers: Option<usize>,
    /// `speech`.
    pub workload: String,
    /// Training or inference.
    pub mode: Mode,
    /// The model's size.
    pub preset: Preset,
    /// Of the values between ops.
    pub precision: Precision,
    /// What else changes its figures, where that is not as published: see [`Record::further_conditions`].
    pub conditions: String,
    /// Samples in a batch.
    pub batch: usize,
    /// Whether elementwise ops were merged into their neighbours: their time then counts as their
    /// neighbour's. The paper's view is that of a run with `--no-fuse`.
    pub fused: bool,
}

impl RunContext {
    /// The run's.
    pub fn of(record: &Record, run: &Run) -> Self {
        Self {
            record: record.id.clone(),
            created: record.created.clone(),
            version: record.tool.version.clone(),
            commit: record.tool.commit(),
            measured: record.tool.measured(),
            os: record.host.os.clone(),
            device_id: record.device.id(),
            clock: run.timing.as_ref().map(|timing| timing.clock),
            device: record.device_name(),
            backend: record.device.backend,
            driver: record.device.driver.clone(),
            processor: record.host.cpu.clone().filter(|_| record.device.software),
            software: record.device.software,
            workers: record.host.threads,
            workload: run.workload.clone(),
            mode: run.mode,
            preset: run.preset,
            precision: record.config.precision,
            conditions: record.further_conditions().collect::<Vec<_>>().join(", "),
            batch: run.batch,
            fused: record.config.fuse,
        }
    }

    /// Threads that run kernels, where a software adapter was told so.
    pub fn threads(&self) -> Option<usize> {
        self.workers.map(computing)
    }

    /// What two runs must share to stand in one figure: what was measured, adapter, driver, model size, precision, fusion and
    /// what else changes times.
    fn is_comparable(&self, other: &Self) -> bool {
        self.measured == other.measured
            && self.device == other.device
            && self.backend == other.backend
            && self.driver == other.driver
            && self.processor == other.processor
            && self.preset == other.preset
            && self.precision == other.precision
            && self.conditions == other.conditions
            && self.fused == other.fused
    }
}

/// Every run with its context, the runs of the oldest record first.
fn runs(records: &[Record]) -> Vec<(RunContext, &Run)> {
    let of_record = |record| move |run| (RunContext::of(record, run), run);
    let mut runs: Vec<_> =
        records.iter().flat_map(|record| record.runs.iter().map(of_record(record))).collect();
    runs.sort_by(|(a, _), (b, _)| a.created.cmp(&b.created));
    runs
}

/// `part / whole`, or 0 of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The sum, 0 of nothing: the standard library's is -0, which shows.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}
