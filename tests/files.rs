//! What the system may do to files and processes: disks that are full or read-only, paths that are missing, folders or no
//! UTF-8, two runs at once, a clock that steps back. What the user sees, and what is kept.

use std::path::Path;
use std::process::{Command, Stdio};

use fathom::record::{Record, store};
use program::{fathom, told_by};

#[path = "common/program.rs"]
mod program;

const REFERENCE: &str = include_str!("../assets/reference-tiny.json");

/// A run of a second.
const QUICK: &[&str] = &[
    "-w",
    "memnet",
    "-m",
    "infer",
    "--time",
    "0.05",
    "--min-samples",
    "3",
    "--no-verify",
    "--no-profile",
];

/// Holds what a command says against what is expected.
#[track_caller]
fn says(records: &Path, arguments: &[&str], code: i32, expected: &[&str]) {
    let (data, messages) = told_by(&mut fathom(records, arguments), code);
    let said = data + &messages;
    for word in expected {
        assert!(said.contains(word), "{arguments:?}: no {word} in {said}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(at("folder.json")).unwrap();
    for (place, expected) in [
        (at("none/r.json"), "no such folder"),
        (at("folder.json"), "it is a folder: name a file"),
        (at("r.txt"), "the extension must name a format"),
    ] {
        says(folder.path(), &["run", "--save", &place], 2, &[expected]);
    }
    let place = at("none/s");
    for command in [&["snapshot", "-w", "autoenc"][..], &["trace", "autoenc"]] {
        says(folder.path(), &[command, &["--save", &place]].concat(), 2, &["no such folder"]);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written");
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_place_and_a_full_disk_are_told_and_no_half_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("r.json");
    std::fs::write(&record, REFERENCE).unwrap();
    let record = record.to_str().unwrap();
    // Nobody may make files there, not even root.
    says(folder.path(), &["run", "--save", "/proc/r.json"], 2, &["cannot create a file in /proc"]);
    let page = ["report", record, "--save", "/proc/r.html"];
    says(folder.path(), &page, 2, &["cannot create a file in /proc"]);
    says(
        folder.path(),
        &["site", folder.path().to_str().unwrap(), "-s", "/proc/site"],
        10,
        &["cannot create /proc/site"],
    );
    let full = ["report", record, "--save", "/dev/full"];
    says(folder.path(), &full, 10, &["cannot write /dev/full", "No space left"]);
    // The screen's place is full: what was to be printed is lost, and that is said.
    for arguments in [&["show", record][..], &["--help"], &["--version"], &["show", "-h"]] {
        let output = fathom(folder.path(), arguments).stdout(full_disk()).output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(10), "{arguments:?}: {messages}");
        assert!(messages.contains("cannot write standard output"), "{messages}");
    }
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "temporary files are left");
}

#[cfg(target_os = "linux")]
fn full_disk() -> std::fs::File {
    std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn what_one_place_has_no_room_for_is_kept_in_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let has_kept = |records: &Path| {
        let baseline = records.join("baselines/b.json");
        store::files(records).unwrap().len() == 1 && Record::load(&baseline).is_ok()
    };
    std::os::unix::fs::symlink("/dev/full", at("full.csv")).unwrap();
    let (full, good) = (at("full.csv"), at("good.json"));
    let save = ["--save", full.to_str().unwrap(), "--save", good.to_str().unwrap()];
    let arguments = [QUICK, &save, &["--save-baseline", "b"]].concat();
    let (table, messages) = told_by(&mut fathom(&at("records"), &arguments), 10);
    assert!(table.contains("memnet") && messages.contains("error: cannot write"), "{messages}");
    assert!(messages.contains("record  ") && messages.contains("baseline  b"), "{messages}");
    assert_eq!(Record::load(&good).unwrap().runs.len(), 1);
    assert!(has_kept(&at("records")), "{messages}");
    let arguments = [QUICK, &["-o", "json", "--save-baseline", "b"]].concat();
    let output = fathom(&at("others"), &arguments).stdout(full_disk()).output().unwrap();
    assert_eq!(output.status.code(), Some(10));
    assert!(has_kept(&at("others")), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_run_in_which_nothing_was_measured_leaves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    let large = ["-w", "autoenc", "-m", "infer", "-b", "65536", "--limits", "webgpu"];
    says(&records, &[&large[..], &QUICK[4..]].concat(), 6, &["1 of 1 runs failed"]);
    assert!(!records.exists());
}

#[test]
fn files_that_cannot_be_read_are_not_counted_among_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let write = |day: u32, text: &str| {
        std::fs::write(folder.path().join(format!("2026-01-0{day}-r.json")), text).unwrap();
    };
    write(1, REFERENCE);
    write(2, "{");
    write(3, &REFERENCE.replace("\"llvmpipe ", "\"another "));
    write(4, "{");
    says(folder.path(), &["show", "@last"], 0, &["another", "03-r.json"]);
    says(folder.path(), &["show", "@last~1"], 0, &["01-r.json"]);
    says(folder.path(), &["show", "@last~2"], 2, &["there are only 2 records"]);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_back_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, place) = (folder.path().join("inside"), folder.path().to_str().unwrap());
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("r.json"), REFERENCE).unwrap();
    std::fs::write(inside.join("s.json"), REFERENCE).unwrap();
    for (link, to) in [("itself", "."), ("again", "inside"), ("inside/up", "..")] {
        std::os::unix::fs::symlink(to, folder.path().join(link)).unwrap();
    }
    let (checked, _) = told_by(&mut fathom(folder.path(), &["check", place, "-o", "csv"]), 0);
    assert_eq!(checked.lines().count(), 3, "headings and two files:\n{checked}");
}

