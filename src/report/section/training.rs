//! Training as it goes on: a row at regular intervals.

use crate::fields;
use crate::report::column::Quantity::Fixed;
use crate::report::column::{Column, count, number, text};
use crate::report::table::Table;

/// Seconds since the start, or spent on a part.
fn seconds(title: &str, name: &str, width: usize) -> Column {
    number(title, name, Fixed(1)).unit("s").width(width)
}

/// Loss and metric by step.
pub fn steps(metric: &str, unit: &'static str) -> Table {
    Table::new([
        count("step").width(8),
        number("loss", "loss", Fixed(4)).width(12),
        number(metric, "metric", Fixed(2)).unit(unit).width(24),
        seconds("time", "seconds", 8),
    ])
}

/// Loss and score of a player by step, and where its time goes.
pub fn plays() -> Table {
    Table::new([
        count("step").width(8),
        count("updates").width(8),
        number("loss", "loss", Fixed(5)).width(10),
        number("mean score", "score", Fixed(3)).width(10),
        seconds("environment", "environment_s", 11),
        seconds("action", "action_s", 8),
        seconds("update", "update_s", 8),
    ])
}

/// The metric by groups of samples.
pub fn groups(groups: &[(String, f64)], unit: &'static str) -> Table {
    let mut table = Table::new([text("group"), number("metric", "metric", Fixed(1)).unit(unit)]);
    for (name, value) in groups {
        table.row(fields![name, *value]);
    }
    table
}
