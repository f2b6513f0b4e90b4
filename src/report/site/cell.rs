//! One workload in one mode on one device, as the front page shows it.

use crate::compare::{Side, keys_of, runs, step_ns};
use crate::record::{Run, Status};
use crate::report::number::{duration_ns, percent};
use crate::score::{SETTLED, why_not_scored};
use crate::terms::Mode;

use super::cell_name;

/// A column of the front page.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// `speech train`.
    pub(super) name: String,
    pub(super) workload: String,
    pub(super) mode: Mode,
}

/// Every workload in both modes.
pub(super) fn columns(workloads: &[&str]) -> Vec<Column> {
    let both = |workload: &&str| {
        let workload = (*workload).to_string();
        Mode::ALL.map(|mode| Column {
            name: cell_name(&workload, mode),
            workload: workload.clone(),
            mode,
        })
    };
    workloads.iter().flat_map(both).collect()
}

/// What stands in a cell.
#[derive(Debug)]
pub(super) struct Cell {
    /// `1.234 ms`, or the word for what it is instead.
    pub(super) text: String,
    /// `± 0.5 %`.
    pub(super) small: String,
    /// What must be known of it.
    pub(super) tip: String,
    /// The step in nanoseconds, where it counts.
    pub(super) sort: Option<f64>,
    /// Whether it is to be doubted, or is not a figure.
    pub(super) doubted: bool,
}

/// A side's cell: of the batch that `reference` has, else of the first it was run at.
pub(super) fn cell(side: &Side, column: &Column, reference: Option<&Side>) -> Cell {
    let of = |side: &Side| keys_of(side, &column.workload, column.mode);
    let ours = of(side);
    let wanted = reference.map(of).unwrap_or_default();
    let Some(key) = ours.iter().find(|key| wanted.contains(key)).or(ours.first()) else {
        return Cell::word("-", "not measured");
    };
    let runs = runs(side, key);
    let counted: Vec<&Run> =
        runs.iter().copied().filter(|r| r.why_not_counted().is_none()).collect();
    if counted.is_empty() {
        let word = match runs[0].verified.status {
            Status::Unverified => "UNVERIFIED",
            Status::Failed => "WRONG",
            Status::Passed => "not timed",
        };
        let wrong: Vec<_> = runs[0].verified.wrong().iter().map(ToString::to_string).collect();
        let tip = match wrong.as_slice() {
            [] => runs[0].why_not_counted().unwrap_or_default().to_string(),
            wrong => wrong.join("\n"),
        };
        return Cell::word(word, &tip);
    }
    let step = step_ns(&counted);
    let noise = noise(&counted, step);
    let unsettled = counted.iter().find_map(|run| why_not_scored(run));
    let batch = format!("batch {}", key.batch);
    Cell {
        text: duration_ns(step),
        small: format!("± {}", percent(noise)),
        tip: unsettled.clone().map_or(batch.clone(), |why| format!("{batch}; {why}")),
        sort: Some(step),
        doubted: unsettled.is_some() || noise > SETTLED,
    }
}

impl Cell {
    fn word(text: &str, tip: &str) -> Self {
        Self {
            text: text.into(),
            small: String::new(),
            tip: tip.into(),
            sort: None,
            doubted: text != "-",
        }
    }
}

/// What the step is known to: the widest interval of its runs, or how far those lie apart where that is more.
fn noise(runs: &[&Run], step: f64) -> f64 {
    let widest = runs.iter().filter_map(|run| run.noise()).fold(0.0, f64::max);
    let steps = || runs.iter().filter_map(|run| run.step_ns());
    let apart = steps().fold(0.0, f64::max) - steps().fold(f64::MAX, f64::min);
    widest.max(apart / 2.0 / step)
}
