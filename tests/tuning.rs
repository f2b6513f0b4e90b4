//! Tuning as a user meets it: a first run measures, the next ones use what it found, and what cannot be used is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use fathom::record::Record;
use program::{fathom, told_by};
use serde_json::Value;

#[path = "common/program.rs"]
mod program;

/// Short, of a model with small products only.
const RUN: &[&str] = &[
    "run",
    "-w",
    "autoenc",
    "-m",
    "infer",
    "--preset",
    "tiny",
    "--time",
    "0.1",
    "--min-samples",
    "3",
    "-o",
    "json",
];

/// What the program prints, if it ends with the code that is expected; it tunes as it does for users.
#[track_caller]
fn told(records: &Path, arguments: &[&str], code: i32) -> (String, String) {
    told_by(fathom(records, arguments).env_remove("FATHOM_TUNE"), code)
}

/// The same of a run whose record is printed.
#[track_caller]
fn run(records: &Path, more: &[&str]) -> (Record, String) {
    let (data, messages) = told(records, &[RUN, more].concat(), 0);
    (serde_json::from_str(&data).unwrap(), messages)
}

fn table(records: &Path) -> PathBuf {
    let files = std::fs::read_dir(records.join("tuning")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    file.clone()
}

fn read(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_first_run_tunes_and_the_next_ones_use_what_it_found() {
    let records = tempfile::tempdir().unwrap();
    let (first, _) = run(records.path(), &[]);
    let file = table(records.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let kept = read(&file);
    let entries = kept["entries"].as_object().unwrap();
    assert!(!entries.is_empty());
    for entry in entries.values() {
        let candidates = entry["candidates"].as_array().unwrap();
        assert!((2..=6).contains(&candidates.len()), "{entry}");
        for candidate in candidates {
            let times = candidate["ns"].as_array().unwrap().len();
            assert!(times >= 3 && times == candidate["first_ns"].as_array().unwrap().len());
            assert_eq!(candidate["kernel"].as_str().unwrap().len(), 64);
        }
        // What was chosen over the estimates' first was checked before.
        let (first, chosen) = (&candidates[0]["variant"], &entry["chosen"]);
        let chosen = candidates.iter().find(|known| known["variant"] == *chosen).unwrap();
        assert!(chosen["variant"] == *first || chosen["verified"] == true, "{entry}");
    }
    let tuning = first.tuning.unwrap();
    assert!(tuning.table.is_some() && tuning.speeds.processors > 0, "{tuning:?}");
    let (again, _) = run(records.path(), &[]);
    assert_eq!(again.tuning.unwrap(), tuning, "the same table");
    assert_eq!(again.runs[0].program, first.runs[0].program, "the same kernels");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "nothing is measured twice");
    // Without tuning it is the estimates alone, on any machine.
    let (off, _) = run(records.path(), &["--tune", "off"]);
    assert_eq!(off.tuning.as_ref().and_then(|tuning| tuning.table.clone()), None);
}

#[test]
fn a_step_is_shown_with_the_kernels_that_runs_of_it_have() {
    let records = tempfile::tempdir().unwrap();
    run(records.path(), &[]);
    let (file, off) = (table(records.path()), ["--tune", "off"]);
    let mut kept = read(&file);
    // Whatever was found, some kernel is not the estimates' first.
    for entry in kept["entries"].as_object_mut().unwrap().values_mut() {
        let other = entry["candidates"].as_array().unwrap().last().unwrap()["variant"].clone();
        entry["chosen"] = other;
    }
    std::fs::write(&file, kept.to_string()).unwrap();
    let ran = |more: &[&str]| -> Vec<String> {
        run(records.path(), more).0.runs[0].ops.iter().map(|op| op.label.clone()).collect()
    };
    let shown = |more: &[&str]| -> Vec<String> {
        let words =
            ["show", "autoenc", "--program", "--preset", "tiny", "-m", "infer", "-o", "json"];
        let (text, _) = told(records.path(), &[&words[..], more].concat(), 0);
        let ops: Vec<Value> = serde_json::from_str(&text).unwrap();
        ops.iter().map(|op| op["label"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(shown(&[]), ran(&[]));
    assert_eq!(shown(&off), ran(&off));
    assert_ne!(shown(&off), shown(&[]));
    let naive = ["--variant", "matmul/naive"];
    assert_eq!(shown(&naive), ran(&naive));
    assert!(
        shown(&naive).iter().any(|label| label.ends_with("matmul/naive")),
        "{:?}",
        shown(&naive)
    );
    for command in ["show", "trace"] {
        let refused = [command, "autoenc", "--preset", "tiny", "--variant", "conv2d/direct"];
        assert!(told(records.path(), &refused, 2).1.contains("no step that is run has such an op"));
    }
}

#[test]
fn what_is_to_be_tuned_is_told_until_it_was() {
    let records = tempfile::tempdir().unwrap();
    let dry = |more: &[&str]| told(records.path(), &[RUN, &["--dry-run"], more].concat(), 0).1;
    let to_tune = || {
        let tune = ["tune", "--tune", "quick", "--dry-run"];
        told(records.path(), &[&tune[..], &RUN[1..7], &["-o", "csv"]].concat(), 0).0
    };
    let steps = to_tune();
    assert_eq!(steps.lines().count(), 2, "headings and a step:\n{steps}");
    assert!(!steps.ends_with(",0,0\n"), "{steps}");
    assert!(dry(&[]).contains(": tuning 10 s, "));
    assert_eq!(std::fs::read_dir(records.path()).unwrap().count(), 0, "nothing was measured");
    run(records.path(), &[]);
    assert!(!dry(&[]).contains("tuning"), "{}", dry(&[]));
    assert!(to_tune().ends_with(",0,0\n"), "{}", to_tune());
    assert!(dry(&["--tune", "full"]).contains(" and a thorough tuning: "));
}

#[test]
fn tuning_refuses_what_is_for_measuring_runs() {
    let records = tempfile::tempdir().unwrap();
    for option in ["--time=5", "--repeat=2", "--save-baseline=b", "--no-verify", "--ops"] {
        let (_, messages) = told(records.path(), &["tune", "-w", "autoenc", option], 2);
        let name = option.split('=').next().unwrap();
        assert!(messages.contains(&format!("tune: {name}: ")), "{messages}");
    }
}

#[test]
fn a_run_uses_what_the_table_says() {
    let records = tempfile::tempdir().unwrap();
    run(records.path(), &[]);
    let file = table(records.path());
    let mut kept = read(&file);
    let entries = kept["entries"].as_object_mut().unwrap();
    let entry = entries.values_mut().find(|entry| entry["op"] == "matmul").unwrap();
    // As if another of the measured had been the fastest.
    let other = entry["candidates"][1]["variant"].clone();
    entry["chosen"] = other.clone();
    std::fs::write(&file, kept.to_string()).unwrap();
    let (record, _) = run(records.path(), &[]);
    let label = format!("matmul/{}", other.as_str().unwrap());
    assert!(record.runs[0].ops.iter().any(|op| op.label.ends_with(&label)), "no op is {label}");
    assert!(record.tuning.unwrap().changed > 0);
}

#[test]
fn a_table_that_cannot_be_used_is_said_and_made_anew() {
    let records = tempfile::tempdir().unwrap();
    run(records.path(), &[]);
    let file = table(records.path());
    let good = read(&file);
    // A kernel's text has changed since.
    let mut stale = good.clone();
    for entry in stale["entries"].as_object_mut().unwrap().values_mut() {
        for candidate in entry["candidates"].as_array_mut().unwrap() {
            candidate["kernel"] = "0".into();
        }
    }
    std::fs::write(&file, stale.to_string()).unwrap();
    let (_, messages) = run(records.path(), &[]);
    assert!(messages.contains("have changed"), "{messages}");
    let mended = read(&file);
    assert!(!mended["entries"].as_object().unwrap().is_empty());
    assert!(!mended.to_string().contains("\"kernel\":\"0\""), "measured anew");
    let mut foreign = good.clone();
    foreign["device"]["driver"] = "another".into();
    for (text, word) in
        [(foreign.to_string(), "another"), ("{\"schema\"".into(), "not a tuning table")]
    {
        std::fs::write(&file, text).unwrap();
        let (record, messages) = run(records.path(), &[]);
        assert!(messages.contains(word) && messages.contains("not used"), "{messages}");
        assert!(record.tuning.unwrap().table.is_some());
        assert_eq!(read(&file)["device"], good["device"]);
    }
}

#[test]
fn a_forced_variant_runs_or_is_an_error() {
    let records = tempfile::tempdir().unwrap();
    let off = |more: &[&'static str]| [&["--tune", "off"], more].concat();
    let (record, _) = run(records.path(), &off(&["--variant", "matmul/naive"]));
    let products: Vec<_> = record.runs[0].ops.iter().filter(|op| op.op == "matmul").collect();
    assert!(!products.is_empty() && products.iter().all(|op| op.label.ends_with("matmul/naive")));
    assert_eq!(record.tuning.unwrap().forced, ["matmul/naive"]);
    for (label, word) in
        [("matmul/none", "cannot run"), ("conv2d/direct", "no step"), ("naive", "no step")]
    {
        let (_, messages) = told(records.path(), &[RUN, &off(&["--variant", label])].concat(), 2);
        assert!(messages.contains(label) && messages.contains(word), "{messages}");
    }
}

#[test]
fn every_variant_is_timed_at_a_workloads_own_shapes() {
    let records = tempfile::tempdir().unwrap();
    let arguments = [
        "bench", "matmul", "-w", "autoenc", "-m", "infer", "--preset", "tiny", "--time", "0.01",
        "-o", "csv",
    ];
    let (data, _) = told(records.path(), &arguments, 0);
    let naive = data.lines().filter(|line| line.contains(",matmul/naive,")).count();
    assert_eq!(naive, 4, "one for each of the four layers:\n{data}");
    assert!(
        data.lines()
            .any(|line| line.contains("autoenc infer") && line.contains("[8, 64] [64, 784]"))
    );
}

/// A wrong kernel's rates would look like any others.
#[test]
fn bench_times_no_kernel_that_is_wrong_and_says_what_held() {
    let folder = tempfile::tempdir().unwrap();
    let shaders = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders"));
    let copied = Command::new("cp").arg("-r").arg(shaders).arg(folder.path()).status().unwrap();
    assert!(copied.success());
    let update = folder.path().join("shaders/optimizer/momentum.wgsl");
    let text = std::fs::read_to_string(&update).unwrap();
    std::fs::write(&update, text.replace("w - params.rate", "w + params.rate")).unwrap();
    let mut bench = fathom(
        folder.path(),
        &[
            "bench",
            "optimizer",
            "-w",
            "memnet",
            "-m",
            "train",
            "--preset",
            "tiny",
            "--time",
            "0.01",
            "--checks",
            "on",
            "-o",
            "csv",
        ],
    );
    bench.env("FATHOM_SHADERS", folder.path().join("shaders"));
    let (data, messages) = told_by(&mut bench, 5);
    assert!(data.contains(",wrong,,"), "{data}");
    assert!(data.contains("\"bounds checks, kernels from FATHOM_SHADERS\""), "{data}");
    assert!(messages.contains("up to about") && messages.contains("not timed"), "{messages}");
}
