//! Whether a record's figures agree with each other: its summaries are recomputed from its samples.

use std::collections::HashSet;
use std::fmt::Display;
use std::mem::discriminant;

use crate::host;
use crate::stats::{median, quantile};
use crate::terms::DeviceKind;

use super::{Clock, Doubt, Op, OpTime, Peaks, Record, Run, Statistics, Status};

/// Two figures of a record that cannot both be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Where the first stands: `runs[1].timing.step.median_ns`.
    pub place: String,
    /// What it says, and what the rest of the record says.
    pub what: String,
}

/// A recomputed figure may differ by this share: only in its last digits.
const ROUNDING: f64 = 1e-9;

/// What a figure in a sentence may have lost.
const SENTENCE: f64 = 0.001;

/// Every contradiction of a record.
pub fn contradictions(record: &Record) -> Vec<Contradiction> {
    let mut found = Found::default();
    if !host::is_time(&record.created) {
        found.add("created", format!("'{}' is not a date and time of RFC 3339", record.created));
    }
    if host::is_yet_to_come(&record.created) {
        let what = format!("{} is yet to come, by this machine's clock", record.created);
        found.add("created", what);
    }
    let device = &record.device;
    if device.kind == DeviceKind::Cpu && !device.software {
        found.add("device.software", "false, but device.type is that of a processor".into());
    }
    peaks(&record.peaks, &mut found);
    let mut keys = HashSet::new();
    for (i, run) in record.runs.iter().enumerate() {
        found.path = format!("runs[{i}].");
        if !keys.insert(run.key()) {
            found.add("batch", format!("{} is in the record more than once", run.key()));
        }
        found.equal("preset", run.preset, "the record's preset", record.config.preset);
        timing(run, &mut found);
        settled(run, record.config.max_noise, &mut found);
        yardstick(run, &mut found);
        doubts(record, run, &mut found);
        profile(run, &mut found);
        verification(run, &mut found);
        ops(i, run, &mut found);
    }
    found.list
}

/// The ceilings are the best of what was measured at either end, or better where a kernel was.
fn peaks(peaks: &Peaks, found: &mut Found) {
    for (field, stored, ends) in [
        ("peaks.fma_f32_flop_per_s", peaks.fma_f32_flop_per_s, &peaks.fma),
        ("peaks.copy_bytes_per_s", peaks.copy_bytes_per_s, &peaks.copy),
    ] {
        let best = ends.iter().map(|reading| reading.rate).fold(0.0, f64::max);
        if stored < best * (1.0 - ROUNDING) {
            found.add(field, format!("{stored}, but {best} was reached"));
        }
    }
}

/// What has been found, and the path of what is being looked at.
#[derive(Default)]
struct Found {
    path: String,
    list: Vec<Contradiction>,
}

impl Found {
    fn add(&mut self, field: &str, what: String) {
        self.list.push(Contradiction { place: format!("{}{field}", self.path), what });
    }

    fn equal<T: PartialEq + Display>(&mut self, field: &str, stored: T, of: &str, other: T) {
        if stored != other {
            self.add(field, format!("{stored}, but {of} gives {other}"));
        }
    }

    /// A figure that is stored and can be recomputed.
    fn close(&mut self, field: &str, stored: f64, of: &str, recomputed: f64) {
        let is_close = (stored - recomputed).abs() <= ROUNDING * stored.abs().max(recomputed.abs());
        let are_missing = stored.is_nan() && recomputed.is_nan();
        if !(is_close || are_missing) {
            self.add(field, format!("{stored}, but {of} gives {recomputed}"));
        }
    }
}

fn timing(run: &Run, found: &mut Found) {
    let Some(timing) = &run.timing else { return };
    let (stored, of) = (&timing.step, "timing.step_ns");
    let recomputed = Statistics::of(&timing.step_ns);
    found.equal("timing.step.n", stored.n, of, recomputed.n);
    found.equal("timing.step.outliers", stored.outliers, of, recomputed.outliers);
    let none = f64::NAN;
    for (field, stored, recomputed) in [
        ("median_ns", stored.median_ns, recomputed.median_ns),
        ("ci95_ns[0]", stored.ci95_ns.0, recomputed.ci95_ns.0),
        ("ci95_ns[1]", stored.ci95_ns.1, recomputed.ci95_ns.1),
        ("min_ns", stored.min_ns, recomputed.min_ns),
        ("cv", stored.cv.unwrap_or(none), recomputed.cv.unwrap_or(none)),
        ("drift", stored.drift.unwrap_or(none), recomputed.drift.unwrap_or(none)),
    ] {
        found.close(&format!("timing.step.{field}"), stored, of, recomputed);
    }
    found.equal("timing.wall_ns", timing.wall_ns.len(), of, timing.step_ns.len());
    let wall = median(&timing.wall_ns);
    found.close("timing.wall_median_ns", timing.wall_median_ns, "timing.wall_ns", wall);
}

