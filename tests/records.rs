//! Records as a user meets them: kept, listed, shown again, checked, and not believed once they were edited.

use std::path::Path;
use std::process::Command;

use fathom::record::{Integrity, Record};
use program::{fathom, told_by};
use serde_json::Value;

#[path = "common/program.rs"]
mod program;

/// What the program prints, if it ends with the code that is expected.
#[track_caller]
fn told(records: &Path, arguments: &[&str], code: i32) -> (String, String) {
    told_by(&mut fathom(records, arguments), code)
}

const REFERENCE: &str = include_str!("../assets/reference-tiny.json");

/// Short, and without what other tests are about.
const QUICK: &[&str] = &[
    "-w",
    "autoenc",
    "-m",
    "infer",
    "--time",
    "0.05",
    "--min-samples",
    "3",
    "--no-verify",
    "--no-profile",
];

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

/// The reference with every time a tenth, under another device's name.
fn bent() -> Value {
    let mut record: Value = serde_json::from_str(REFERENCE).unwrap();
    record["device"]["name"] = "A much faster one".into();
    for run in record["runs"].as_array_mut().unwrap() {
        let timing = &mut run["timing"];
        for key in ["step_ns", "wall_ns"] {
            for ns in timing[key].as_array_mut().unwrap() {
                *ns = (ns.as_f64().unwrap() / 10.0).into();
            }
        }
    }
    record
}

#[test]
fn an_edited_record_is_called_that_everywhere_and_has_no_score() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path();
    let good = write(kept, "2026-01-01T00-00-00.000000Z-good.json", REFERENCE);
    let edited = write(kept, "2026-01-02T00-00-00.000000Z-edited.json", &bent().to_string());
    let (listed, _) = told(kept, &["list", "records"], 0);
    assert_eq!(
        (listed.matches("EDITED").count(), listed.matches("intact").count()),
        (1, 1),
        "{listed}"
    );
    let (shown, _) = told(kept, &["show", "@last"], 0);
    assert!(shown.contains("warning: EDITED"), "{shown}");
    for form in ["csv", "jsonl"] {
        let (shown, _) = told(kept, &["show", "@last", "-q", "-o", form], 0);
        assert!(shown.lines().last().unwrap().contains("EDITED"), "{shown}");
    }
    let (checked, messages) = told(kept, &["check", &good, &edited], 10);
    assert!(checked.contains("sound") && checked.contains("EDITED"), "{checked}");
    assert!(checked.contains("runs[0].timing.step.median_ns"), "{checked}");
    assert!(messages.contains("edited.json"), "{messages}");
    let page = kept.join("r.html");
    let (_, messages) = told(kept, &["report", &edited, "--save", page.to_str().unwrap()], 0);
    assert!(messages.contains("EDITED"), "{messages}");
    assert!(std::fs::read_to_string(&page).unwrap().contains("edited.json: EDITED"));
    let (compared, messages) = told(kept, &["compare", &good, &edited, "--across"], 0);
    assert!(
        compared.contains("(EDITED) ran") && messages.contains("EDITED:"),
        "{compared}{messages}"
    );
    assert!(compared.lines().next().unwrap().contains("(EDITED)"), "a heading: {compared}");
    let (compared, _) = told(kept, &["compare", &good, &edited, "--across", "-q", "-o", "json"], 0);
    let rows: Value = serde_json::from_str(&compared).unwrap();
    let sides = rows[0].as_object().unwrap().iter().filter(|(name, _)| name.ends_with("integrity"));
    let integrity: Vec<_> = sides.map(|(_, integrity)| integrity.as_str().unwrap()).collect();
    assert_eq!(integrity, ["EDITED", "intact"], "{compared}");
    let (_, messages) = told(kept, &["analyze", "modes", &edited], 0);
    assert!(messages.contains("EDITED"), "{messages}");
    for form in ["table", "md", "csv", "json", "jsonl"] {
        let (analyzed, _) = told(kept, &["analyze", "profile", &edited, "-q", "-o", form], 0);
        assert!(analyzed.contains("(EDITED)"), "{form}: {analyzed}");
    }
    let (scored, messages) = told(kept, &["score", &edited], 9);
    assert!(!scored.contains("10000") && messages.contains("EDITED"), "{scored}{messages}");
    // Nor does its id help if it is of the kind that proves nothing, or missing.
    for id in [format!("sha256:{}", "0".repeat(64)), String::new()] {
        let mut unproven = bent();
        unproven["id"] = id.into();
        let unproven = write(kept, "unproven.json", &unproven.to_string());
        let (_, messages) = told(kept, &["score", &unproven], 9);
        assert!(messages.contains("proves nothing"), "{messages}");
        told(kept, &["show", &unproven], 0);
        told(kept, &["check", &unproven], 10);
    }
    told(kept, &["score", &good], 0);
    // As a page or a formatter would write it: the content is the same.
    let reformatted =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(REFERENCE).unwrap());
    let reformatted = write(kept, "reformatted.json", &reformatted.unwrap());
    told(kept, &["check", &reformatted], 0);
}

