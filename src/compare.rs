//! Two or more sets of records compared with each other: a verdict for each run, or a refusal that names
//! every difference that rules a comparison out.
//!
//! Sees records only. How a verdict is reached is in [`verdict`], what counts as unlike in [`unlike`].

use std::fmt;

use crate::error::{Error, Result};
use crate::record::{Clock, Integrity, Record, Run, RunKey};
use crate::stats::median_of_medians;
use crate::terms::{Mode, each_once};

pub mod advice;
pub mod agreement;
pub mod machine;
pub mod ops;
pub mod overall;
mod remarks;
pub mod unlike;
pub mod verdict;

use agreement::Agreement;
use overall::Overall;
use verdict::{Finding, Verdict};

/// One thing to be compared: a record, or several of the same thing run again.
#[derive(Debug, Clone)]
pub struct Side {
    /// What messages and columns call it.
    pub name: String,
    /// At least one.
    pub records: Vec<Record>,
}

impl Side {
    /// A record by itself.
    pub fn of(name: impl Into<String>, record: Record) -> Self {
        Self { name: name.into(), records: vec![record] }
    }

    /// Whether another framework than fathom was measured.
    pub fn is_peer(&self) -> bool {
        self.records.iter().any(|record| record.tool.peer.is_some())
    }

    /// Of its records, with spaces between them.
    pub fn ids(&self) -> String {
        self.records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// That of its gravest record.
    pub fn integrity(&self) -> Integrity {
        self.records.iter().map(|record| record.integrity).max().unwrap_or_default()
    }
}

/// Runs of one side held against those of the base that have the same key.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was run.
    pub key: RunKey,
    /// Place of the other side among those given, from 0.
    pub side: usize,
    /// The base's step: the median of its runs' medians.
    pub base_ns: f64,
    /// The other side's step.
    pub other_ns: f64,
    /// Verdict, ratio, interval, floor.
    pub finding: Finding,
    /// Whether both ran the same kernels on the same shapes.
    pub same_program: bool,
    /// Whether both computed the same, and what is furthest apart; nothing where a record does not say.
    pub agreement: Option<(Agreement, String, f64)>,
}

/// A cell of the base beside those of the other sides.
#[derive(Debug)]
pub struct Cell<'a> {
    /// What was run.
    pub key: RunKey,
    /// The base's step.
    pub base_ns: f64,
    /// One a side.
    pub rows: Vec<Option<&'a Row>>,
}

/// A cell that one side lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What was not run.
    pub key: RunKey,
    /// The name of the side that lacks it.
    pub lacking: String,
    /// The name of the side that has it.
    pub having: String,
}

/// What must be alike for records to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alike {
    /// Everything but the program.
    All,
    /// All but device and driver: vendors are compared.
    AllButDevice,
    /// All but options, device and driver, which are told: what is measured in turns on one machine differs in what is wanted.
    AllInTurns,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// In the base's order of runs, side by side.
    pub rows: Vec<Row>,
    /// Cells that only one of two sides has.
    pub missing: Vec<Missing>,
    /// What is worth saying but no reason to refuse.
    pub notes: Vec<String>,
}

impl Comparison {
    /// The base's cells, each with the step of the base and a row a side, missing where the side has none; without cells
    /// that no side has.
    pub fn cells<'a>(&'a self, base: &Side, sides: usize) -> Vec<Cell<'a>> {
        let cell = |key: RunKey| {
            let of_side = |side| self.rows.iter().find(|row| row.key == key && row.side == side);
            let rows: Vec<_> = (0..sides).map(of_side).collect();
            let base_ns = rows.iter().flatten().next()?.base_ns;
            Some(Cell { key, base_ns, rows })
        };
        keys(base).into_iter().filter_map(cell).collect()
    }

    /// A side on the whole; nothing where no cell of it was compared.
    pub fn overall(&self, side: usize) -> Option<Overall> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.side == side).collect();
        overall::overall(&rows)
    }

    /// How many of a side's rows have a verdict.
    pub fn count(&self, side: usize, verdict: Verdict) -> usize {
        let rows = self.rows.iter().filter(|row| row.side == side);
        rows.filter(|row| row.finding.verdict == verdict).count()
    }

    /// The rows that are slower by more than a share.
    pub fn slower_than(&self, share: f64) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| {
            row.finding.verdict == Verdict::Slower && row.finding.ratio > 1.0 + share
        })
    }
}

