//! What makes records incomparable, with each difference as a line for people.

use std::fmt::Display;

use crate::error::plain;
use crate::record::{Record, Run, RunKey};

use super::{Alike, Side};

/// What a record says of one thing.
pub(super) type Said = fn(&Record) -> String;

const CHECKS: &str = "bounds checks";

/// The options that change figures.
pub(super) const OPTIONS: [(&str, Said); 5] = [
    ("fusion", |r| if r.config.fuse { "on" } else { "off" }.into()),
    (CHECKS, |r| r.config.checks.to_string()),
    ("forced variants", forced),
    ("used of the device", |r| r.config.restriction.to_string()),
    ("kernels", |r| r.config.shaders.to_string()),
];

/// The device; of a software adapter the processor as well, since it is as fast as the machine under it.
const DEVICE: [(&str, Said); 4] = [
    ("device", |r| r.device.name.clone()),
    ("backend", |r| r.device.backend.to_string()),
    ("driver", |r| r.device.driver.clone()),
    ("processor", |r| r.host.cpu.clone().unwrap_or_else(|| "unknown".into())),
];

/// What two records do not say alike, a line each.
pub(super) fn differences(
    things: &[(&str, Said)],
    ours: (&str, &Record),
    theirs: (&str, &Record),
) -> Vec<String> {
    let of = |(what, said): &(&str, Said)| {
        line(what, (ours.0, said(ours.1)), (theirs.0, said(theirs.1)))
    };
    things.iter().filter_map(of).collect()
}

/// `precision: f32 in a.json, f16 in b.json`, where the two are not equal.
pub(super) fn line<T: PartialEq + Display>(
    what: &str,
    ours: (&str, T),
    theirs: (&str, T),
) -> Option<String> {
    (ours.1 != theirs.1).then(|| {
        let (a, b) = (plain(&ours.1), plain(&theirs.1));
        format!("{what}: {a} in {}, {b} in {}", ours.0, theirs.0)
    })
}

/// Differences among a side's own records: they count as the same thing run again.
pub fn within(side: &Side) -> Vec<String> {
    let first = &side.records[0];
    let called = |i: usize| format!("record {} of {}", i + 1, side.name);
    let others = side.records.iter().enumerate().skip(1);
    others.flat_map(|(i, record)| again((&called(0), first), (&called(i), record))).collect()
}

/// Whether a record counts as the same thing run again.
pub fn is_again(first: &Record, record: &Record) -> bool {
    again(("", first), ("", record)).is_empty()
}

/// What keeps two records from being the same thing run again: all that sides of a comparison must share, and what they may
/// differ in with a remark, but not within one.
fn again(ours: (&str, &Record), theirs: (&str, &Record)) -> Vec<String> {
    let mut found = pair(ours, theirs, Alike::All);
    if ours.1.tool.peer.is_some() || theirs.1.tool.peer.is_some() {
        found.extend(differences(&[("program", |r| r.tool.measured())], ours, theirs));
    }
    if ours.1.device.software && theirs.1.device.software {
        found.extend(differences(&[("threads", threads)], ours, theirs));
    }
    found
}

/// Every difference that rules a comparison of two sides out.
pub fn refusals(base: &Side, other: &Side, alike: Alike) -> Vec<String> {
    [within(base), within(other), sides(base, other, alike)].concat()
}

/// Differences between two sides, in the records and in the runs that both have.
fn sides(base: &Side, other: &Side, alike: Alike) -> Vec<String> {
    let mut differences = records(base, other, alike);
    for key in super::keys(base) {
        let (ours, theirs) = (super::runs(base, &key), super::runs(other, &key));
        if theirs.is_empty() {
            differences.extend(batches(base, other, &key));
        } else {
            differences.extend(runs((base, &ours), (other, &theirs), &key));
        }
    }
    differences
}

/// Differences between two records.
pub fn records(base: &Side, other: &Side, alike: Alike) -> Vec<String> {
    let (ours, theirs) = (&base.records[0], &other.records[0]);
    pair((&base.name, ours), (&other.name, theirs), alike)
}

fn pair(ours: (&str, &Record), theirs: (&str, &Record), alike: Alike) -> Vec<String> {
    let of = |things: &[(&str, Said)]| differences(things, ours, theirs);
    let both = |holds: fn(&Record) -> bool| holds(ours.1) && holds(theirs.1);
    let mut found = of(&[
        ("schema", |r| r.schema.clone()),
        ("preset", |r| r.config.preset.to_string()),
        ("precision", |r| r.config.precision.to_string()),
    ]);
    if alike != Alike::AllInTurns {
        // A page cannot switch them off: beside other devices its records may stand, with a remark.
        let with_checks = alike != Alike::AllButDevice || both(|r| r.tool.client.is_native());
        let options = OPTIONS.into_iter().filter(|(what, _)| *what != CHECKS || with_checks);
        found.extend(of(&options.collect::<Vec<_>>()));
    }
    if alike == Alike::All {
        let devices = devices(ours, theirs).into_iter();
        found.extend(devices.map(|d| d + " (--across compares devices)"));
    }
    found
}

