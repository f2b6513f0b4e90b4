//! What is worth saying of records that are compared, and no ground to refuse.

use std::collections::BTreeSet;

use crate::record::{Config, Doubt, Integrity, Record, Tuning, doubt, id};
use crate::terms::each_once;

use super::unlike::{OPTIONS, Said, devices, differences, line, threads};
use super::{Alike, Side};

/// By what, on what and from what a record was made, as far as it may differ.
const MADE_BY: [(&str, Said); 8] = [
    ("seed", |r| r.config.seed.to_string()),
    ("sampling", |r| {
        let Config { time_s, max_noise, min_samples, .. } = &r.config;
        format!("{time_s} s, {} %, {min_samples} samples", 100.0 * max_noise)
    }),
    ("build", |r| r.tool.profile.to_string()),
    ("version", |r| r.tool.version.clone()),
    ("commit", |r| r.tool.commit()),
    ("wgpu", |r| r.tool.wgpu.clone()),
    ("operating system", |r| r.host.os.clone()),
    ("threads", threads),
];

/// Differences between the base and each other side, and what the sides doubt of themselves.
pub(super) fn remarks(base: &Side, others: &[Side], alike: Alike) -> Vec<String> {
    let ours = &base.records[0];
    let mut remarks = twins(base, others);
    for other in others {
        let theirs = &other.records[0];
        let of = |what: &str, said: Said| {
            line(what, (&base.name, said(ours)), (&other.name, said(theirs)))
        };
        let all_of = |things: &[(&str, Said)]| {
            differences(things, (&base.name, ours), (&other.name, theirs))
        };
        let sometimes = [
            of("program", |r| r.tool.measured()).filter(|_| base.is_peer() || other.is_peer()),
            of("clock", clocks).map(|text| text + ": where they differ, by the wall clock"),
            // Two devices never have one table.
            of("tuning", tuning).filter(|_| ours.device.name == theirs.device.name),
        ];
        if alike == Alike::AllInTurns {
            remarks.extend(devices((&base.name, ours), (&other.name, theirs)));
        }
        remarks.extend(sometimes.into_iter().flatten());
        remarks.extend(all_of(&MADE_BY));
        // Two cards of one name; older records do not say.
        if let (Some(a), Some(b)) = (&ours.device.pci, &theirs.device.pci) {
            remarks.extend(line("place on the bus", (&base.name, a), (&other.name, b)));
        }
        // Told by whoever compares options, refused elsewhere.
        remarks.extend(all_of(&OPTIONS));
    }
    let sides = || std::iter::once(base).chain(others);
    remarks.extend(sides().flat_map(mixed));
    remarks.extend(sides().flat_map(unsound));
    remarks.extend(sides().flat_map(doubts));
    remarks
}

/// What a side's own records differ in: they count as the same thing run again.
fn mixed(side: &Side) -> Vec<String> {
    let of = |(what, get): &(&str, Said)| {
        let values: BTreeSet<String> = side.records.iter().map(get).collect();
        let values: Vec<String> = values.into_iter().collect();
        let several = values.len() > 1;
        several.then(|| format!("{}: {what}: records of {}", side.name, values.join(" and of ")))
    };
    MADE_BY.iter().filter_map(of).collect()
}

/// Where the step times of a record come from.
fn clocks(record: &Record) -> String {
    let timings = record.runs.iter().filter_map(|run| run.timing.as_ref());
    let clocks: BTreeSet<&str> = timings.map(|timing| timing.clock.name()).collect();
    clocks.into_iter().collect::<Vec<_>>().join(" and ")
}

/// The table that kernels were chosen by.
fn tuning(record: &Record) -> String {
    record.tuning.as_ref().map_or("no table".into(), Tuning::called)
}

/// Records that stand on both sides, or twice on one: nothing is learned from them.
fn twins(base: &Side, others: &[Side]) -> Vec<String> {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let mut twins = Vec::new();
    for side in std::iter::once(base).chain(others) {
        // An edited record has the id of what it was before.
        let is_known =
            |record: &&Record| !record.id.is_empty() && record.integrity != Integrity::Edited;
        for record in side.records.iter().filter(is_known) {
            match seen.iter().find(|(known, _)| *known == record.id) {
                Some((_, name)) => twins.push(format!(
                    "{name} and {} are the same record, {}: it is compared with itself",
                    side.name,
                    id::short(&record.id)
                )),
                None => seen.push((&record.id, &side.name)),
            }
        }
    }
    twins
}

/// Records of a side that are not as fathom wrote them, or cannot be proven to be.
fn unsound(side: &Side) -> Vec<String> {
    let mut warnings: Vec<_> =
        side.records.iter().filter_map(|record| record.integrity.warning()).collect();
    warnings.dedup();
    warnings.into_iter().map(|why| format!("{}: {why}", side.name)).collect()
}

/// What a side's runs doubt of their own times, each kind once.
fn doubts(side: &Side) -> Vec<String> {
    let runs = side.records.iter().flat_map(|record| &record.runs);
    let mut kinds = doubt::by_kind(runs, Doubt::summary);
    kinds.retain(|(_, found)| found[0].1.concerns_steps());
    let line = |(kind, found): doubt::DoubtKind<'_>| {
        // Repeated runs may all have it.
        let names = each_once(found.iter().map(|(run, _)| run.key().to_string()));
        let named = match names.as_slice() {
            few if few.len() <= 3 => few.join(", "),
            many => format!("{} of {} runs", many.len(), super::keys(side).len()),
        };
        format!("{}: {named}: {kind}", side.name)
    };
    kinds.into_iter().map(line).collect()
}
