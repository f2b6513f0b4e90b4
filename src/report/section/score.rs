//! One number for a device, and the runs it is made of.

use crate::compare::Side;
use crate::fields;
use crate::record::Record;
use crate::report::column::Quantity::{Digits, Duration};
use crate::report::column::{count, number, text};
use crate::report::field::Field;
use crate::report::number::{digits, percent};
use crate::report::table::Table;
use crate::score::{self, PRESETS, Score, Slowed};

use super::labels::day;

/// A row for each run that counts, then the whole where there is one.
pub fn scores(scores: &[(&Side, Score)]) -> Table {
    let mut table = Table::new([
        text("record").spare(2),
        text("records").programs(),
        text("device").spare(1),
        text("workload"),
        text("mode"),
        count("batch"),
        number("step", "step_ns", Duration),
        number("reference", "reference_ns", Duration),
        number("score", "score", Digits).ends(),
    ]);
    for (side, score) in scores {
        let ids = side.ids();
        let device = side.integrity().mark(&side.records[0].device.name);
        for run in &score.runs {
            table.row(fields![
                &side.name,
                &ids,
                &device,
                &run.key.workload,
                run.key.mode,
                run.key.batch,
                run.step_ns,
                run.reference_ns,
                Field::interval(run.score, run.range())
            ]);
        }
        if let (Some(value), Some(range)) = (score.overall(), score.range()) {
            let (none, overall) = (None::<f64>, Field::interval(value, range));
            table.row(fields![&side.name, ids, device, "all", "both", none, none, none, overall]);
        }
    }
    table
}

/// `1023 [1011 .. 1035]`; nothing where there is no score of the whole.
pub fn in_words(score: &Score) -> Option<String> {
    let (overall, (low, high)) = (score.overall()?, score.range()?);
    let [overall, low, high] = [overall, low, high].map(digits);
    Some(format!("{overall} [{low} .. {high}]"))
}

/// A record's score in a line, or why it has none; `hint` says where that is explained.
pub fn line(record: &Record, hint: &str) -> String {
    let preset = record.config.preset;
    let score = match score::of(record) {
        Ok(score) => score,
        Err(error) if PRESETS.contains(&preset.name()) => return format!("no score: {error}"),
        Err(_) => return format!("no score: preset {preset} has no reference yet"),
    };
    match in_words(&score) {
        Some(score) => format!("score {score}"),
        None => {
            let (count, needed) = (score.runs.len(), score.needed);
            format!("no score: {count} of the {needed} runs it is made of count{hint}")
        }
    }
}

/// What the machine may have made of a score, a line for each side whose steps it took from.
pub fn slowed(side: &Side, reference: &Side, score: &Score) -> Vec<String> {
    let line = |name: &str, of: fn(&Slowed) -> f64, direction: &str| {
        let steps = score.runs.iter().filter(|run| of(&run.slowed) > 0.0).count();
        let by = percent(of(&score.slowed()).exp_m1());
        (steps > 0).then(|| {
            format!(
                "known work beside {steps} of the {} steps of {name} ran below what the device can do: the machine did other \
                 things, and the score may be too {direction} by up to {by}, which is in its interval",
                score.runs.len()
            )
        })
    };
    let lines = [
        line(&side.name, |slowed| slowed.side, "low"),
        line(&reference.name, |slowed| slowed.reference, "high"),
    ];
    lines.into_iter().flatten().collect()
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
        day(&record.created),
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