/// What two records' devices differ in.
pub(super) fn devices(ours: (&str, &Record), theirs: (&str, &Record)) -> Vec<String> {
    let software = ours.1.device.software && theirs.1.device.software;
    differences(if software { &DEVICE } else { &DEVICE[..3] }, ours, theirs)
}

/// Whether two sides were measured on one device, with one driver.
pub(super) fn is_one_device(base: &Side, other: &Side) -> bool {
    devices(("", &base.records[0]), ("", &other.records[0])).is_empty()
}

/// The variants that ops were made to run.
fn forced(record: &Record) -> String {
    let forced = record.tuning.as_ref().map(|tuning| tuning.forced.join(" ")).unwrap_or_default();
    if forced.is_empty() { "none".into() } else { forced }
}

/// Threads that run kernels on a software adapter: what its environment says, else one a core. A single one that has not to
/// be handed each dispatch is another thing than a worker.
pub(super) fn threads(record: &Record) -> String {
    let cores = || record.host.cores().filter(|_| record.device.software);
    match record.host.threads.or_else(cores) {
        Some(0) => "1 without workers".into(),
        Some(n) => n.to_string(),
        None => "the device's".into(),
    }
}

/// Where two sides have a workload and mode in common but no batch.
pub fn batches(base: &Side, other: &Side, key: &RunKey) -> Option<String> {
    let of = |side: &Side| -> Vec<usize> {
        let keys = super::keys_of(side, &key.workload, key.mode).into_iter();
        keys.map(|key| key.batch).collect()
    };
    let (ours, theirs) = (of(base), of(other));
    if ours.is_empty() || theirs.is_empty() || ours.iter().any(|b| theirs.contains(b)) {
        return None;
    }
    let list = |batches: &[usize]| {
        let texts: Vec<_> = batches.iter().map(ToString::to_string).collect();
        texts.join(", ")
    };
    let what = format!("{} {}: batch", key.workload, key.mode);
    line(&what, (&base.name, list(&ours)), (&other.name, list(&theirs)))
}

/// Differences between runs of the same key, and whatever makes one of them no measurement.
fn runs(ours: (&Side, &[&Run]), theirs: (&Side, &[&Run]), key: &RunKey) -> Vec<String> {
    let mut differences = Vec::new();
    let first = ours.1[0];
    // A peer may know the wall clock only, which the other side has as well: then both are compared by it.
    let with_peer = [ours.0, theirs.0].into_iter().any(Side::is_peer);
    for (side, runs) in [ours, theirs] {
        for run in runs {
            let called = &side.name;
            let why = run.why_not_counted();
            differences.extend(why.map(|why| format!("{key}: {why} in {called}")));
            let pair = ((ours.0.name.as_str(), first), (called.as_str(), *run));
            differences.extend(settings(key, pair.0, pair.1));
            differences.extend(clocks(key, pair.0, pair.1).filter(|_| !with_peer));
        }
    }
    differences
}

/// A difference in where two runs' times come from; nothing of a run that was not timed.
pub fn clocks(key: &RunKey, ours: (&str, &Run), theirs: (&str, &Run)) -> Option<String> {
    let (a, b) = (ours.1.timing.as_ref()?, theirs.1.timing.as_ref()?);
    line(&format!("{key}: clock"), (ours.0, a.clock), (theirs.0, b.clock))
}

/// Differences between two runs' models and samples.
pub fn settings(key: &RunKey, ours: (&str, &Run), theirs: (&str, &Run)) -> Vec<String> {
    let of = |what: &str, get: &dyn Fn(&Run) -> String| {
        let what = format!("{key}: {what}");
        line(&what, (ours.0, get(ours.1)), (theirs.0, get(theirs.1)))
    };
    let mut differences =
        vec![of("preset", &|r| r.preset.to_string()), of("data", &|r| r.data.clone())];
    let parameters = ours.1.model.keys();
    let more = theirs.1.model.keys().filter(|k| !ours.1.model.contains_key(*k));
    for parameter in parameters.chain(more) {
        let value = |r: &Run| r.model.get(parameter).map_or("absent".into(), ToString::to_string);
        differences.push(of(&format!("model parameter {parameter}"), &value));
    }
    differences.into_iter().flatten().collect()
}
