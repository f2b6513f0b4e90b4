//! The command line as a user meets it: transcripts under `tests/cli`, and what a transcript cannot hold.

use std::path::Path;
use std::process::{Command, Output};

fn fathom(arguments: &[&str]) -> Output {
    let records = std::env::temp_dir().join("fathom-cli-records");
    Command::new(env!("CARGO_BIN_EXE_fathom"))
        .args(arguments)
        .env("FATHOM_RECORDS", records)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Short but whole: every part of a run is done.
const QUICK: &[&str] = &["--time", "0.2", "--min-samples", "3"];

#[test]
fn transcripts() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd").run();
}

#[test]
fn every_failure_has_its_code_and_names_the_way_out() {
    let cases: [(&[&str], i32, &str); 12] = [
        (&["--workload", "speach"], 2, "did you mean 'speech'"),
        (&["--workload", "nonsense"], 2, "fathom list workloads"),
        (&["--workload", ""], 4, "no workload selected"),
        (&["--batch", "0", "-w", "autoenc"], 2, "1..64*2"),
        (
            &["--workload", "autoenc", "--device", "99"],
            3,
            "no device 99",
        ),
        (
            &["--workload", "autoenc", "--device", "radeon-of-mars"],
            3,
            "no device matches",
        ),
        (
            &["--workload", "autoenc", "--backend", "glide"],
            2,
            "one of vulkan, metal, dx12",
        ),
        (
            &["--workload", "autoenc", "--save", "r.txt"],
            2,
            ".json, .jsonl, .csv or .md",
        ),
        (
            &["--workload", "autoenc", "--data", "/no/such/folder"],
            10,
            "/no/such/folder",
        ),
        (&["--workload", "autoenc", "list"], 2, "cannot be used with"),
        (&["show", "autoenc", "--kernel", "nothing"], 2, "--program"),
        (&["verify", "no-such-kernel"], 4, "fathom list kernels"),
    ];
    for (arguments, code, expected) in cases {
        let output = fathom(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
        assert!(!told.contains("panicked"), "{told}");
    }
}

#[test]
fn a_run_prints_figures_and_keeps_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("r.json");
    let save = saved.to_str().unwrap();
    let arguments = [
        &["-w", "autoenc", "-m", "infer", "-b", "1,7", "--save", save],
        QUICK,
    ]
    .concat();
    let output = fathom(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for expected in ["autoenc", "infer", "samples/s", "of peak", "matmul", "span"] {
        assert!(table.contains(expected), "no {expected} in\n{table}");
    }
    let record = fathom::record::Record::load(&saved).unwrap();
    let batches: Vec<usize> = record.runs.iter().map(|r| r.batch).collect();
    assert_eq!(batches, [1, 7]);
    for run in &record.runs {
        assert_eq!(
            (run.verified.status.as_str(), run.verified.passed),
            ("passed", run.verified.checked)
        );
        assert!(run.timing.as_ref().unwrap().step.median_ns > 0.0);
        // How well parts and whole agree is for measurements on a quiet machine, not for tests.
        let profile = run.profile.as_ref().unwrap();
        assert!(profile.gaps_ns > 0.0 && profile.gaps_ns < profile.span_ns);
        let median = |op: &fathom::record::Op| op.ns.as_ref().unwrap().median;
        assert!(
            run.ops
                .iter()
                .all(|op| (0.0..profile.span_ns).contains(&median(op)))
        );
    }
}

#[test]
fn json_on_stdout_is_the_record_and_nothing_else() {
    let output = fathom(
        &[
            &["-w", "autoenc", "-m", "infer", "-o", "json", "--no-profile"],
            QUICK,
        ]
        .concat(),
    );
    let record: fathom::record::Record = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record.schema, fathom::record::SCHEMA);
    assert_eq!(record.runs.len(), 1);
    let output = fathom(
        &[
            &["-w", "autoenc", "-m", "infer", "-o", "csv", "--no-verify"],
            QUICK,
        ]
        .concat(),
    );
    let csv = text(&output.stdout);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains("unverified"), "{csv}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_and_the_figures_are_shown_all_the_same() {
    let output = fathom(
        &[
            &["-w", "autoenc", "-m", "infer", "--save", "/dev/full"],
            QUICK,
        ]
        .concat(),
    );
    assert_eq!(output.status.code(), Some(10));
    assert!(
        text(&output.stderr).contains("cannot write /dev/full"),
        "{}",
        text(&output.stderr)
    );
    assert!(text(&output.stdout).contains("samples/s"));
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_is_no_error() {
    let script = format!("{} list kernels | head -1", env!("CARGO_BIN_EXE_fathom"));
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn broken_data_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte");
    std::fs::write(&path, [0, 0, 8, 3, 0, 0]).unwrap();
    let output = fathom(&["-w", "autoenc", "--data", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(10));
    assert!(
        text(&output.stderr).contains("train-images-idx3-ubyte"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn every_option_has_help_and_lines_are_not_too_long() {
    use clap::CommandFactory;
    fn check(command: &clap::Command) {
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(
                argument.get_help().is_some(),
                "{} {id} has no help",
                command.get_name()
            );
        }
        command.get_subcommands().for_each(check);
    }
    let mut command = fathom::cli::Cli::command();
    command.build();
    check(&command);
    assert!(Path::new("README.md").exists());
}
