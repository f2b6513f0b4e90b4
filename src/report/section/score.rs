//! One number for a device, and the runs it is computed from.

use crate::compare::Side;
use crate::fields;
use crate::report::column::Kind::{Digits, Duration};
use crate::report::column::{count, number, text};
use crate::report::table::Table;
use crate::score::Score;

/// A row for each cell that counts, then the whole where there is one.
pub fn scores(scores: &[(&Side, Score)]) -> Table {
    let mut table = Table::new([
        text("record"),
        text("device"),
        text("workload"),
        text("mode"),
        count("batch"),
        number("step", "step_ns", Duration),
        number("reference", "reference_ns", Duration),
        number("score", "score", Digits),
    ]);
    for (side, score) in scores {
        let device = &side.records[0].device.name;
        for cell in &score.cells {
            table.row(fields![
                &side.name,
                device,
                &cell.key.workload,
                cell.key.mode,
                cell.key.batch,
                cell.step_ns,
                cell.reference_ns,
                cell.score
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
            score.cells.len(),
            score.needed,
            score.missing.join("\n  ")
        )
    };
    (!score.missing.is_empty()).then(text)
}
