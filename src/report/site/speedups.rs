//! How many times as fast each device is as another: a file for each device that the page may compare with.

use serde_json::{Map, Value, json};

use crate::compare::{self, Alike, Comparison, Side};
use crate::error::{Error, Result};
use crate::host::parallel::*;

use super::entry::Entry;
use super::{File, cell_name};

/// How many times as fast the second of two entries is as the first, with the ends of its interval.
type Speed = [f64; 3];

/// The speeds of two entries.
struct Speeds {
    whole: Option<Speed>,
    /// By `speech train`.
    cells: Vec<(String, Speed)>,
}

/// What a comparison came to, or why there is none.
type Pair = std::result::Result<Speeds, String>;

/// A script for each entry: it hands the page an object with the speed-ups of all others of its preset. A script and no
/// JSON, since a page from a disk may load the one and not the other.
pub(super) fn files(entries: &[Entry]) -> Result<Vec<File>> {
    let pairs: Vec<(usize, usize)> = (0..entries.len())
        .flat_map(|a| (a + 1..entries.len()).map(move |b| (a, b)))
        .filter(|(a, b)| entries[*a].preset() == entries[*b].preset())
        .collect();
    let sides: Vec<Side> = entries.iter().map(counted).collect();
    let compared: Vec<((usize, usize), Pair)> =
        pairs.into_par_iter().map(|(a, b)| ((a, b), pair(&sides[a], &sides[b]))).collect();
    let mut of_each = vec![Map::new(); entries.len()];
    for ((a, b), pair) in compared {
        of_each[a].insert(entries[b].slug(), object(&pair, |speed| speed));
        of_each[b].insert(entries[a].slug(), object(&pair, inverse));
    }
    let file = |(entry, others): (&Entry, Map<String, Value>)| {
        let slug = entry.slug();
        let text = format!("against({}, {});\n", json!(slug), Value::Object(others));
        File { path: format!("against/{slug}.js"), text }
    };
    Ok(entries.iter().zip(of_each).map(file).collect())
}

/// An entry without the runs that are no measurements: they are marked, and no reason to refuse the others.
fn counted(entry: &Entry) -> Side {
    let mut side = entry.side();
    for record in &mut side.records {
        record.runs.retain(|run| run.why_not_counted().is_none());
    }
    side
}

fn pair(base: &Side, other: &Side) -> Pair {
    match compare::compare(base, std::slice::from_ref(other), Alike::AllButDevice) {
        Ok(comparison) => Ok(speeds(&comparison)),
        Err(Error::Incomparable(why)) => Err(why),
        Err(error) => Err(error.to_string()),
    }
}

fn speeds(comparison: &Comparison) -> Speeds {
    // A ratio of times is above 1 where the other is slower.
    let speed = |ratio: f64, (low, high): (f64, f64)| inverse([ratio, low, high]);
    let whole = comparison.overall(0).map(|whole| speed(whole.ratio, whole.ci95));
    let cells = comparison.rows.iter().map(|row| {
        let name = cell_name(&row.key.workload, row.key.mode);
        (name, speed(row.finding.ratio, row.finding.ci95))
    });
    Speeds { whole, cells: cells.collect() }
}

fn inverse([value, low, high]: Speed) -> Speed {
    [1.0 / value, 1.0 / high, 1.0 / low]
}

fn object(pair: &Pair, turn: fn(Speed) -> Speed) -> Value {
    // Five digits: an interval has no more.
    let figures = |speed: Speed| turn(speed).map(|x| format!("{x:.5e}").parse::<f64>().ok());
    match pair {
        Ok(Speeds { whole, cells }) => {
            let cells: Map<String, Value> =
                cells.iter().map(|(name, speed)| (name.clone(), json!(figures(*speed)))).collect();
            json!({ "whole": whole.map(figures), "cells": cells })
        }
        Err(why) => json!({ "why": why }),
    }
}
