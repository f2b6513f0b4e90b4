//! A synthetic record for tests.

use crate::terms::Mode;

use super::{Record, Run};

/// The fixture of the command line's tests, with these runs in place of its own.
pub(crate) fn record(runs: &[Run]) -> Record {
    let mut record = fixture();
    record.runs = runs.to_vec();
    record
}

/// A run of that record, with these step times.
pub(crate) fn run(workload: &str, mode: Mode, step_ns: &[f64]) -> Run {
    let mut run = fixture().runs.remove(0);
    run.workload = workload.into();
    run.mode = mode;
    if let Some(timing) = &mut run.timing {
        let mut sorted = step_ns.to_vec();
        sorted.sort_by(f64::total_cmp);
        timing.step.n = sorted.len();
        timing.step.median_ns = sorted[sorted.len() / 2];
        timing.step.ci95_ns = (sorted[0], sorted[sorted.len() - 1]);
        timing.step_ns = step_ns.to_vec();
    }
    run
}

fn fixture() -> Record {
    serde_json::from_str(include_str!("../../tests/cli/record.json")).unwrap()
}