/// Compares each of `others` with `base`.
///
/// # Errors
/// [`Error::Incomparable`], which names every difference, or says that there is no run in common.
pub fn compare(base: &Side, others: &[Side], alike: Alike) -> Result<Comparison> {
    // What two records differ in may be met on every side: it is said once.
    let differences =
        each_once(others.iter().flat_map(|other| unlike::refusals(base, other, alike)));
    if !differences.is_empty() {
        return Err(Error::Incomparable(format!(
            "the records differ in more than their times:\n  {}",
            differences.join("\n  ")
        )));
    }
    let (mut rows, mut missing) = (Vec::new(), Vec::new());
    for (side, other) in others.iter().enumerate() {
        for key in keys(base) {
            let (ours, theirs) = (runs(base, &key), runs(other, &key));
            if theirs.is_empty() {
                missing.push(Missing::of(key, other, base));
            } else {
                let least = least_floor(base, ours.len()).max(least_floor(other, theirs.len()));
                // Known work takes another time on another device: what it takes of each device's own best is what tells.
                let evidence =
                    if alike == Alike::AllButDevice || !unlike::is_one_device(base, other) {
                        vec![machine::by_ceilings([base, other], &key)]
                    } else {
                        machine::evidence(&ours, &theirs)
                    };
                let mut row = row(key, side, (&ours, &theirs), &evidence, least);
                // Another seed, another result.
                row.agreement = row.agreement.filter(|_| is_one_seed(base, other));
                rows.push(row);
            }
        }
        let lacking = keys(other).into_iter().filter(|key| runs(base, key).is_empty());
        missing.extend(lacking.map(|key| Missing::of(key, base, other)));
    }
    if rows.is_empty() {
        return Err(Error::Incomparable("the records have no workload and mode in common".into()));
    }
    Ok(Comparison { rows, missing, notes: remarks::remarks(base, others, alike) })
}

impl Missing {
    fn of(key: RunKey, lacking: &Side, having: &Side) -> Self {
        Self { key, lacking: lacking.name.clone(), having: having.name.clone() }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is missing from {}", self.key, self.lacking)
    }
}

/// Whether all records of two sides are of one seed.
fn is_one_seed(base: &Side, other: &Side) -> bool {
    let seed = base.records[0].config.seed;
    base.records.iter().chain(&other.records).all(|record| record.config.seed == seed)
}

/// What a side ran, each once, in order of first mention.
pub fn keys(side: &Side) -> Vec<RunKey> {
    each_once(side.records.iter().flat_map(|record| &record.runs).map(Run::key))
}

/// Those of a workload in a mode.
pub fn keys_of(side: &Side, workload: &str, mode: Mode) -> Vec<RunKey> {
    let keys = keys(side).into_iter();
    keys.filter(|key| key.workload == workload && key.mode == mode).collect()
}

/// A side's runs of a key, one a record that has it.
pub fn runs<'a>(side: &'a Side, key: &RunKey) -> Vec<&'a Run> {
    let runs = side.records.iter().flat_map(|record| &record.runs);
    runs.filter(|run| run.key() == *key).collect()
}

/// Median of the runs' medians; NaN where none was timed.
pub fn step_ns(runs: &[&Run]) -> f64 {
    median_of_medians(&samples(runs))
}

/// The step times of those that were timed, in order.
pub fn samples<'a>(runs: &[&'a Run]) -> Vec<&'a [f64]> {
    let timings = runs.iter().filter_map(|run| run.timing.as_ref());
    timings.map(|timing| timing.step_ns.as_slice()).collect()
}

/// The same by the wall clock.
pub fn wall_samples<'a>(runs: &[&'a Run]) -> Vec<&'a [f64]> {
    let timings = runs.iter().filter_map(|run| run.timing.as_ref());
    timings.map(|timing| timing.wall_ns.as_slice()).collect()
}

/// The step times of two sides; those of the wall clock, which every run has, where a run of either has no other and
/// the rest do.
fn by_one_clock<'a>(ours: &[&'a Run], theirs: &[&'a Run]) -> (Vec<&'a [f64]>, Vec<&'a [f64]>) {
    let mut clocks = ours.iter().chain(theirs).filter_map(|run| run.timing.as_ref()?.clock.into());
    let first: Option<Clock> = clocks.next();
    if clocks.all(|clock| Some(clock) == first) {
        return (samples(ours), samples(theirs));
    }
    (wall_samples(ours), wall_samples(theirs))
}

fn least_floor(side: &Side, runs: usize) -> f64 {
    verdict::least_floor(runs, side.records[0].device.software)
}

fn row(
    key: RunKey,
    side: usize,
    (ours, theirs): (&[&Run], &[&Run]),
    evidence: &[machine::Evidence],
    least: f64,
) -> Row {
    let program = &ours[0].program;
    let (base, other) = by_one_clock(ours, theirs);
    Row {
        key,
        side,
        base_ns: median_of_medians(&base),
        other_ns: median_of_medians(&other),
        finding: verdict::judge(&base, &other, evidence, least),
        agreement: agreement::of_all(ours[0], theirs),
        same_program: ours.iter().chain(theirs).all(|r| r.program == *program),
    }
}

#[cfg(test)]
mod tests;