#[cfg(unix)]
#[test]
fn a_name_of_two_lines_is_printed_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (record, other) = (at("two\nlines.json"), at("other.json"));
    std::fs::write(&record, REFERENCE).unwrap();
    std::fs::write(&other, REFERENCE.replace("\"llvmpipe ", "\"two\\nlines ")).unwrap();
    says(folder.path(), &["show", &other], 0, &[" - two\u{fffd}lines"]);
    let device = ["device: llvmpipe", "two\u{fffd}lines.json, two\u{fffd}lines (LLVM"];
    says(folder.path(), &["compare", &record, &other], 9, &device);
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_whose_records_have_no_place_is_printed_and_the_loss_is_said() {
    let folder = Path::new("/proc/none");
    let (table, messages) = told_by(&mut fathom(folder, QUICK), 0);
    assert!(table.contains("memnet"), "{table}");
    assert_eq!(messages.matches("the record is not kept there").count(), 1, "{messages}");
    assert!(!table.contains("@last"), "there is no such record: {table}");
    let baseline = [QUICK, &["--save-baseline", "x"]].concat();
    let what = "--save-baseline x: cannot create a file in /proc";
    says(folder, &baseline, 2, &[what]);
    says(folder, &[&baseline[..], &["--dry-run"]].concat(), 2, &[what]);
    says(folder, &["ab", "--no-fuse", "--checks on"], 2, &["ab: cannot create a file in /proc"]);
    let quiet = [QUICK, &["--quiet"]].concat();
    let (_, messages) = told_by(&mut fathom(folder, &quiet), 0);
    assert!(messages.contains("the record is not kept there"), "{messages}");
}

#[cfg(unix)]
#[test]
fn a_limit_on_a_file_s_size_is_told_and_no_half_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("r.json");
    std::fs::write(&record, REFERENCE).unwrap();
    let page = folder.path().join("page.html");
    let program = env!("CARGO_BIN_EXE_fathom");
    let limited =
        format!("ulimit -f 8; {program} report {} -s {}", record.display(), page.display());
    let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{messages}");
    assert!(messages.contains("cannot write") && messages.contains("page.html"), "{messages}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "temporary files are left");
}

#[cfg(unix)]
#[test]
fn a_name_that_is_too_long_and_a_link_are_looked_at_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let long = at(&("a".repeat(300) + ".json"));
    says(
        folder.path(),
        &["run", "--save", long.to_str().unwrap()],
        2,
        &["no file can be called so"],
    );
    let name = "b".repeat(300);
    let baseline = ["run", "--save-baseline", &name];
    says(folder.path(), &baseline, 2, &["a name has up to 250 letters"]);
    // Long enough for its number to be too much.
    let repeated = at(&("a".repeat(249) + ".json"));
    let repeated = ["run", "--repeat", "2", "--save", repeated.to_str().unwrap()];
    says(folder.path(), &repeated, 2, &["a-2.json: no file can be called so"]);
    let link = at("latest.json");
    std::os::unix::fs::symlink("gone/r.json", &link).unwrap();
    says(folder.path(), &["run", "--save", link.to_str().unwrap()], 2, &["no such folder", "gone"]);
    assert!(link.is_symlink());
}

#[cfg(target_os = "linux")]
#[test]
fn where_the_system_has_no_more_threads_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    // Their stacks do not fit: large ones, so that what is left where the next does not is room for the few pages that
    // those before it take for themselves as they begin (the standard library aborts where it cannot have them).
    let limited = format!("ulimit -v 2000000; exec {} run", env!("CARGO_BIN_EXE_fathom"));
    let mut command = Command::new("sh");
    command.args(["-c", &limited]).env("RAYON_NUM_THREADS", "64");
    command.env("RUST_MIN_STACK", (256 << 20).to_string()).env("MALLOC_ARENA_MAX", "1");
    let (_, messages) = told_by(command.env("FATHOM_RECORDS", folder.path()), 2);
    assert!(
        messages.starts_with("error: ") && messages.contains("cannot be started"),
        "{messages}"
    );
    assert!(!messages.contains(['{', '"']), "{messages}");
}

