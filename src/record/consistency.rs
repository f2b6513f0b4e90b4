//! Whether a record's figures agree with each other: its summaries are recomputed from its samples.

use std::collections::HashSet;
use std::fmt::Display;

use crate::host;
use crate::stats::{median, quantile};

use super::{Doubt, Op, Record, Run, Statistics, Status};

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

/// Every contradiction of a record.
pub fn contradictions(record: &Record) -> Vec<Contradiction> {
    let mut found = Found::default();
    if !host::is_time(&record.created) {
        found.add("created", format!("'{}' is not a date and time of RFC 3339", record.created));
    }
    let mut keys = HashSet::new();
    for (i, run) in record.runs.iter().enumerate() {
        found.path = format!("runs[{i}].");
        if !keys.insert(run.key()) {
            found.add("batch", format!("{} is in the record more than once", run.key()));
        }
        found.equal("preset", run.preset, "the record's preset", record.config.preset);
        timing(run, &mut found);
        yardstick(run, &mut found);
        profile(run, &mut found);
        ops(run, &mut found);
        verification(run, &mut found);
    }
    found.list
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

/// Readings and samples belong together, and what they show is doubted.
fn yardstick(run: &Run, found: &mut Found) {
    let Some(timing) = &run.timing else { return };
    let is_unsettled = |doubt: &Doubt| matches!(doubt, Doubt::Unsettled { .. });
    let doubted = run.doubts.iter().any(is_unsettled);
    found.equal("timing.settled", timing.settled, "'doubts'", !doubted);
    let Some(yardstick) = &timing.yardstick else { return };
    let places = &yardstick.after_samples;
    let of = "timing.yardstick.after_samples";
    found.equal(of, places.last().copied().unwrap_or(0), "timing.step_ns", timing.step_ns.len());
    let said = run.doubts.iter().find_map(|doubt| match doubt {
        Doubt::YardstickMoved { relative, .. } => Some(*relative),
        _ => None,
    });
    let expected = yardstick.moved().map(|(_, relative)| relative);
    let [said, expected] = [said, expected].map(|relative| relative.unwrap_or(0.0));
    found.close("doubts", said, "how far timing.yardstick moved", expected);
}

fn profile(run: &Run, found: &mut Found) {
    let over_timed = run.profile.as_ref().and_then(|profile| profile.over_timed);
    if let (Some(profile), Some(over), Some(step)) = (&run.profile, over_timed, run.step_ns()) {
        let of = "profile.span_ns over timing.step.median_ns";
        found.close("profile.over_timed", over, of, profile.span_ns / step);
    }
}

fn ops(run: &Run, found: &mut Found) {
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
        let figures = [("median", ns.median, 0.5), ("p05", ns.p05, 0.05), ("p95", ns.p95, 0.95)];
        for (name, stored, p) in figures {
            let field = format!("ops[{j}].ns.{name}");
            found.close(&field, stored, "ns.samples", quantile(&ns.samples, p));
        }
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
    if verified.status == Status::Failed && run.timing.is_some() {
        found.add("timing", "there are times of kernels that failed their verification".into());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn reference() -> Record {
        let text = include_str!("../../assets/reference-tiny.json");
        Record::parse(text, Path::new("assets/reference-tiny.json")).unwrap()
    }

    #[test]
    fn what_was_measured_agrees_with_itself() {
        assert_eq!(contradictions(&reference()), []);
    }

    #[test]
    fn a_bent_figure_contradicts_the_others_and_is_named_by_its_place() {
        type Bend = fn(&mut Run);
        let bends: [(&str, Bend); 14] = [
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
    fn the_same_cell_twice_and_no_date_are_contradictions() {
        let mut record = reference();
        record.runs.push(record.runs[0].clone());
        record.created = "yesterday".into();
        let places: Vec<_> = contradictions(&record).into_iter().map(|c| c.place).collect();
        assert_eq!(places, ["created", "runs[16].batch"]);
    }
}