#[test]
fn a_record_is_kept_listed_shown_again_and_compared_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path();
    let baseline = [QUICK, &["--save-baseline", "main", "--repeat", "2"]].concat();
    let (printed, messages) = told(kept, &baseline, 0);
    let files = || {
        let files = std::fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    assert_eq!(files().len(), 2, "{messages}");
    told(kept, QUICK, 0);
    assert_eq!(files().len(), 3);
    for file in files() {
        let record = Record::load(&file).unwrap();
        assert_eq!(record.integrity, Integrity::Intact);
        let short = fathom::record::id::short(&record.id);
        let (listed, _) = told(kept, &["list", "records"], 0);
        assert!(listed.contains(short), "{listed}");
        let (shown, _) = told(kept, &["show", short], 0);
        assert!(shown.contains("autoenc") && shown.contains("samples/s"), "{shown}");
        let (json, _) = told(kept, &["show", short, "-o", "json"], 0);
        assert_eq!(json, std::fs::read_to_string(&file).unwrap(), "byte for byte");
        // The id is printed where the run ended.
        let of_repeated = messages.contains(short) && printed.contains("autoenc");
        assert!(of_repeated || file == *files().iter().max().unwrap(), "{messages}");
    }
    let (listed, _) = told(kept, &["list", "records", "-o", "json"], 0);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["baseline"], "main");
    assert_eq!((&listed[2]["baseline"], &listed[2]["cells"]), (&"".into(), &1.into()));
    let (compared, _) = told(kept, &["compare", "main", "-o", "json"], 9);
    assert_eq!(compared, "", "what was not verified is not compared");
}

#[test]
fn several_records_are_shown_as_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let mut later = Record::parse(REFERENCE, Path::new("later.json")).unwrap();
    later.created = "2027-01-01T00:00:00Z".into();
    write(folder.path(), "a.json", REFERENCE);
    write(folder.path(), "b.json", &later.to_json().unwrap());
    let shown =
        |form| told(folder.path(), &["show", folder.path().to_str().unwrap(), "-o", form], 0).0;
    let records: Vec<Value> = serde_json::from_str(&shown("json")).unwrap();
    assert_eq!(records[1]["created"], later.created);
    let runs: usize = records.iter().map(|record| record["runs"].as_array().unwrap().len()).sum();
    let csv = shown("csv");
    let rows: Vec<_> = csv::Reader::from_reader(csv.as_bytes()).records().collect();
    assert!(rows.len() == runs && csv.matches("record,").count() == 1, "{csv}");
    let lines = shown("jsonl");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(lines.count(), runs);
}

#[test]
fn what_is_no_record_among_baselines_hides_none_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path();
    std::fs::create_dir_all(kept.join("baselines/repeated")).unwrap();
    for name in ["2026-01-01T00-00-00.000000Z-a.json", "baselines/main.json"] {
        write(kept, name, REFERENCE);
    }
    for name in ["baselines/half.json", "baselines/repeated/1.json", "baselines/notes.txt"] {
        write(kept, name, "{\"schema\": \"fathom.rec");
    }
    let (listed, messages) = told(kept, &["list", "records"], 0);
    assert!(listed.contains("main"), "{listed}");
    assert_eq!(messages.matches("warning: ").count(), 2, "{messages}");
    assert!(messages.contains("half.json") && !messages.contains("notes.txt"), "{messages}");
}

#[test]
fn where_there_is_no_place_for_records_that_is_said() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fathom"));
        command.args(arguments).env("HOME", "").env("FATHOM_TUNE", "off");
        for variable in ["FATHOM_RECORDS", "XDG_DATA_HOME", "LOCALAPPDATA"] {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, messages) = run(QUICK);
    assert_eq!(code, Some(0), "{messages}");
    assert!(
        messages.contains("the record is not kept") && messages.contains("--save"),
        "{messages}"
    );
    assert_eq!(run(&["list", "records"]).0, Some(2));
    let (code, messages) = run(&[QUICK, &["--save-baseline", "main"]].concat());
    assert_eq!(code, Some(2), "{messages}");
}

