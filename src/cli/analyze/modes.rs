//! Training against inference, as a table.

use crate::analysis::modes::{self, Interval};
use crate::record::Record;
use crate::report::number::{digits, duration_ns};

use super::super::table::sections::Section;
use super::super::table::{Cell as Field, Table};

/// One table for all adapters.
pub(super) fn sections(records: &[Record]) -> Vec<Section> {
    let Some(found) = modes::modes(records) else {
        return Vec::new();
    };
    let mut table = Table::new(&[
        "device",
        "~backend",
        "workload",
        "~preset",
        ">batch",
        "~fused",
        ">train|train_ns",
        "~train_low_ns",
        "~train_high_ns",
        ">infer|infer_ns",
        "~infer_low_ns",
        "~infer_high_ns",
        ">infer / train|infer_over_train",
        "~infer_over_train_low",
        "~infer_over_train_high",
        ">train, normalised|train_normalised",
        "~train_normalised_low",
        "~train_normalised_high",
        ">infer, normalised|infer_normalised",
        "~infer_normalised_low",
        "~infer_normalised_high",
    ]);
    for row in &found.rows {
        let context = [
            row.device.as_str().into(),
            row.backend.name().into(),
            row.workload.as_str().into(),
            row.preset.name().into(),
            Field::count(row.batch),
            if row.fused { "yes" } else { "no" }.into(),
        ];
        let times = [row.train_ns, row.infer_ns].into_iter().flat_map(absolute);
        let ratios = [row.infer_over_train, row.train_normalised, row.infer_normalised];
        let ratios = ratios.into_iter().flat_map(relative);
        table.row(context.into_iter().chain(times).chain(ratios));
    }
    let title = "Training against inference, a step".to_string();
    vec![Section::new("modes", title, table).note(format!(
        "normalised: over the workload's training time on {}, as in the paper's figure; times with their 95 % \
         interval, ratios [from .. to] with at least 90 %",
        found.base
    ))]
}

fn absolute(interval: Option<Interval>) -> [Field; 3] {
    three(interval, |i| {
        let half = (i.high - i.low) / 2.0 / i.value;
        format!("{} ± {:.1} %", duration_ns(i.value), 100.0 * half)
    })
}

fn relative(interval: Option<Interval>) -> [Field; 3] {
    three(interval, |i| match i.low < i.high {
        true => format!("{} [{} .. {}]", digits(i.value), digits(i.low), digits(i.high)),
        false => digits(i.value),
    })
}

/// The figure with its interval for people; all three numbers for programs.
fn three(interval: Option<Interval>, show: impl Fn(Interval) -> String) -> [Field; 3] {
    let shown = interval.map(show).unwrap_or_default();
    [
        Field::maybe(interval.map(|i| i.value), |_| shown.clone()),
        Field::maybe(interval.map(|i| i.low), digits),
        Field::maybe(interval.map(|i| i.high), digits),
    ]
}
