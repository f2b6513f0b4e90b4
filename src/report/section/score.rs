//! One number for a device, and the runs it is made of.

use crate::compare::Side;
use crate::fields;
use crate::report::column::Kind::{Digits, Duration};
use crate::report::column::{count, number, text};
use crate::report::table::Table;
use crate::score::Score;

/// A row for each run that counts, then the whole where there is one.
pub fn scores(scores: &[(&Side, Score)]) -> Table {
    let mut table = Table::new([
        text("record").spare(2),
        text("device").spare(1),
        text("workload"),
        text("mode"),
        count("batch"),
        number("step", "step_ns", Duration),
        number("reference", "reference_ns", Duration),
        number("score", "score", Digits),
    ]);
    for (side, score) in scores {
        let device = &side.records[0].device.name;
        for run in &score.runs {
            table.row(fields![
                &side.name,
                device,
                &run.key.workload,
                run.key.mode,
                run.key.batch,
                run.step_ns,
                run.reference_ns,
                run.score
            ]);
        }
        if let Some(overall) = score.overall() {
            let none = None::<f64>;
            table.row(fields![&side.name, device, "all", "both", none, none, none, overall]);
        }
    }
    table
}

/// Why a side has no score of the whole; nothing where it has one.
pub fn lacking(side: &Side, score: &Score) -> Option<String> {
    let text = || {
        format!(
            "{} has {} of {} runs, so there is no score:\n  {}",
            side.name,
            score.runs.len(),
            score.needed,
            score.missing.join("\n  ")
        )
    };
    (!score.missing.is_empty()).then(text)
}
