//! The command line as a user meets it: transcripts under `tests/cli`, and what a transcript cannot hold.

use std::path::Path;
use std::process::{Command, Output};

use fathom::record::{Integrity, Record, Status};
use fathom::terms::Precision;

/// Runs the program. Every record it keeps is held against the published schema.
fn fathom(arguments: &[&str]) -> Output {
    let records = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fathom"))
        .args(arguments)
        .env("FATHOM_RECORDS", records.path())
        .env("FATHOM_TUNE", "off")
        .output()
        .unwrap();
    for kept in std::fs::read_dir(records.path()).unwrap() {
        check_schema(&std::fs::read_to_string(kept.unwrap().path()).unwrap());
    }
    output
}

/// What a published schema has against a record.
fn schema_errors(record: &serde_json::Value) -> Vec<String> {
    let schema = serde_json::from_str(include_str!("../assets/record.schema.json")).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    schema.iter_errors(record).map(|e| e.to_string()).collect()
}

fn check_schema(record: &str) {
    let wrong = schema_errors(&serde_json::from_str(record).unwrap());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_schema_refuses_what_is_no_record() {
    let good: serde_json::Value =
        serde_json::from_str(include_str!("../assets/reference-tiny.json")).unwrap();
    assert_eq!(schema_errors(&good), Vec::<String>::new());
    let spoils: [(&str, serde_json::Value); 11] = [
        ("/schema", "fathom.record/9".into()),
        ("/id", "sha256:123".into()),
        ("/created", "yesterday".into()),
        ("/device/backend", "glide".into()),
        ("/config/preset", "huge".into()),
        ("/runs/0/batch", "four".into()),
        ("/runs/0/mode", "dream".into()),
        ("/runs/0/timing/step_ns/3", 0.into()),
        ("/runs/0/timing/step/ci95_ns/1", (-1).into()),
        ("/runs/0/ops/0/ns/samples/0", (-1).into()),
        ("/runs/0/build_ns", (-1).into()),
    ];
    for (place, value) in spoils {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(!schema_errors(&bad).is_empty(), "{place} passed");
    }
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../assets/record.schema.json")).unwrap();
    assert!(schema["$id"].as_str().unwrap().ends_with("/record.schema.json"));
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
    const RECORD: &str = "assets/reference-tiny.json";
    let empty = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    let cases: [(&[&str], i32, &str); 62] = [
        (&["analyze", RECORD, "-w", "memnet"], 2, "--workload: it says what is measured where no"),
        (&["analyze", "profile", RECORD, "--time", "5"], 2, "--time: it says what is measured"),
        (&["show", RECORD, "-m", "train"], 2, "--mode: it is of a workload's step"),
        (&["show", RECORD, "--program"], 2, "--program: it is of a workload's step"),
        (&["--workload", "speach"], 2, "did you mean 'speech'"),
        (&["--workload", "nonsense"], 2, "fathom list workloads"),
        (&["--workload", ""], 4, "no workload selected"),
        (&["--batch", "0", "-w", "autoenc"], 2, "1..64*2"),
        (&["--workload", "autoenc", "--device", "99"], 3, "no device 99"),
        (&["--workload", "autoenc", "--device", ""], 2, "--device is empty"),
        (&["list", "records", "--device", ""], 2, "--device is empty"),
        (&["list", "records", "--device", "radeon-of-mars"], 3, "no device matches"),
        (&["list", "kernels", "--device", "99"], 3, "no device 99"),
        (&["-w", "memnet", "--data", "README.md"], 10, "a file, not a folder"),
        (&["-w", "seq2seq", "--data", "README.md"], 10, "a file, not a folder"),
        (&["-w", "speech", "--data", "README.md"], 10, "a file, not a folder"),
        (&["--seed", "-1"], 2, "expected a whole number from 0 to 2^64 - 1"),
        (&["peak", "--time", "NaN"], 2, "expected a number of seconds from 0.1 to 600"),
        (&["--workload", "autoenc", "-d", "pci:ffff:ff:1f.7"], 3, "no device matches"),
        (&["--workload", "autoenc", "--save-baseline", "a/b"], 2, "as in main-2"),
        (&["show", "speach"], 2, "did you mean 'speech'"),
        (&["show", "@last"], 2, "no records are kept in"),
        (&["check", "no-such.json"], 10, "cannot read it"),
        (&["check", "deny.toml"], 10, "1 of 1 file is not a sound record"),
        (&["check", "deny.toml", "rustfmt.toml"], 10, "2 of 2 files are not sound records"),
        (&["check", "--publish", "deny.toml"], 10, "1 of 1 file is not fit to be published"),
        (&["compare", "@last"], 2, "no records are kept in"),
        (&["ab", "no-such-program", "no-such-program"], 10, "cannot run no-such-program"),
        (&["ab", "--no-fuse", "--foo", "--", "-w", "memnet"], 2, "unexpected argument '--foo'"),
        (&["ab", "--no-fuse", "--checks on", "--", "--dry-run"], 2, "what is not run cannot"),
        (&["--workload", "autoenc", "--device", "radeon-of-mars"], 3, "no device matches"),
        (&["--workload", "autoenc", "--backend", "glide"], 2, "one of vulkan, metal, dx12"),
        (&["--workload", "autoenc", "--save", "r.txt"], 2, ".json, .jsonl, .csv or .md"),
        (&["--workload", "autoenc", "--data", "/no/such/folder"], 10, "/no/such/folder"),
        (&["--workload", "autoenc", "list"], 2, "cannot be used with"),
        (&["-w", "autoenc,speech", "--data", empty], 10, "autoenc takes MNIST IDX files"),
        (&["-w", "autoenc", "--data", "speech=x"], 2, "speech is not among what is run"),
        (&["-w", "autoenc", "--data", "autoencc=x"], 2, "did you mean 'autoenc'"),
        (&["--data", empty], 2, "deepq learns by playing"),
        (&["-w", "deepq", "--data", empty, "--dry-run"], 2, "choose a game with --env"),
        (&["train", "-w", "deepq", "--data", empty], 2, "choose a game with --env"),
        (&["trace", "deepq", "--data", empty], 2, "choose a game with --env"),
        (&["-w", "memnet", "--set", "nothing=1"], 2, "task                      0   0 to 20"),
        (&["-w", "seq2seq", "--set", "hidden=20"], 2, "16 to 1048576, a multiple of 16"),
        (&["show", "autoenc", "--kernel", "nothing"], 2, "--program"),
        (&["-w", "autoenc", "--precision", "f16", "--without", "f16"], 2, "has no f16 in shaders"),
        (&["-w", "memnet", "--variant", "conv2d/direct", "--dry-run"], 2, "has such an op"),
        (&["-w", "memnet", "--repeat", "2", "-o", "json"], 2, "-o jsonl"),
        (
            &["-w", "autoenc", "--variant", "random_normal", "--dry-run"],
            2,
            "random_normal are draw",
        ),
        (&["-w", "autoenc", "--variant", "optimizer/adam", "--dry-run"], 2, "known as adam here"),
        (&["verify", "no-such-kernel"], 4, "fathom list kernels"),
        (&["verify", "optimizer.sgd"], 4, "did you mean 'sgd'?"),
        (&["bench", "matmul", "--precision", "f16"], 2, "add --workload"),
        (&["bench", "matmul", "--batch", "8"], 2, "--batch: it is for the steps of a workload"),
        (
            &["bench", "matmul", "--preset", "tiny"],
            2,
            "--preset: it is for the steps of a workload",
        ),
        (&["bench", "softmax", "-w", "memnet"], 4, "no kernel of these steps"),
        (&["analyze", "profil"], 2, "profile, stationarity"),
        (&["analyze", "no-such.json"], 10, "cannot read no-such.json"),
        (&["analyze", "profile", "--no-profile"], 2, "analyze modes"),
        (&["analyze", "scaling", "--no-profile"], 2, "analyze modes"),
        (&["analyze", "scaling", "-w", ","], 4, "no workload selected"),
        (&["analyze", "scaling", "-w", "autoenc", "--data", empty], 10, "thread: /"),
    ];
    for (arguments, code, expected) in cases {
        let output = fathom(arguments);
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {messages}");
        assert!(messages.contains(expected), "{arguments:?}: {messages}");
        assert!(!messages.contains("panicked"), "{messages}");
    }
}

#[test]
fn a_run_prints_figures_and_keeps_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("r.json");
    let save = saved.to_str().unwrap();
    let arguments =
        [&["-w", "autoenc", "-m", "infer", "-b", "1,7", "--ops", "--save", save], QUICK].concat();
    let output = fathom(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for expected in ["autoenc", "infer", "samples/s", "of peak", "matmul", "profiled step"] {
        assert!(table.contains(expected), "no {expected} in\n{table}");
    }
    let record = fathom::record::Record::load(&saved).unwrap();
    let batches: Vec<usize> = record.runs.iter().map(|r| r.batch).collect();
    assert_eq!(batches, [1, 7]);
    for run in &record.runs {
        assert_eq!(
            (run.verified.status, run.verified.passed),
            (fathom::record::Status::Passed, run.verified.checked)
        );
        assert!(run.timing.as_ref().unwrap().step.median_ns > 0.0);
        // How well parts and whole agree is for measurements on a quiet machine, not for tests.
        let profile = run.profile.as_ref().unwrap();
        assert!(profile.gaps_ns > 0.0 && profile.gaps_ns < profile.span_ns);
        let median = |op: &fathom::record::Op| op.ns.as_ref().unwrap().median;
        assert!(run.ops.iter().all(|op| (0.0..profile.span_ns).contains(&median(op))));
    }
}

/// Values that are stored as halves are told from others, in the table and in the record, which has no score.
#[test]
fn a_run_in_halves_says_so_and_what_stays_f32() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("r.json");
    let save = saved.to_str().unwrap();
    let precision = ["-w", "autoenc", "-m", "train", "--precision", "f16"];
    let output = fathom(&[&precision[..], &["--ops", "--save", save], QUICK].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("preset tiny, f16,") && table.contains("f32 all the same: "), "{table}");
    let record = Record::load(&saved).unwrap();
    assert_eq!(record.config.precision, Precision::F16);
    assert!(record.runs[0].stays_f32.iter().any(|kept| kept.op == "adam"), "{record:?}");
    let verified = &record.runs[0].verified;
    assert_eq!((verified.status, verified.passed), (Status::Passed, verified.checked));
    let scored = fathom(&["score", save]);
    let refused = text(&scored.stderr);
    assert!(scored.status.code() == Some(9) && refused.contains("precision: f16"), "{refused}");
}

