//! What the page computes speed-ups from: each device's steps and how well they are known, and which devices cannot be
//! compared and why. Of the size of the devices and not of their pairs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::compare::verdict::{DEVIATIONS, alone, least_floor};
use crate::compare::{Alike, Side, keys, overall::NORMAL_95, runs, samples, unlike, wall_samples};
use crate::error::{Error, Result};
use crate::host::parallel::*;
use crate::record::Clock;

use super::cell_name;
use super::entry::Entry;

/// What [`crate::compare`] makes of steps: the page does the same with the figures of two devices.
#[derive(Debug, Serialize)]
struct Rules {
    deviations: f64,
    normal95: f64,
}

/// A part's devices.
#[derive(Debug, Serialize)]
struct Steps {
    rules: Rules,
    devices: BTreeMap<String, Device>,
    /// Why a kind of device cannot be compared with another, by the two: the one that is chosen first.
    unlike: Vec<Vec<Option<String>>>,
}

/// A device's steps.
#[derive(Debug, Serialize)]
struct Device {
    /// Those of a kind refuse the same others.
    kind: usize,
    cells: Vec<Step>,
}

/// The step of a cell.
#[derive(Debug, Serialize)]
struct Step {
    /// `speech train`.
    cell: String,
    batch: usize,
    clock: Option<Clock>,
    #[serde(flatten)]
    times: Times,
    /// The same by the wall clock, where the device's own is another and a peer may know no other.
    wall: Option<Times>,
    /// Its least noise floor: that of a pair is the higher of two.
    least: f64,
}

/// The times of a step by one clock.
#[derive(Debug, Serialize)]
struct Times {
    /// Nanoseconds, with the ends of their interval.
    ns: [Option<f64>; 3],
    /// Of the noise between runs.
    variance: Option<f64>,
}

impl Times {
    fn of(samples: &[&[f64]]) -> Self {
        let alone = alone(samples);
        Self {
            ns: [alone.step_ns, alone.ci95.0, alone.ci95.1].map(digits),
            variance: digits(alone.variance),
        }
    }
}

/// The steps of a preset's devices, as JSON that may stand in a page.
pub(super) fn steps(entries: &[&Entry]) -> Result<String> {
    let sides: Vec<Side> = entries.iter().map(|entry| counted(entry)).collect();
    let (kinds, firsts) = kinds(&sides);
    let has_peers = sides.iter().any(Side::is_peer);
    let device = |((entry, side), kind): ((&&Entry, &Side), usize)| {
        let cells = keys(side).into_iter().map(|key| {
            let runs = runs(side, &key);
            let clock = runs.iter().find_map(|run| Some(run.timing.as_ref()?.clock));
            let by_wall = has_peers && clock == Some(Clock::Timestamps);
            Step {
                cell: cell_name(&key.workload, key.mode),
                batch: key.batch,
                clock,
                times: Times::of(&samples(&runs)),
                wall: by_wall.then(|| Times::of(&wall_samples(&runs))),
                least: least_floor(runs.len(), side.records[0].device.software),
            }
        });
        (entry.slug(), Device { kind, cells: cells.collect() })
    };
    let known: Vec<_> = entries.iter().zip(&sides).zip(kinds).collect();
    let steps = Steps {
        rules: Rules { deviations: DEVIATIONS, normal95: NORMAL_95 },
        devices: known.into_par_iter().map(device).collect(),
        unlike: refusals(&firsts),
    };
    let json = serde_json::to_string(&steps).map_err(|e| Error::Internal(e.to_string()))?;
    // No name in it may end the element that it stands in.
    Ok(json.replace('<', "\\u003c"))
}

/// Six digits: an interval has no more.
fn digits(x: f64) -> Option<f64> {
    x.is_finite().then(|| format!("{x:.5e}").parse().ok()).flatten()
}

/// An entry without the runs that are no measurements: they are marked, and no reason to refuse the others.
fn counted(entry: &Entry) -> Side {
    let mut side = entry.side();
    for record in &mut side.records {
        record.runs.retain(|run| run.why_not_counted().is_none());
    }
    side
}

/// The kind of each side, and the first of each kind.
fn kinds(sides: &[Side]) -> (Vec<usize>, Vec<&Side>) {
    let mut firsts: Vec<&Side> = Vec::new();
    let of = |side| {
        let known = firsts.iter().position(|first| is_of_a_kind(first, side));
        known.unwrap_or_else(|| {
            firsts.push(side);
            firsts.len() - 1
        })
    };
    let kinds = sides.iter().map(of).collect();
    (kinds, firsts)
}

/// Whether two sides can be compared, and so each of them with the same others: they have run the same, and what is let
/// pass of browsers and other frameworks holds for both or neither.
fn is_of_a_kind(a: &Side, b: &Side) -> bool {
    let nature = |side: &Side| (side.is_peer(), side.records[0].tool.client.is_native());
    let ran = |side: &Side| {
        let mut ran: Vec<String> = keys(side).iter().map(ToString::to_string).collect();
        ran.sort();
        ran
    };
    nature(a) == nature(b) && ran(a) == ran(b) && refusal(a, b).is_none()
}

/// Why the first of a kind cannot be compared with that of another, for each pair.
fn refusals(firsts: &[&Side]) -> Vec<Vec<Option<String>>> {
    let called =
        |name: &str, side: &Side| Side { name: name.into(), records: side.records.clone() };
    let others: Vec<Side> = firsts.iter().map(|side| called("this one", side)).collect();
    let row = |base: &&Side| {
        let base = called("the chosen one", base);
        others.iter().map(|other| refusal(&base, other)).collect()
    };
    firsts.iter().map(row).collect()
}

fn refusal(base: &Side, other: &Side) -> Option<String> {
    let differences = unlike::refusals(base, other, Alike::AllButDevice);
    (!differences.is_empty()).then(|| differences.join("; "))
}
