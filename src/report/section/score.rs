//! One number for a device, and the runs it is made of.

use crate::compare::Side;
use crate::fields;
use crate::report::column::Quantity::{Digits, Duration};
use crate::report::column::{count, number, text};
use crate::report::field::Field;
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
        number("score", "score", Digits).ends(),
    ]);
    for (side, score) in scores {
        let device = side.integrity().mark(&side.records[0].device.name);
        for run in &score.runs {
            table.row(fields![
                &side.name,
                &device,
                &run.key.workload,
                run.key.mode,
                run.key.batch,
                run.step_ns,
                run.reference_ns,
                Field::Interval { value: run.score, low: run.ci95.0, high: run.ci95.1 }
            ]);
        }
        if let (Some(value), Some((low, high))) = (score.overall(), score.ci95()) {
            let (none, overall) = (None::<f64>, Field::Interval { value, low, high });
            table.row(fields![&side.name, device, "all", "both", none, none, none, overall]);
        }
    }
    table
}

/// What scores a thousand: on which machine, when, by which program.
pub fn reference(reference: &Side) -> String {
    let record = &reference.records[0];
    let machine = match (&record.host.cpu, record.device.software) {
        (Some(cpu), true) => format!(" on {cpu}"),
        _ => String::new(),
    };
    format!(
        "1000 is {}{machine} ({}), preset {}, {}, fathom {} ({})",
        record.device_name(),
        record.device.driver,
        record.config.preset,
        record.created.split('T').next().unwrap_or_default(),
        record.tool.version,
        record.tool.commit(),
    )
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