#[test]
fn the_same_program_against_itself_is_never_faster_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let this = env!("CARGO_BIN_EXE_fathom");
    let both =
        ["-w", "autoenc", "-m", "infer", "--time", "0.05", "--min-samples", "3", "--no-profile"];
    let arguments =
        [&["ab", this, this, "--repeat", "2", "-o", "json", "--explain", "--"], &both[..]].concat();
    let (data, messages) = told(folder.path(), &arguments, 0);
    let rows: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{data}");
    let ids = |key: &str| rows[0][key].as_str().unwrap().split(' ').count();
    assert_eq!((ids("base_records"), ids("new_records")), (2, 2), "{data}");
    assert!(messages.contains("records  "), "{messages}");
    // By name: in turns, so that each began after the one before it.
    let kept = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let created = |side: &str| {
        let files = std::fs::read_dir(kept.join(side)).unwrap();
        let mut times: Vec<_> =
            files.map(|f| Record::load(&f.unwrap().path()).unwrap().created).collect();
        times.sort();
        times
    };
    let (old, new) = (created("old"), created("new"));
    assert!(old[0] < new[0] && new[0] < old[1] && old[1] < new[1], "{old:?} {new:?}");
}

#[test]
#[cfg(unix)]
fn a_program_that_is_no_fathom_is_told_before_the_other_one_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let this = env!("CARGO_BIN_EXE_fathom");
    let (_, messages) = told(folder.path(), &["ab", this, "/none/fathom"], 10);
    assert!(messages.contains("/none/fathom"), "{messages}");
    let (_, messages) = told(folder.path(), &["ab", "/bin/true", this], 2);
    assert!(messages.contains("/bin/true kept no record"), "{messages}");
    let kept = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(kept, 0, "nothing was measured: {messages}");
}

/// Every string that looks like a number, and every count that is not whole, by its place.
fn untyped(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, item)| untyped(item, &format!("{place}/{i}"), found));
        }
        Value::Object(fields) => {
            // A command line is made of words, whatever they say.
            let figures = fields.iter().filter(|(name, _)| *name != "argv");
            figures.for_each(|(name, field)| untyped(field, &format!("{place}/{name}"), found));
        }
        Value::String(text) => {
            let digits = text.replace([',', '.', '-', '+', ' '], "");
            let looks = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
            // What a shape and a version hold are no figures of a table.
            if looks && (text.contains(',') || text.parse::<f64>().is_ok()) {
                found.push(format!("{place}: {text:?}"));
            }
        }
        Value::Number(number) => {
            let counts =
                ["batch", "cells", "parameters", "flops", "bytes", "dispatches", "calls", "index"];
            let is_count = counts.iter().any(|count| place.ends_with(&format!("/{count}")));
            if is_count && number.is_f64() {
                found.push(format!("{place}: {number}"));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

#[test]
fn numbers_are_numbers_in_the_json_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path();
    let record = write(kept, "2026-01-01T00-00-00.000000Z-good.json", REFERENCE);
    let mut larger: Value = serde_json::from_str(REFERENCE).unwrap();
    for run in larger["runs"].as_array_mut().unwrap() {
        run["batch"] = (run["batch"].as_u64().unwrap() * 2).into();
    }
    let larger = write(kept, "2026-01-02T00-00-00.000000Z-larger.json", &larger.to_string());
    let commands: &[&[&str]] = &[
        &["list", "workloads"],
        &["list", "kernels"],
        &["list", "devices"],
        &["list", "presets"],
        &["list", "games"],
        &["list", "records"],
        &["show", "autoenc"],
        &["show", "autoenc", "--program"],
        &["show", "autoenc", "--memory"],
        &["show", &record],
        &["analyze", &record, &larger, "--ops"],
        &["score", &record],
        &["compare", &record, &record],
        &["compare", &record, &record, "--across"],
        &["check", &record],
        &["-w", "autoenc", "--dry-run"],
    ];
    for command in commands {
        let (text, _) = told(kept, &[command, &["-o", "json"][..]].concat(), 0);
        let value: Value = serde_json::from_str(&text).unwrap();
        let mut found = Vec::new();
        untyped(&value, "", &mut found);
        found.truncate(5);
        assert!(found.is_empty(), "{command:?}: {found:#?}");
    }
}

#[test]
fn devices_have_an_identity_in_typed_json_and_a_gpu_can_be_required() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path();
    let (text, _) = told(kept, &["list", "devices", "-o", "json"], 0);
    let devices: Value = serde_json::from_str(&text).unwrap();
    let first = &devices[0];
    for key in ["index", "vendor", "device", "subgroup_min", "subgroup_max"] {
        assert!(first[key].is_u64(), "{key} in {first}");
    }
    for key in ["name", "backend", "driver", "type", "id"] {
        assert!(first[key].is_string(), "{key} in {first}");
    }
    assert!(first["software"].is_boolean(), "{first}");
    assert!(first["pci"].is_string() || first["pci"].is_null(), "{first}");
    let (text, _) = told(kept, &[QUICK, &["-o", "json", "-d", "0"]].concat(), 0);
    let record: Value = serde_json::from_str(&text).unwrap();
    let device = &record["device"];
    assert_eq!((&device["name"], &device["index"]), (&first["name"], &first["index"]));
    assert_eq!(device["limits"]["subgroup_min"], first["subgroup_min"]);
    if first["software"] == true {
        let (_, messages) = told(kept, &[QUICK, &["--require", "gpu"]].concat(), 3);
        assert!(messages.contains("--require gpu"), "{messages}");
    }
}