/// A run was settled unless it doubts that itself, and was not where its samples are too far apart.
fn settled(run: &Run, wanted: f64, found: &mut Found) {
    let Some(timing) = &run.timing else { return };
    let is_unsettled = |doubt: &Doubt| matches!(doubt, Doubt::Unsettled { .. });
    let doubted = run.doubts.iter().any(is_unsettled);
    found.equal("timing.settled", timing.settled, "'doubts'", !doubted);
    let interval = timing.step.noise().unwrap_or(f64::INFINITY);
    if timing.settled && interval > wanted * (1.0 + ROUNDING) {
        let what = format!("true, but timing.step_ns gives {interval} where {wanted} was wanted");
        found.add("timing.settled", what);
    }
}

/// The last readings of known work were taken after the last sample.
fn yardstick(run: &Run, found: &mut Found) {
    let Some(timing) = &run.timing else { return };
    let Some(yardstick) = &timing.yardstick else { return };
    let places = &yardstick.after_samples;
    let of = "timing.yardstick.after_samples";
    found.equal(of, places.last().copied().unwrap_or(0), "timing.step_ns", timing.step_ns.len());
}

/// What the figures give reason to doubt is doubted, to the same extent. Other doubts are let stand, except of the clock:
/// they may be of what no figure shows.
fn doubts(record: &Record, run: &Run, found: &mut Found) {
    let Some(timing) = &run.timing else { return };
    let host = &record.host;
    let cores = host.cores().filter(|_| record.device.software);
    let free = cores.map(|cores| Doubt::free(cores, host.threads));
    let yardstick = timing.yardstick.iter().flat_map(|y| Doubt::of_yardstick(y, free));
    let profile = run.profile.iter().flat_map(Doubt::of_profile);
    let expected: Vec<Doubt> =
        Doubt::of_steps(&timing.step_ns).into_iter().chain(yardstick).chain(profile).collect();
    for doubt in &expected {
        let is_same = |said: &&Doubt| discriminant(*said) == discriminant(doubt);
        match run.doubts.iter().find(is_same) {
            // Older records have them as sentences, rounded.
            Some(said) if (said.figure() - doubt.figure()).abs() <= SENTENCE => {}
            Some(said) => found.add("doubts", format!("{said}, but the figures give: {doubt}")),
            None => {
                found.add("doubts", format!("not among them, though the figures say so: {doubt}"))
            }
        }
    }
    let is_wall = timing.clock == Clock::Wall;
    let says_wall = run.doubts.iter().any(|doubt| matches!(doubt, Doubt::WallClock { .. }));
    if is_wall != says_wall {
        found.add("timing.source", format!("{}, but 'doubts' say otherwise", timing.clock));
    }
}

fn profile(run: &Run, found: &mut Found) {
    let over_timed = run.profile.as_ref().and_then(|profile| profile.over_timed);
    if let (Some(profile), Some(over), Some(step)) = (&run.profile, over_timed, run.step_ns()) {
        let of = "profile.span_ns over timing.step.median_ns";
        found.close("profile.over_timed", over, of, profile.span_ns / step);
    }
}

