use crate::record::{
    Client, Clock, Integrity, Peer, Reading, ShaderSource, Status, Yardstick, consistency, example,
};
use crate::terms::{Checks, Feature, LimitSet, Mode, Precision, Preset, Restriction};

use super::*;

mod real;

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
fn refused(base: &Side, other: &Side, alike: Alike, expected: &[&str]) {
    let error = compare(base, std::slice::from_ref(other), alike).unwrap_err();
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
    let comparison = compare(&base, &others, Alike::All).unwrap();
    let verdicts: Vec<_> = comparison.rows.iter().map(|r| r.finding.verdict).collect();
    use Verdict::{Faster, Same, Slower};
    assert_eq!(verdicts, [Slower, Faster, Same, Same]);
    assert!((comparison.rows[0].finding.ratio - 1.1).abs() < 1e-9);
    assert!((comparison.rows[0].finding.effect - 1.0).abs() < 1e-9);
    let whole = comparison.overall(0).unwrap();
    assert!((whole.ratio - (1.1f64 * 0.5).sqrt()).abs() < 1e-9);
    assert_eq!((whole.cells, comparison.count(1, Same)), (2, 2));
    assert_eq!(comparison.overall(1).unwrap().verdict, Same);
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
    config.restriction = Restriction::new(LimitSet::WebGpu, &[Feature::Timestamps]);
    config.shaders = ShaderSource::Folder;
    config.seed = 2; // a remark, not a difference
    other.records[0].device.driver = "2.0".into();
    refused(
        &base,
        &other,
        Alike::All,
        &[
            "preset: full in old, tiny in new",
            "precision: f32 in old, f16 in new",
            "fusion: on in old, off in new",
            "bounds checks: off in old, on in new",
            "used of the device: the whole device in old, limits of WebGPU, without timestamps in new",
            "kernels: built in in old, from FATHOM_SHADERS in new",
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
        Alike::All,
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
    refused(&base, &other, Alike::All, &["verification failed in old"]);
    refused(&other, &base, Alike::All, &["verification failed in old"]);
}

#[test]
fn devices_differ_only_across() {
    let base = side("old", &both());
    let mut other = side("new", &both());
    other.records[0].device.name = "Another".into();
    refused(&base, &other, Alike::All, &["device: Made-up GPU in old, Another in new"]);
    assert_eq!(compare(&base, &[other.clone()], Alike::AllButDevice).unwrap().rows.len(), 2);
    // But not among the runs that are to be one thing.
    other.records.push(base.records[0].clone());
    refused(&base, &other, Alike::AllButDevice, &["record 1 of new, Made-up GPU in record 2"]);
}

#[test]
fn a_page_stands_beside_devices_although_its_kernels_are_checked() {
    let base = side("native", &both());
    let mut page = side("page", &both());
    page.records[0].config.checks = Checks::On;
    let expected = "bounds checks: off in native, on in page";
    refused(&base, &page, Alike::AllButDevice, &[expected]);
    page.records[0].tool.client = Client::Browser;
    let comparison = compare(&base, &[page.clone()], Alike::AllButDevice).unwrap();
    assert!(comparison.notes.iter().any(|note| note == expected), "{:?}", comparison.notes);
    refused(&base, &page, Alike::All, &[expected]);
}

#[test]
fn a_software_adapter_is_as_its_machine() {
    let mut sides = ["one", "two"].map(|cpu| {
        let mut side = side(cpu, &both());
        side.records[0].device.software = true;
        side.records[0].host.cpu = Some(cpu.into());
        side
    });
    refused(&sides[0], &sides[1], Alike::All, &["processor: one in one, two in two"]);
    sides[1].records[0].host.cpu = Some("one".into());
    assert!(compare(&sides[0], &sides[1..], Alike::All).is_ok());
}

#[test]
fn what_only_one_has_is_a_note_and_nothing_in_common_a_refusal() {
    let base = side("old", &both());
    let other = side("new", &both()[..1]);
    let comparison = compare(&base, std::slice::from_ref(&other), Alike::All).unwrap();
    assert_eq!(comparison.rows.len(), 1);
    let missing: Vec<_> = comparison.missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["speech infer batch 128 is missing from new"]);
    let turned = compare(&other, std::slice::from_ref(&base), Alike::All).unwrap();
    assert_eq!(turned.missing[0].lacking, "new");
    let others = side("new", &[example::run("vgg", Mode::Train, &STEADY)]);
    let error = compare(&base, &[others], Alike::All).unwrap_err();
    assert_eq!(error.exit_code(), 9);
    assert!(error.to_string().contains("in common"), "{error}");
}

#[test]
fn what_may_explain_a_difference_is_said() {
    let mut base = side("old", &both());
    let mut other = side("new", &both());
    let record = &mut other.records[0];
    record.host.threads = Some(1);
    record.host.os = "another system".into();
    record.tool.git = "abcdef".into();
    record.tool.dirty = true;
    record.tool.version = "0.2.0".into();
    record.device.pci = Some("0000:02:00.0".into());
    base.records[0].device.pci = Some("0000:01:00.0".into());
    record.integrity = Integrity::Edited;
    let notes = compare(&base, &[other], Alike::All).unwrap().notes;
    for expected in [
        "threads: the device's in old, 1 in new",
        "operating system: made up in old, another system in new",
        "commit: unknown in old, abcdef-dirty in new",
        "version: 0.1.0 in old, 0.2.0 in new",
        "place on the bus: 0000:01:00.0 in old, 0000:02:00.0 in new",
        "new: EDITED",
    ] {
        assert!(notes.iter().any(|note| note.starts_with(expected)), "no {expected} in {notes:?}");
    }
}

#[test]
fn what_sides_may_differ_in_with_a_remark_is_not_the_same_thing_run_again() {
    let twice = |change: &dyn Fn(&mut Record)| {
        let mut side = side("old", &both());
        side.records[0].device.software = true;
        side.records.push(side.records[0].clone());
        change(&mut side.records[1]);
        side
    };
    let peer = |how: &str| Peer { name: "PyTorch".into(), version: "2.0".into(), how: how.into() };
    let others = [
        (twice(&|r| r.host.threads = Some(1)), "threads: the device's in record 1 of old, 1 in"),
        (
            twice(&|r| r.tool.peer = Some(peer("eager"))),
            "program: fathom 0.1.0 in record 1 of old, PyTorch",
        ),
    ];
    for (side, expected) in &others {
        refused(side, &twice(&|_| ()), Alike::All, &[expected]);
        assert!(!unlike::is_again(&side.records[0], &side.records[1]));
    }
    let alike = twice(&|r| r.tool.git = "another".into());
    assert!(unlike::is_again(&alike.records[0], &alike.records[1]));
}

#[test]
fn a_worker_is_told_from_a_driver_without_workers() {
    let (mut base, mut other) = (side("old", &both()), side("new", &both()));
    base.records[0].host.threads = Some(0);
    other.records[0].host.threads = Some(1);
    let notes = compare(&base, &[other], Alike::All).unwrap().notes;
    let expected = "threads: 1 without workers in old, 1 in new";
    assert!(notes.iter().any(|note| note == expected), "{notes:?}");
}

#[test]
fn a_side_whose_own_records_were_made_by_different_programs_says_so() {
    let mut base = side("old", &both());
    base.records.push(base.records[0].clone());
    base.records[1].tool.git = "abcdef".into();
    let notes = compare(&base, &[side("new", &both())], Alike::All).unwrap().notes;
    let expected = "old: commit: records of abcdef and of unknown";
    assert!(notes.iter().any(|note| note == expected), "{notes:?}");
}

#[test]
fn a_neighbour_on_one_of_two_devices_may_be_what_differs() {
    let quiet = side("a", &both());
    // Known work at its best before the samples, at half of it beside them.
    let slowed = |factor: f64, known: f64| {
        let mut other = side("b", &Mode::ALL.map(|m| example::run("speech", m, &times(factor))));
        for run in &mut other.records[0].runs {
            let readings =
                |rates: [f64; 3]| rates.map(|rate| Reading { rate, spread: 0.0 }).to_vec();
            run.timing.as_mut().unwrap().yardstick = Some(Yardstick {
                after_samples: vec![0, 1, STEADY.len()],
                fma: readings([1.0, known, known]),
                copy: readings([1.0; 3]),
                launch: readings([1e9; 3]),
                ..Yardstick::default()
            });
        }
        other
    };
    let verdict = |other: Side| {
        let comparison = compare(&quiet, &[other], Alike::AllButDevice).unwrap();
        (comparison.rows[0].finding.verdict, comparison.rows[0].finding.reason)
    };
    assert_eq!(verdict(slowed(2.0, 1.0)).0, Verdict::Slower);
    assert_eq!(verdict(slowed(2.0, 0.5)), (Verdict::Unsure, verdict::Reason::MachineMoved));
    assert_eq!(verdict(slowed(50.0, 0.5)).0, Verdict::Slower, "by more than that explains");
}

#[test]
fn the_same_record_twice_is_said() {
    let mut base = side("old", &both());
    base.records[0] = base.records[0].sealed().unwrap();
    let other = Side { name: "new".into(), ..base.clone() };
    let notes = compare(&base, &[other], Alike::All).unwrap().notes;
    assert!(notes[0].starts_with("old and new are the same record"), "{notes:?}");
    let mut edited = Side { name: "new".into(), ..base.clone() };
    edited.records[0].integrity = Integrity::Edited;
    let notes = compare(&base, &[edited], Alike::All).unwrap().notes;
    assert!(!notes.iter().any(|note| note.contains("the same record")), "{notes:?}");
    let mut twice = base.clone();
    twice.records.push(base.records[0].clone());
    let fresh = side("new", &both());
    let notes = compare(&twice, &[fresh], Alike::All).unwrap().notes;
    assert!(notes[0].starts_with("old and old are the same record"), "{notes:?}");
}

#[test]
fn options_may_differ_where_they_are_what_is_compared() {
    let base = side("fused", &both());
    let mut other = side("not fused", &both());
    other.records[0].config.fuse = false;
    let in_turns = |other: &Side| {
        compare(&base, std::slice::from_ref(other), Alike::AllInTurns).unwrap().notes
    };
    assert!(in_turns(&other).iter().any(|note| note.starts_with("fusion: on in fused, off")));
    refused(&base, &other, Alike::All, &["fusion: on in fused, off in not fused"]);
    // As two versions of a driver, each chosen by a variable.
    other.records[0].device.driver = "2.0".into();
    assert!(in_turns(&other).contains(&"driver: 1.0 in fused, 2.0 in not fused".into()));
    other.records[0].config.precision = Precision::F16;
    refused(&base, &other, Alike::AllInTurns, &["precision: f32 in fused, f16 in not fused"]);
}

#[test]
fn a_peer_that_knows_the_wall_clock_only_is_compared_by_it() {
    let base = side("ours", &both());
    let mut other = side("theirs", &both());
    for timing in other.records[0].runs.iter_mut().filter_map(|run| run.timing.as_mut()) {
        timing.clock = Clock::Wall;
        timing.wall_ns = times(3.0);
        timing.step_ns = times(3.0);
    }
    refused(
        &base,
        &other,
        Alike::AllButDevice,
        &["train batch 128: clock", "infer batch 128: clock"],
    );
    let (name, version, how) = ("PyTorch".into(), "2.9".into(), "eager, 1 thread".into());
    other.records[0].tool.peer = Some(Peer { name, version, how });
    let mut base = base;
    for timing in base.records[0].runs.iter_mut().filter_map(|run| run.timing.as_mut()) {
        timing.wall_ns = times(2.0);
    }
    let comparison = compare(&base, std::slice::from_ref(&other), Alike::AllButDevice).unwrap();
    assert!((comparison.rows[0].finding.ratio - 1.5).abs() < 1e-9, "{comparison:?}");
    assert!((comparison.rows[0].base_ns - 200.0).abs() < 1e-9, "{comparison:?}");
    let notes = comparison.notes.join("\n");
    assert!(
        notes.contains("program: fathom 0.1.0 in ours, PyTorch 2.9 (eager, 1 thread) in theirs"),
        "{notes}"
    );
    assert!(notes.contains("by the wall clock"), "{notes}");
}

/// `peers/test_peers.py` holds the file against what `peers/record.py` writes.
#[test]
fn the_record_of_a_peer_is_sound_and_compared_across() {
    let read = |text, name: &str| Record::parse(text, std::path::Path::new(name)).unwrap();
    let ours = read(include_str!("../../tests/cli/record.json"), "record.json");
    let peer = read(include_str!("../../tests/cli/peer.json"), "peer.json");
    assert_eq!(peer.integrity, Integrity::Intact);
    assert_eq!(consistency::contradictions(&peer), []);
    assert_eq!(peer.tool.measured(), "PyTorch 2.9.0 (eager, 1 thread)");
    let [ours, peer] = [("ours", ours), ("peer", peer)]
        .map(|(name, record)| Side { name: name.into(), records: vec![record] });
    refused(&ours, &peer, Alike::All, &["device", "backend", "driver"]);
    let comparison = compare(&ours, std::slice::from_ref(&peer), Alike::AllButDevice).unwrap();
    assert_eq!((comparison.rows.len(), comparison.rows[0].other_ns), (1, 3e6));
}