#[test]
fn cells_that_are_unsure_or_missing_fail_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path();
    let base = write(kept, "base.json", REFERENCE);
    let mut fewer = Record::parse(REFERENCE, Path::new("fewer.json")).unwrap();
    fewer.runs.remove(0);
    let fewer = write(kept, "fewer.json", &fewer.to_json().unwrap());
    let (_, messages) = told(kept, &["compare", &base, &fewer], 0);
    assert!(messages.contains("is missing from"), "{messages}");
    let (_, messages) = told(kept, &["compare", &base, &fewer, "--fail-on", "missing"], 8);
    assert!(messages.contains("seq2seq train batch 4 is missing from"), "{messages}");
    told(kept, &["compare", &base, &base, "--fail-on", "missing"], 0);
    let (text, messages) =
        told(kept, &["compare", &base, &base, "--fail-on", "slower:3%,unsure"], 8);
    assert!(
        text.contains("UNSURE on the whole") && messages.contains("are the same record"),
        "{text}{messages}"
    );
    assert!(messages.contains("fathom ab OLD NEW --repeat"), "{messages}");
    let (text, _) = told(kept, &["compare", &base, &base, "--explain"], 0);
    assert!(text.contains("Next: "), "{text}");
    told(kept, &["compare", &base, &base, "--fail-on", "faster"], 2);
    let (text, _) = told(kept, &["compare", &base, &base, "--across"], 0);
    assert!(text.contains("UNSURE") && text.contains(" .. ") && text.contains("floor"), "{text}");
}

#[test]
fn a_baseline_of_repeated_runs_is_called_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("baselines/main");
    std::fs::create_dir_all(&runs).unwrap();
    write(&runs, "1.json", REFERENCE);
    let mut again = Record::parse(REFERENCE, Path::new("again.json")).unwrap();
    again.created = "2026-11-01T10:00:00Z".into();
    write(&runs, "2.json", &again.to_json().unwrap());
    let base = write(folder.path(), "base.json", REFERENCE);
    let (text, _) = told(folder.path(), &["compare", "main", &base], 0);
    assert!(text.contains("base.json or main is faster"), "{text}");
}

#[test]
fn a_device_that_the_environment_names_is_not_asked_for_by_lists_that_need_none() {
    let folder = tempfile::tempdir().unwrap();
    for list in ["records", "games", "presets", "kernels", "devices"] {
        let mut command = fathom(folder.path(), &["list", list]);
        told_by(command.env("FATHOM_DEVICE", "7").env("FATHOM_BACKEND", "metal"), 0);
    }
}

#[test]
fn a_copy_of_a_record_is_no_run_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path();
    let sides = ["old", "new"].map(|name| {
        let side = kept.join(name);
        std::fs::create_dir(&side).unwrap();
        for copy in 0..3 {
            write(&side, &format!("{copy}.json"), REFERENCE);
        }
        side.to_str().unwrap().to_string()
    });
    // Three of a kind would be taken for three that agree, and the floor be that of repeated runs.
    let command = ["compare", &sides[0], &sides[1], "-o", "json"];
    let (compared, messages) = told(kept, &command, 0);
    let rows: Value = serde_json::from_str(&compared).unwrap();
    let of = |key: &str| rows[0][key].as_str().unwrap().split(' ').count();
    assert_eq!((of("base_records"), of("new_records")), (1, 1), "{compared}");
    assert!(rows[0]["floor"].as_f64().unwrap() >= 0.35, "{compared}");
    assert_eq!(messages.matches("it counts once").count(), 4, "{messages}");
    let page = kept.join("r.html");
    let (_, messages) = told(kept, &["report", &sides[0], "--save", page.to_str().unwrap()], 0);
    assert!(messages.contains("(1 record)"), "{messages}");
}