#[test]
fn a_record_does_nothing_to_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("r.json");
    let name = "\"llvmpipe\\u001b]0;title\\u0007\\u001b[31m ";
    std::fs::write(&record, REFERENCE.replace("\"llvmpipe ", name)).unwrap();
    let record = record.to_str().unwrap();
    for command in ["show", "analyze", "compare", "check"] {
        let arguments = match command {
            "compare" => vec![command, record, record],
            _ => vec![command, record],
        };
        let colours = ["--color", "always"];
        let output = fathom(folder.path(), &[&arguments[..], &colours].concat()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let acts = said.contains("\u{1b}]") || said.contains("\u{7}");
        let shown = said.contains("llvmpipe") || ["compare", "check"].contains(&command);
        assert!(shown, "{command}: {said}");
        assert!(!acts, "{command}: {said:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_record_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    says(folder.path(), &["show", "/dev/zero"], 10, &["/dev/zero: length: longer than"]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf_8_are_read_written_and_shown_as_far_as_they_can_be() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join(OsStr::from_bytes(b"caf\xe9\x1b[31m"));
    std::fs::create_dir(&odd).unwrap();
    let record = odd.join("r.json");
    std::fs::write(&record, REFERENCE).unwrap();
    let (listed, messages) = told_by(&mut fathom(&odd, &["list", "records"]), 0);
    assert!(listed.contains("llvmpipe") && messages.contains("1 record"), "{listed}{messages}");
    for said in [&listed, &messages] {
        assert!(!said.contains('\u{1b}'), "a name acts on the terminal: {said:?}");
    }
    // Where there are colours, codes are not taken out at the end.
    let (listed, messages) =
        told_by(&mut fathom(&odd, &["list", "records", "--color", "always"]), 0);
    assert!(!(listed + &messages).contains("\u{1b}[31m"), "a name acts on the terminal");
    let mut check = fathom(folder.path(), &["check"]);
    let (checked, _) = told_by(check.arg(&record), 0);
    assert!(checked.contains("sound") && !checked.contains('\u{1b}'), "{checked:?}");
    let page = odd.join("r.html");
    told_by(fathom(&odd, &["report", "@last", "--save"]).arg(&page), 0);
    assert!(page.exists());
    let out = odd.join("site");
    told_by(fathom(&odd, &["site"]).arg(&odd).arg("-s").arg(&out), 0);
    assert!(out.join("index.html").exists());
    // A record is named by a word, which may be an id: of a file that is no UTF-8 its folder has to be named.
    let mut show = fathom(folder.path(), &["show"]);
    let (_, messages) = told_by(show.arg(&record), 2);
    assert!(messages.contains("UTF-8"), "{messages}");
}

#[test]
fn two_runs_at_once_keep_a_record_each() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        fathom(folder.path(), QUICK).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let runs = [start(), start(), start()];
    for mut run in runs {
        assert_eq!(run.wait().unwrap().code(), Some(0));
    }
    let files = store::files(folder.path()).unwrap();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(Record::load(&file).unwrap().runs.len(), 1);
    }
    let all = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(all, 3, "temporary files are left");
}

#[test]
fn a_clock_that_steps_back_overwrites_nothing_and_names_go_by_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let first = Record::parse(REFERENCE, Path::new("assets/reference-tiny.json")).unwrap();
    let kept = |created: &str, seed| {
        let mut record = first.clone();
        record.created = created.into();
        record.config.seed = seed;
        store::keep(&record, folder.path()).unwrap()
    };
    let noon = kept("2026-11-26T12:00:00.5Z", 1);
    let before = kept("2026-11-26T11:00:00.5Z", 2);
    // Set back to the very moment: another run all the same.
    let mut again = first.clone();
    again.created = "2026-11-26T12:00:00.5Z".into();
    again.tool.argv = vec!["fathom".into(), "another".into()];
    let again = store::keep(&again, folder.path()).unwrap();
    assert!(noon != before && noon != again, "{noon:?} {before:?} {again:?}");
    assert_eq!(store::files(folder.path()).unwrap().len(), 3);
    let (shown, _) = told_by(&mut fathom(folder.path(), &["show", "@last~2", "-o", "json"]), 0);
    assert!(shown.contains("2026-11-26T11:00:00.5Z"), "the earliest by its own word");
}