#[test]
fn json_on_stdout_is_the_record_and_nothing_else() {
    let output =
        fathom(&[&["-w", "autoenc", "-m", "infer", "-o", "json", "--no-profile"], QUICK].concat());
    let record: fathom::record::Record = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record.schema, fathom::record::SCHEMA);
    assert_eq!(record.runs.len(), 1);
    let output =
        fathom(&[&["-w", "autoenc", "-m", "infer", "-o", "csv", "--no-verify"], QUICK].concat());
    let csv = text(&output.stdout);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains("unverified"), "{csv}");
}

#[test]
fn a_record_is_analyzed_in_every_form_and_a_broken_one_is_refused_by_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("r.json");
    let path = saved.to_str().unwrap();
    let what = ["-w", "autoenc", "-m", "train", "-b", "2,4", "--no-fuse", "--no-verify"];
    let run = fathom(&[&["run", "--save", path], &what[..], QUICK].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
    let analyze = |arguments: &[&str]| fathom(&[&["analyze"], arguments].concat());
    let shown = |arguments: &[&str]| {
        let output = analyze(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let all = shown(&[path]);
    for expected in ["matmul", "to 90 %", "too few steps", "infer / train", "batch 4", "serial"] {
        assert!(all.contains(expected), "no {expected} in\n{all}");
    }
    assert!(!all.contains("fused: elementwise"), "{all}");
    let json: serde_json::Value =
        serde_json::from_str(&shown(&["profile", path, "--ops", "-o", "json"])).unwrap();
    let sum = |table: &str, key: &str| -> f64 {
        let rows = json[table].as_array().unwrap().iter();
        let of_one = rows.filter(|row| row["batch"] == 2);
        of_one.map(|row| row[key].as_f64().unwrap()).sum()
    };
    for table in ["types", "ops"] {
        assert!((sum(table, "share") - 1.0).abs() < 1e-9, "{table}");
    }
    let classes: f64 = ["A", "B", "C", "D", "E", "F", "G"].map(|c| sum("profile", c)).iter().sum();
    assert!((classes - 1.0).abs() < 1e-9 && sum("profile", "A") > 0.0);
    for form in ["md", "csv", "jsonl"] {
        let messages = shown(&["stationarity", path, "-o", form]);
        assert!(messages.contains("drifting") || messages.contains("drift"), "{messages}");
    }
    let modes: serde_json::Value =
        serde_json::from_str(&shown(&["modes", path, "-o", "json"])).unwrap();
    for column in ["record", "created", "version", "commit", "os", "device_id", "clock"] {
        assert!(modes["modes"][0][column].is_string(), "{column}: {modes:#}");
    }
    // One workload is like no other.
    let lone = analyze(&["similarity", path]);
    assert_eq!(lone.status.code(), Some(4), "{}", text(&lone.stderr));

    let whole = std::fs::read_to_string(&saved).unwrap();
    let first_time = whole.find("\"median\": ").unwrap() + 10;
    let time_end = first_time + whole[first_time..].find(',').unwrap();
    let with_time = |time: &str| format!("{}{time}{}", &whole[..first_time], &whole[time_end..]);
    for (broken, place) in [
        (whole[..whole.len() / 2].to_string(), "line "),
        (with_time("NaN"), "line "),
        (with_time("null"), "line "),
        (with_time("-1.0"), "runs[0].ops[0].ns.median"),
        (whole.replacen("\"peaks\"", "\"peeks\"", 1), "missing field `peaks`"),
    ] {
        std::fs::write(&saved, broken).unwrap();
        let output = analyze(&["profile", path]);
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(10), "{messages}");
        assert!(messages.contains("r.json") && messages.contains(place), "{messages}");
    }
}

/// Each thread count is measured by a process of its own, which may say more than a pipe holds.
#[test]
fn what_a_process_of_its_own_says_does_not_stop_it() {
    let arguments = ["analyze", "scaling", "-w", "autoenc", "--preset", "tiny", "--no-verify"];
    let output = Command::new(env!("CARGO_BIN_EXE_fathom"))
        .args(
            [&arguments, &["--batches", "1,2", "--time", "0.1", "--min-samples", "3"][..]].concat(),
        )
        .env("FATHOM_RECORDS", tempfile::tempdir().unwrap().path())
        .env("FATHOM_TUNE", "off")
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("batch 2"), "{}", text(&output.stdout));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_and_the_figures_are_shown_all_the_same() {
    let output =
        fathom(&[&["-w", "autoenc", "-m", "infer", "--save", "/dev/full"], QUICK].concat());
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stderr).contains("cannot write /dev/full"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("samples/s"));
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_is_no_error() {
    let script = format!("{} list kernels | head -1", env!("CARGO_BIN_EXE_fathom"));
    let output = Command::new("bash").args(["-o", "pipefail", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn broken_data_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte");
    std::fs::write(&path, [0, 0, 8, 3, 0, 0]).unwrap();
    let output = fathom(&["-w", "autoenc", "--data", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stderr).contains("train-images-idx3-ubyte"), "{}", text(&output.stderr));
}

#[test]
fn real_data_are_told_once_and_what_was_passed_over_is_in_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("r.json");
    let data = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let speech = format!("speech={}", data("timit-appledouble/t").display());
    let arguments =
        [&["-w", "speech", "--data", &speech, "--save", saved.to_str().unwrap()], QUICK].concat();
    let output = fathom(&arguments);
    let messages = text(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let line = "speech: 1 + 1 TIMIT utterances; passed over: 2 hidden files";
    assert_eq!(messages.matches(line).count(), 1, "{messages}");
    let record = fathom::record::Record::load(&saved).unwrap();
    assert_eq!(record.runs.len(), 2);
    for run in &record.runs {
        let listed = run.listed.as_ref().unwrap();
        assert_eq!((listed.train, listed.held_out, listed.passed_over[0].count), (1, 1, 2));
    }
    // Nothing is compiled, and no metric is printed, where nothing is held out.
    let data = data("seq-no-held-out/s");
    let arguments = ["train", "-w", "seq2seq", "--preset", "tiny", "--steps", "1", "--data"];
    let output = fathom(&[&arguments[..], &[data.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stderr).contains("no held-out pairs") && output.stdout.is_empty());
}

#[test]
fn every_option_has_help_and_lines_are_not_too_long() {
    use clap::CommandFactory;
    fn check(command: &clap::Command) {
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(argument.get_help().is_some(), "{} {id} has no help", command.get_name());
        }
        command.get_subcommands().for_each(check);
    }
    let mut command = fathom::cli::Cli::command();
    command.build();
    check(&command);
    assert!(Path::new("README.md").exists());
}

#[test]
fn what_is_no_number_is_told_what_it_must_be() {
    use clap::CommandFactory;
    let mut numbers = 0;
    for command in fathom::cli::Cli::command().get_subcommands() {
        for argument in command.get_arguments() {
            let name = argument.get_value_names().and_then(|names| names.first());
            // `N`, `N,..|A..B*2`, `N|mixed`; not `NAME`.
            let first = name.and_then(|name| name.split([',', '|']).next());
            let is_number = ["N", "SECONDS", "PERCENT"].map(Some).contains(&first);
            let Some(option) = argument.get_long().filter(|_| is_number) else { continue };
            for value in ["-1.5", "x", "1e99", "99999999999999999999"] {
                let given = format!("--{option}={value}");
                let parsed = command.clone().try_get_matches_from([command.get_name(), &given]);
                let error = parsed.unwrap_err().to_string();
                let (first, _) = error.split_once('\n').unwrap_or((&error, ""));
                let tells = first.contains("expected a") || first.contains("is not a number from");
                assert!(tells, "{} {given}: {first}", command.get_name());
                numbers += 1;
            }
        }
    }
    assert!(numbers > 100, "{numbers}");
}

/// The committed record with something done to it and the id of what it then holds, as a file.
fn altered(folder: &Path, name: &str, alter: impl Fn(&mut serde_json::Value)) -> String {
    let mut record = serde_json::from_str(include_str!("../assets/reference-tiny.json")).unwrap();
    alter(&mut record);
    let path = folder.join(name);
    let text = record.to_string();
    // What is no record any more has no id.
    let sealed = Record::parse(&text, &path)
        .map(|record| Record { integrity: Integrity::Intact, ..record }.to_json().unwrap());
    std::fs::write(&path, sealed.unwrap_or(text)).unwrap();
    path.to_str().unwrap().to_string()
}

/// Every step time of every run times `factor`.
fn slow_down(record: &mut serde_json::Value, factor: f64) {
    for run in record["runs"].as_array_mut().unwrap() {
        let timing = &mut run["timing"];
        for key in ["step_ns", "wall_ns"] {
            for ns in timing[key].as_array_mut().unwrap() {
                *ns = (ns.as_f64().unwrap() * factor).into();
            }
        }
    }
}

#[test]
fn records_are_compared_scored_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let make =
        |name: &str, alter: &dyn Fn(&mut serde_json::Value)| altered(folder.path(), name, alter);
    let base = make("base.json", &|_| {});
    let slow = make("slow.json", &|r| slow_down(r, 3.0));
    let full = make("full.json", &|r| r["config"]["preset"] = "full".into());
    let fewer = make("fewer.json", &|r| {
        r["runs"].as_array_mut().unwrap().remove(0);
    });
    let unverified = make("unverified.json", &|r| {
        r["runs"][3]["verified"]["status"] = "unverified".into();
    });
    let lacking = make("lacking.json", &|r| {
        r["device"].as_object_mut().unwrap().remove("name");
    });
    let newer = make("newer.json", &|r| r["schema"] = "fathom.record/9".into());
    let cut = folder.path().join("cut.json");
    let whole = std::fs::read_to_string(&base).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let cut = cut.to_str().unwrap();
    let nan = folder.path().join("nan.json");
    std::fs::write(&nan, whole.replacen("\"median_ns\":", "\"median_ns\":NaN,\"x\":", 1)).unwrap();
    let nan = nan.to_str().unwrap();

    let ran = |arguments: &[&str], code: i32, expected: &[&str]| -> String {
        let output = fathom(arguments);
        let messages = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {messages}");
        for expected in expected {
            assert!(messages.contains(expected), "{arguments:?}: no {expected} in {messages}");
        }
        text(&output.stdout)
    };
    let same = ran(&["compare", &base, &base, "-o", "csv"], 0, &[]);
    assert_eq!(same.lines().count(), 17, "{same}");
    assert!(!same.contains("FASTER") && !same.contains("SLOWER"), "{same}");
    ran(&["compare", &base, &slow], 0, &["SLOWER", "3.000", "geometric mean"]);
    ran(&["compare", &slow, &base], 0, &["FASTER"]);
    ran(&["compare", &base, &slow, "--fail-on", "slower:3%"], 8, &["is slower by"]);
    ran(&["compare", &base, &full], 9, &["preset: tiny in", "full in"]);
    ran(&["compare", &base, &unverified], 9, &["unverified in"]);
    for broken in [&lacking, cut, nan, &newer] {
        for command in
            [vec!["compare", &base, broken], vec!["score", broken], vec!["analyze", broken]]
        {
            ran(&command, 10, &[broken]);
        }
        let page = folder.path().join("broken.html");
        ran(&["report", broken, "--save", page.to_str().unwrap()], 10, &[broken]);
        assert!(!page.exists());
    }
    ran(&["score", &base], 0, &["1000"]);
    ran(&["score", &slow], 0, &["333.3"]);
    ran(&["score", &fewer], 9, &["seq2seq train", "missing", "15 of 16"]);
    ran(&["score", &unverified], 9, &["unverified"]);
    ran(&["score", &full], 9, &["seq2seq train: batch: 64 in the reference, 4 in", "0 of 16 runs"]);
    for form in ["md", "json", "jsonl", "csv", "table"] {
        let shown = ran(&["score", &base, "-o", form], 0, &[]);
        assert!(shown.contains("seq2seq"), "{shown}");
    }
    let page = folder.path().join("r.html");
    ran(&["report", &base, &slow, "--save", page.to_str().unwrap()], 0, &["2 records"]);
    assert!(std::fs::read_to_string(&page).unwrap().contains("</html>"));
}

#[test]
fn a_step_is_traced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    let output =
        fathom(&["trace", "autoenc", "--preset", "tiny", "--save", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let trace: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let complete = events.iter().filter(|e| e["ph"] == "X").count();
    assert!(complete > 30, "{complete} events");
    for event in events.iter().filter(|e| e["ph"] == "X") {
        assert!(
            event["ts"].as_f64().unwrap() >= 0.0 && event["dur"].as_f64().unwrap() >= 0.0,
            "{event}"
        );
        assert!(
            event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(),
            "{event}"
        );
    }
}