fn ops(at: usize, run: &Run, found: &mut Found) {
    let sum = |work: fn(&Op) -> u64| run.ops.iter().map(work).sum::<u64>();
    if !run.ops.is_empty() {
        found.equal("flops", run.flops, "the sum over ops", sum(|op| op.flops));
        found.equal("bytes", run.bytes, "the sum over ops", sum(|op| op.bytes));
        let dispatches = sum(|op| op.dispatches as u64);
        found.equal("dispatches", run.dispatches as u64, "the sum over ops", dispatches);
    }
    let means: Option<Vec<f64>> = run.ops.iter().map(|op| op.ns.as_ref()?.mean).collect();
    if let (Some(profile), Some(means)) = (&run.profile, means) {
        let sum = means.iter().sum::<f64>() + profile.gaps_ns;
        found.close("profile.span_ns", profile.span_ns, "the sum of ops and gaps", sum);
    }
    for (j, op) in run.ops.iter().enumerate() {
        // Older records may have been kept without their samples.
        let Some(ns) = op.ns.as_ref().filter(|ns| !ns.samples.is_empty()) else { continue };
        let again = OpTime::of(ns.samples.clone(), ns.mean.unwrap_or_default());
        let of = "ns.samples";
        found.path = format!("runs[{at}].ops[{j}].ns.");
        for (field, stored, recomputed) in [
            ("median", ns.median, again.median),
            ("p05", ns.p05, again.p05),
            ("p95", ns.p95, again.p95),
        ] {
            found.close(field, stored, of, recomputed);
        }
        steadiness(ns, &again, found);
        if let Some(profile) = &run.profile {
            found.equal("samples", ns.samples.len(), "profile.steps", profile.steps);
        }
        let [least, most] = [0.0, 1.0].map(|p| quantile(&ns.samples, p));
        let between = least * (1.0 - ROUNDING)..=most * (1.0 + ROUNDING);
        if let Some(mean) = ns.mean.filter(|mean| !between.contains(mean)) {
            found.add("mean", format!("{mean}, but {of} are from {least} to {most}"));
        }
    }
}

/// How steady an op was, against what its samples give.
fn steadiness(stored: &OpTime, again: &OpTime, found: &mut Found) {
    let (Some(stored), Some(again)) = (&stored.steadiness, &again.steadiness) else { return };
    let of = "ns.samples";
    found.equal("steadiness.steps", stored.steps, of, again.steps);
    let significant = [stored, again].map(|steadiness| steadiness.drift_significant);
    found.equal("steadiness.drift_significant", significant[0], of, significant[1]);
    for (field, pair) in [("cv", [stored.cv, again.cv]), ("drift", [stored.drift, again.drift])] {
        let [stored, again] = pair.map(|figure| figure.unwrap_or(f64::NAN));
        found.close(&format!("steadiness.{field}"), stored, of, again);
    }
}