#[test]
fn rows_of_analyses_are_one_table_of_csv_and_say_what_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let record = write(folder.path(), "r.json", REFERENCE);
    let (text, _) = told(folder.path(), &["analyze", &record, "-o", "csv"], 0);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    let place = |name: &str| head.iter().position(|known| known == name).unwrap();
    // The reader refuses rows of another length than the head's.
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let tables: std::collections::BTreeSet<_> = rows.iter().map(|row| &row[0]).collect();
    assert!(tables.len() > 3 && tables.contains("types"), "{tables:?}");
    let id = Record::parse(REFERENCE, Path::new("r.json")).unwrap().id;
    for row in rows.iter().filter(|row| ["profile", "types", "stationarity"].contains(&&row[0])) {
        assert_eq!((&row[place("record")], &row[place("clock")]), (&*id, "timestamps"));
        assert!(["commit", "os", "device_id"].iter().all(|name| !row[place(name)].is_empty()));
    }
}

/// A device that is lost in one run of three: what is kept of the others, and what each `--on-failure` makes of it.
#[cfg(debug_assertions)]
#[test]
fn a_lost_device_costs_one_run_at_most() {
    let run = |what: &str| {
        let folder = tempfile::tempdir().unwrap();
        let runs = ["-w", "memnet,autoenc,deepq", "-m", "infer", "--on-failure", what];
        let output = fathom(folder.path(), &[&runs, &QUICK[4..]].concat())
            .env("FATHOM_LOSE_DEVICE", "autoenc")
            .output()
            .unwrap();
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        let kept = fathom::record::store::files(folder.path()).unwrap();
        let record = Record::load(kept.last().expect(&messages)).unwrap();
        let ran: Vec<_> = record.runs.iter().map(|run| run.workload.clone()).collect();
        (output.status.code(), ran, record.notes, messages)
    };
    let (code, ran, notes, messages) = run("go-on");
    assert_eq!(
        (code, &ran[..]),
        (Some(6), &["memnet".to_string(), "deepq".into()][..]),
        "{messages}"
    );
    assert!(notes.iter().any(|note| note.starts_with("failed: autoenc infer")), "{notes:?}");
    assert!(notes.iter().any(|note| note == "cut short: 2 of 3 runs were measured"), "{notes:?}");
    assert!(messages.contains("1 of 3 runs failed: autoenc infer"), "{messages}");

    let (code, ran, notes, messages) = run("retry");
    assert_eq!((code, ran.len()), (Some(0), 3), "{messages}");
    assert!(
        notes.is_empty() && messages.contains("the run is tried once more"),
        "{notes:?} {messages}"
    );

    let (code, ran, _, messages) = run("stop");
    assert_eq!((code, &ran[..]), (Some(6), &["memnet".to_string()][..]), "{messages}");
}

/// A device that never ends a submission of the second run of three: the first is kept, and nothing waits for it.
#[cfg(debug_assertions)]
#[test]
fn a_device_that_hangs_ends_the_session_and_what_was_measured_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let runs = ["-w", "memnet,autoenc,deepq", "-m", "infer", "--wait-limit", "600"];
    let mut hung = fathom(folder.path(), &[&runs, &QUICK[4..]].concat());
    let (table, messages) = told_by(hung.env("FATHOM_HANG_DEVICE", "autoenc"), 6);
    assert!(table.contains("memnet"), "{table}");
    for expected in ["autoenc infer", "did not end its work within 600s", "--wait-limit"] {
        assert!(messages.contains(expected), "no {expected} in {messages}");
    }
    let kept = fathom::record::store::files(folder.path()).unwrap();
    let record = Record::load(kept.last().unwrap()).unwrap();
    assert_eq!(record.runs.len(), 1);
    assert!(
        record.notes.iter().any(|note| note.starts_with("failed: autoenc infer")),
        "{record:?}"
    );
    assert!(record.notes.iter().any(|note| note == "cut short: 1 of 3 runs were measured"));
}
