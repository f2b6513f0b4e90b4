use crate::record::{Clock, Precision, Status, example};
use crate::terms::{Checks, Mode, Preset};

use super::*;

const STEADY: [f64; 8] = [100.0, 100.2, 99.8, 100.1, 99.9, 100.0, 100.3, 99.7];

fn times(factor: f64) -> Vec<f64> {
    STEADY.iter().map(|x| x * factor).collect()
}

fn side(name: &str, runs: &[Run]) -> Side {
    Side { name: name.into(), records: vec![example::record(runs)] }
}

fn both() -> [Run; 2] {
    Mode::ALL.map(|mode| example::run("speech", mode, &times(1.0)))
}

#[track_caller]
fn refused(base: &Side, other: &Side, across: bool, expected: &[&str]) {
    let error = compare(base, std::slice::from_ref(other), across).unwrap_err();
    assert_eq!(error.exit_code(), 9);
    let text = error.to_string();
    for expected in expected {
        assert!(text.contains(expected), "no {expected} in\n{text}");
    }
    assert_eq!(text.lines().count(), 1 + expected.len(), "{text}");
}

#[test]
fn each_verdict_with_its_ratio_and_the_mean() {
    let run = |mode, factor| example::run("speech", mode, &times(factor));
    let base = side("old", &[run(Mode::Train, 1.0), run(Mode::Infer, 1.0)]);
    let others = [
        side("new", &[run(Mode::Train, 1.1), run(Mode::Infer, 0.5)]),
        side("twin", &[run(Mode::Train, 1.001), run(Mode::Infer, 1.0)]),
    ];
    let comparison = compare(&base, &others, false).unwrap();
    let verdicts: Vec<_> = comparison.rows.iter().map(|r| r.finding.verdict).collect();
    use Verdict::{Faster, Same, Slower};
    assert_eq!(verdicts, [Slower, Faster, Same, Same]);
    assert!((comparison.rows[0].finding.ratio - 1.1).abs() < 1e-9);
    assert!((comparison.rows[0].finding.effect - 1.0).abs() < 1e-9);
    let (mean, runs) = comparison.mean(0);
    assert!((mean - (1.1f64 * 0.5).sqrt()).abs() < 1e-9);
    assert_eq!((runs, comparison.count(1, Same)), (2, 2));
    assert_eq!(comparison.slower_than(0.03).count(), 1);
    assert_eq!(comparison.slower_than(0.12).count(), 0);
}

#[test]
fn unlike_settings_are_named_one_by_one() {
    let base = side("old", &both());
    let mut other = side("new", &both());
    let config = &mut other.records[0].config;
    config.preset = Preset::Tiny;
    config.precision = Precision::F16;
    config.fuse = false;
    config.checks = Checks::On;
    config.seed = 2; // a remark, not a difference
    other.records[0].device.driver = "2.0".into();
    refused(
        &base,
        &other,
        false,
        &[
            "preset: full in old, tiny in new",
            "precision: f32 in old, f16 in new",
            "fusion: on in old, off in new",
            "bounds checks: off in old, on in new",
            "driver: 1.0 in old, 2.0 in new (--across",
        ],
    );
}

#[test]
fn unlike_cells_are_named_one_by_one() {
    let base = side("old", &both());
    let mut other = side("new", &both());
    let [train, infer] = &mut other.records[0].runs[..] else {
        panic!("two runs");
    };
    train.model.insert("hidden".into(), 7.into());
    train.model.insert("layers".into(), 2.into());
    train.data = "other".into();
    train.verified.status = Status::Unverified;
    if let Some(timing) = &mut train.timing {
        timing.clock = Clock::Wall;
    }
    infer.batch = 7;
    refused(
        &base,
        &other,
        false,
        &[
            "speech train batch 128: unverified in new",
            "speech train batch 128: data: made up in old, other in new",
            "speech train batch 128: clock: timestamps in old, wall in new",
            "speech train batch 128: model parameter hidden: 512 in old, 7 in new",
            "speech train batch 128: model parameter layers: absent in old, 2 in new",
            "speech infer: batch: 128 in old, 7 in new",
        ],
    );
}

#[test]
fn a_failed_cell_counts_on_neither_side() {
    let mut base = side("old", &both());
    base.records[0].runs[0].verified.status = Status::Failed;
    base.records[0].runs[0].timing = None;
    let other = side("new", &both());
    refused(&base, &other, false, &["verification failed in old"]);
    refused(&other, &base, false, &["verification failed in old"]);
}

#[test]
fn devices_differ_only_across() {
    let base = side("old", &both());
    let mut other = side("new", &both());
    other.records[0].device.name = "Another".into();
    refused(&base, &other, false, &["device: Made-up GPU in old, Another in new"]);
    assert_eq!(compare(&base, &[other.clone()], true).unwrap().rows.len(), 2);
    // But not among the runs that are to be one thing.
    other.records.push(base.records[0].clone());
    refused(&base, &other, true, &["record 1 of new, Made-up GPU in record 2"]);
}

#[test]
fn a_software_adapter_is_as_its_machine() {
    let mut sides = ["one", "two"].map(|cpu| {
        let mut side = side(cpu, &both());
        side.records[0].device.software = true;
        side.records[0].host.cpu = Some(cpu.into());
        side
    });
    refused(&sides[0], &sides[1], false, &["processor: one in one, two in two"]);
    sides[1].records[0].host.cpu = Some("one".into());
    assert!(compare(&sides[0], &sides[1..], false).is_ok());
}

#[test]
fn what_only_one_has_is_a_note_and_nothing_in_common_a_refusal() {
    let base = side("old", &both());
    let other = side("new", &both()[..1]);
    let comparison = compare(&base, std::slice::from_ref(&other), false).unwrap();
    assert_eq!(comparison.rows.len(), 1);
    assert_eq!(comparison.notes, ["speech infer batch 128 is only in old"]);
    let others = side("new", &[example::run("vgg", Mode::Train, &STEADY)]);
    let error = compare(&base, &[others], false).unwrap_err();
    assert_eq!(error.exit_code(), 9);
    assert!(error.to_string().contains("in common"), "{error}");
}