fn verification(run: &Run, found: &mut Found) {
    let verified = &run.verified;
    let expected = match verified.status {
        Status::Unverified => verified.checked == 0,
        Status::Passed => verified.passed == verified.checked && verified.checked > 0,
        Status::Failed => verified.passed < verified.checked,
    };
    if !expected {
        let counts = format!("{} of {} kernels passed", verified.passed, verified.checked);
        found.add("verified.status", format!("{}, but {counts}", verified.status));
    }
    let worst = verified.worst.as_ref().and_then(|worst| worst.error);
    if let Some(error) = worst.filter(|error| *error > 1.0 && verified.status == Status::Passed) {
        found.add("verified.worst.error", format!("{error} of the bound, but all kernels passed"));
    }
    let failed = verified.failed.len();
    if failed > 0 && verified.passed + failed != verified.checked {
        let counts = format!("{} of {}", verified.passed, verified.checked);
        found.add("verified.failed", format!("{failed} kernels, but {counts} passed"));
    }
    if verified.reduced > verified.checked || verified.sampled.unwrap_or(0) > verified.reduced {
        found.add("verified.reduced", "more kernels than were checked".into());
    }
    if verified.status == Status::Failed && run.timing.is_some() {
        found.add("timing", "there are times of kernels that failed their verification".into());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::record::Host;

    fn reference() -> Record {
        let text = include_str!("../../assets/reference-tiny.json");
        Record::parse(text, Path::new("assets/reference-tiny.json")).unwrap()
    }

    #[test]
    fn what_was_measured_agrees_with_itself() {
        assert_eq!(contradictions(&reference()), []);
    }

    /// As in a container: what was free is not what the machine has.
    #[test]
    fn other_threads_are_counted_against_the_cores_that_could_be_used() {
        let mut record = reference();
        record.host = Host { logical_cores: Some(8), threads: Some(1), ..record.host };
        let run = &mut record.runs[0];
        run.timing.as_mut().unwrap().yardstick.as_mut().unwrap().others = vec![3; 3];
        run.doubts.retain(|doubt| !matches!(doubt, Doubt::Crowded { .. }));
        let crowded = |record: &Record| {
            let found = contradictions(record);
            found.iter().filter(|found| format!("{found:?}").contains("more threads")).count()
        };
        assert_eq!(crowded(&record), 0);
        record.host.usable_cores = Some(1);
        assert_eq!(crowded(&record), 1);
        record.runs[0].doubts.push(Doubt::Crowded { excess: 3 });
        assert_eq!(crowded(&record), 0);
    }

    #[test]
    fn a_bent_figure_contradicts_the_others_and_is_named_by_its_place() {
        type Bend = fn(&mut Run);
        let bends: [(&str, Bend); 23] = [
            ("doubts", |r| r.doubts.retain(|d| !matches!(d, Doubt::Gaps { .. }))),
            ("timing.settled", |r| {
                r.timing.as_mut().unwrap().settled = true;
                r.doubts.retain(|d| !matches!(d, Doubt::Unsettled { .. }));
            }),
            ("timing.source", |r| r.timing.as_mut().unwrap().clock = Clock::Wall),
            ("verified.worst.error", |r| r.verified.worst.as_mut().unwrap().error = Some(5.0)),
            ("verified.failed", |r| {
                r.verified.failed = r.verified.worst.clone().into_iter().collect();
            }),
            ("verified.reduced", |r| r.verified.reduced = r.verified.checked + 1),
            ("ops[0].ns.samples", |r| r.profile.as_mut().unwrap().steps = 5),
            ("ops[0].ns.mean", |r| r.ops[0].ns.as_mut().unwrap().mean = Some(1e12)),
            ("ops[1].ns.steadiness.cv", |r| {
                r.ops[1].ns.as_mut().unwrap().steadiness.as_mut().unwrap().cv = Some(1e-4);
            }),
            ("doubts", |r| r.doubts.clear()),
            ("timing.settled", |r| r.timing.as_mut().unwrap().settled = true),
            ("timing.yardstick.after_samples", |r| {
                let yardstick = r.timing.as_mut().unwrap().yardstick.as_mut().unwrap();
                *yardstick.after_samples.last_mut().unwrap() += 1;
            }),
            ("profile.over_timed", |r| r.profile.as_mut().unwrap().over_timed = Some(1.0)),
            ("timing.step.median_ns", |r| r.timing.as_mut().unwrap().step.median_ns /= 10.0),
            ("timing.step.ci95_ns[1]", |r| r.timing.as_mut().unwrap().step.ci95_ns.1 *= 1.001),
            ("timing.step.n", |r| r.timing.as_mut().unwrap().step_ns.truncate(3)),
            ("timing.wall_median_ns", |r| r.timing.as_mut().unwrap().wall_ns.fill(1.0)),
            ("timing.step.drift", |r| r.timing.as_mut().unwrap().step.drift = None),
            ("ops[0].ns.median", |r| r.ops[0].ns.as_mut().unwrap().median += 1.0),
            ("ops[3].ns.p95", |r| r.ops[3].ns.as_mut().unwrap().p95 += 1.0),
            ("flops", |r| r.flops *= 10),
            ("dispatches", |r| r.ops[0].dispatches += 1),
            ("verified.status", |r| r.verified.passed -= 1),
        ];
        for (place, bend) in bends {
            let mut record = reference();
            bend(&mut record.runs[0]);
            let found = contradictions(&record);
            let place = format!("runs[0].{place}");
            assert!(found.iter().any(|c| c.place == place), "no {place} in {found:?}");
        }
    }

    #[test]
    fn a_bent_machine_contradicts_itself() {
        type Bend = fn(&mut Record);
        let bends: [(&str, Bend); 4] = [
            ("device.software", |r| r.device.software = false),
            ("created", |r| r.created = "2999-01-01T00:00:00Z".into()),
            ("peaks.fma_f32_flop_per_s", |r| r.peaks.fma_f32_flop_per_s /= 2.0),
            ("runs[1].timing.settled", |r| r.config.max_noise = 1e-9),
        ];
        for (place, bend) in bends {
            let mut record = reference();
            bend(&mut record);
            if place.ends_with("settled") {
                let settled = |run: &mut Run| {
                    run.timing.as_mut().unwrap().settled = true;
                    run.doubts.retain(|doubt| !matches!(doubt, Doubt::Unsettled { .. }));
                };
                record.runs.iter_mut().for_each(settled);
            }
            let found = contradictions(&record);
            assert!(found.iter().any(|c| c.place == place), "no {place} in {found:?}");
        }
    }

    #[test]
    fn the_same_cell_twice_and_no_date_are_contradictions() {
        let mut record = reference();
        record.runs.push(record.runs[0].clone());
        record.created = "yesterday".into();
        let places: Vec<_> = contradictions(&record).into_iter().map(|c| c.place).collect();
        assert_eq!(places, ["created", "runs[16].batch"]);
    }
}
