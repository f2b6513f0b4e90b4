//! A run talks while it works, and stops when it is told to: what the program prints and when, in a pipe and on a
//! terminal of 80 columns.

#![cfg(unix)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use fathom::record::Record;
use fathom::terms::Preset;
use fathom::workload::WORKLOADS;

/// Each part of a run is done, in little time.
const QUICK: &[&str] = &["--time", "0.2", "--min-samples", "3"];

fn fathom(arguments: &[&str], records: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fathom"));
    command.args(arguments).env("FATHOM_RECORDS", records).env("FATHOM_TUNE", "off");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    heeding_sighup(&mut command);
    command
}

/// Lets a program heed SIGHUP where these tests were started with `nohup`, which has them and what they start ignore it.
fn heeding_sighup(command: &mut Command) {
    #[allow(
        unsafe_code,
        reason = "declaring an import is unsafe; this one is given SIGHUP and SIG_DFL"
    )]
    unsafe extern "C" {
        safe fn signal(number: i32, action: usize) -> usize;
    }
    let default = || {
        signal(1, 0);
        Ok(())
    };
    #[allow(
        unsafe_code,
        reason = "what runs between fork and exec allocates nothing and takes no lock"
    )]
    unsafe {
        command.pre_exec(default);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A run whose output is read as it comes.
struct Talking {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    heard: String,
}

impl Talking {
    fn start(arguments: &[&str], records: &Path) -> Self {
        Self::of(&mut fathom(arguments, records))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, heard: String::new() }
    }

    /// Reads on until a line holds all of some words.
    fn until(&mut self, words: &[&str]) {
        loop {
            let line =
                self.lines.next().unwrap_or_else(|| panic!("no {words:?} in\n{}", self.heard));
            let line = line.unwrap();
            self.heard += &format!("{line}\n");
            if words.iter().all(|word| line.contains(word)) {
                return;
            }
        }
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal, by the shell's own `kill`: a small system has no program of that name.
    fn send(&self, signal: &str) {
        let kill = format!("kill {signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Sends a signal and waits for the end; returns the exit code and all that was printed.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        self.send(signal);
        let status = self.child.wait().unwrap();
        for line in self.lines {
            self.heard += &format!("{}\n", line.unwrap());
        }
        (status.code(), self.heard)
    }
}

/// The records in a folder.
fn kept(folder: &Path) -> Vec<Record> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let records = files.filter(|path| path.extension().is_some_and(|e| e == "json"));
    records.map(|path| Record::load(&path).unwrap()).collect()
}

#[test]
fn a_row_appears_when_its_run_ends_in_every_form_that_has_rows() {
    for (form, row) in [
        ("table", ["autoenc", "infer"]),
        ("md", ["| autoenc", "infer"]),
        ("csv", ["autoenc", "infer"]),
        ("jsonl", ["\"autoenc\"", "\"infer\""]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let what = ["-w", "autoenc", "-m", "infer", "-b", "1..4", "-o", form];
        let mut run = Talking::start(&[&what, QUICK].concat(), folder.path());
        run.until(&row);
        assert!(run.is_running(), "{form}: the first row came with the last");
        let (_, heard) = run.stop("-INT");
        assert!(heard.contains("autoenc"), "{form}: {heard}");
    }
}

/// The shaders, of which those of convolutions can be begun to be read, but never end.
struct Endless(tempfile::TempDir);

impl Endless {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shaders = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/.");
        let copied = Command::new("cp").arg("-r").arg(shaders).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        let endless = Self(folder);
        std::fs::remove_file(endless.pipe()).unwrap();
        assert!(Command::new("mkfifo").arg(endless.pipe()).status().unwrap().success());
        endless
    }

    fn pipe(&self) -> PathBuf {
        self.0.path().join("conv2d/operands.wgsl")
    }

    /// A run of autoenc, then of residual, at the moment when the second is stuck for ever. The pipe has to live as long.
    fn stuck(&self, form: &str, records: &Path) -> (Talking, File) {
        let what = ["-w", "autoenc,residual", "-m", "infer", "-o", form];
        let mut command = fathom(&[&what, QUICK].concat(), records);
        let run = Talking::of(command.env("FATHOM_SHADERS", self.0.path()));
        // Opened once the other side reads.
        (run, File::options().write(true).open(self.pipe()).unwrap())
    }
}

#[test]
fn ctrl_c_sigterm_and_sighup_end_a_run_that_is_stuck_and_keep_the_finished_cells() {
    let shaders = Endless::new();
    for (signal, form) in [("-INT", "table"), ("-TERM", "csv"), ("-HUP", "csv")] {
        let folder = tempfile::tempdir().unwrap();
        let (run, _pipe) = shaders.stuck(form, folder.path());
        let (code, heard) = run.stop(signal);
        assert_eq!(code, Some(130), "{signal}: {heard}");
        let records = kept(folder.path());
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].runs.len(), 1);
        assert_eq!(records[0].notes, ["cut short: 1 of 2 runs were measured"]);
        assert_eq!(heard.contains("cut short: 1 of 2"), form == "table", "{heard}");
    }
}

#[test]
fn what_nohup_starts_goes_on_when_its_terminal_is_closed() {
    let (shaders, folder) = (Endless::new(), tempfile::tempdir().unwrap());
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_fathom")).args(["-w", "residual", "-m", "infer"]).args(QUICK);
    command.env("FATHOM_RECORDS", folder.path()).env("FATHOM_SHADERS", shaders.0.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = Talking::of(&mut command);
    // Stuck for ever once the other side reads.
    let _pipe = File::options().write(true).open(shaders.pipe()).unwrap();
    run.send("-HUP");
    // Twice as long as a run that heeds it takes to end.
    std::thread::sleep(Duration::from_millis(1500));
    assert!(run.is_running(), "ended by a signal that it was told to ignore");
    let (code, heard) = run.stop("-TERM");
    assert_eq!(code, Some(130), "{heard}");
}

#[test]
fn json_that_is_cut_short_is_still_a_record() {
    let (shaders, folder) = (Endless::new(), tempfile::tempdir().unwrap());
    let (run, _pipe) = shaders.stuck("json", folder.path());
    assert_eq!(kept(folder.path()).len(), 1, "kept as soon as the first run has ended");
    let (code, heard) = run.stop("-INT");
    assert_eq!(code, Some(130));
    let record = Record::parse(&heard, Path::new("standard output")).unwrap();
    assert_eq!(record.runs.len(), 1);
    assert!(record.notes[0].starts_with("cut short: 1 of 2"), "{:?}", record.notes);
}

#[test]
fn ctrl_c_before_anything_is_measured_leaves_nothing() {
    for after in [200, 1200] {
        let folder = tempfile::tempdir().unwrap();
        let run = Talking::start(&["-w", "residual"], folder.path());
        std::thread::sleep(Duration::from_millis(after));
        let (code, heard) = run.stop("-INT");
        assert_eq!(code, Some(130), "{heard}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn bench_keeps_the_rows_it_has() {
    for form in ["table", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let saved = folder.path().join("b.csv");
        let save = saved.to_str().unwrap();
        let arguments = ["bench", "matmul", "--all", "--time", "0.05", "-o", form, "--save", save];
        let mut bench = Talking::start(&arguments, folder.path());
        if form == "table" {
            bench.until(&["matmul/"]);
        } else {
            // Long enough for the ceilings and a kernel or two.
            std::thread::sleep(Duration::from_secs(20));
        }
        assert!(bench.is_running(), "there are many kernels: {}", bench.heard);
        let (code, heard) = bench.stop("-INT");
        assert_eq!(code, Some(130), "{heard}");
        assert!(heard.contains("matmul/"), "{form}: {heard}");
        let csv = std::fs::read_to_string(&saved).unwrap();
        assert!(
            csv.lines().next().is_some_and(|head| head.contains(",kernel,case,check,time_ns"))
                && csv.lines().count() > 1,
            "{csv}"
        );
    }
}

/// A step that fails amid training: the rows before it are printed and kept all the same.
#[cfg(debug_assertions)]
#[test]
fn train_keeps_the_rows_it_has() {
    for (workload, nth) in [("autoenc", "600"), ("deepq", "400")] {
        let folder = tempfile::tempdir().unwrap();
        let saved = folder.path().join("t.csv");
        let game: &[&str] = if workload == "deepq" { &["--env", "catch"] } else { &[] };
        let what = ["train", "-w", workload, "--preset", "tiny", "--steps", "50", "--every", "1"];
        let how = ["-o", "json", "--save", saved.to_str().unwrap()];
        let mut command = fathom(&[&what[..], game, &how].concat(), folder.path());
        let output = command.env("FATHOM_REFUSE_ALLOCATION", nth).output().unwrap();
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{messages}");
        let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&messages);
        let rows = rows.as_array().unwrap();
        assert!((1..50).contains(&rows.len()) && rows[0]["step"] == 1, "{rows:?}");
        let csv = std::fs::read_to_string(&saved).unwrap();
        assert_eq!(csv.lines().count(), 1 + rows.len(), "{csv}");
    }
}

fn ran(arguments: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = fathom(arguments, folder.path()).output().unwrap();
    let messages = text(&output.stderr);
    (output, messages)
}

#[test]
fn a_run_tells_how_long_it_may_take_and_ends_with_its_score() {
    let (output, messages) = ran(&[&["-w", "autoenc", "-m", "infer"], QUICK].concat());
    assert!(messages.contains("1 run, up to about "), "{messages}");
    let shown = text(&output.stdout);
    assert!(!shown.contains("FLOP per step"), "op tables are shown on demand:\n{shown}");
    let last = shown.lines().last().unwrap();
    assert!(last.starts_with("no score: ") && last.contains("of the 16 runs"), "{shown}");
    let (output, _) = ran(&[&["-w", "autoenc", "-m", "infer", "--ops"], QUICK].concat());
    let shown = text(&output.stdout);
    assert!(shown.contains("FLOP per step") && shown.contains("= a profiled step of"), "{shown}");
}

#[test]
fn a_dry_run_counts_every_part_and_names_the_batch_that_fits() {
    let (output, messages) = ran(&["--dry-run", "-w", "autoenc"]);
    assert!(output.status.success(), "{messages}");
    for part in ["in all up to about", "ceilings", "building", "verifying", "timing", "profiling"] {
        assert!(messages.contains(part), "no {part} in {messages}");
    }
    assert!(!messages.contains("tuning"), "it is off: {messages}");
    let (_, messages) = ran(&["--dry-run", "-w", "autoenc,deepq", "--tune", "quick"]);
    assert!(messages.contains(": tuning 20 s, ceilings"), "{messages}");
    let (output, messages) = ran(&["--dry-run", "-w", "autoenc", "-b", "1,65536"]);
    assert_eq!(output.status.code(), Some(6), "{messages}");
    assert!(messages.contains("the largest batch that fits is "), "{messages}");
    let shown = text(&output.stdout);
    assert!(shown.contains(" no ") && shown.contains(" yes "), "{shown}");
}

#[test]
fn a_dry_run_needs_no_device() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = fathom(&["--dry-run", "-w", "autoenc"], folder.path());
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        command.env(variable, folder.path().join("none.json"));
    }
    let output = command.output().unwrap();
    let messages = text(&output.stderr);
    if !messages.contains("no device found") && messages.contains("dry run") {
        return; // A device of another interface than Vulkan.
    }
    assert!(output.status.success(), "{messages}");
    assert!(messages.contains("planned for what WebGPU promises everywhere"), "{messages}");
    assert!(text(&output.stdout).contains("full"), "{}", text(&output.stdout));
}

#[test]
fn what_does_not_apply_is_an_error_at_once_that_names_the_workload() {
    let cases: [(&[&str], &[&str]); 14] = [
        (&["train", "-w", "autoenc", "--show"], &["--show: autoenc cannot", "seq2seq and memnet"]),
        (&["train", "-w", "deepq", "--show"], &["--show: deepq cannot show samples"]),
        (&["-w", "seq2seq", "--bucket", "mixed"], &["expected a bucket from 0 to 3"]),
        (&["-w", "seq2seq", "--set", "bucket=4"], &["choose one from 0 to 3"]),
        (
            &["snapshot", "-w", "seq2seq", "--bucket", "mixed", "--save", "s.safetensors"],
            &["only train takes all of them"],
        ),
        (&["trace", "seq2seq", "--set", "bucket=4"], &["only train takes all of them"]),
        (&["-w", "vgg", "--bucket", "1"], &["--bucket: vgg", "seq2seq"]),
        (&["--dry-run", "-w", "seq2seq,vgg", "--bucket", "1"], &["--bucket: vgg"]),
        (&["train", "-w", "memnet", "--bucket", "1"], &["--bucket: memnet"]),
        (&["-w", "speech", "--env", "catch"], &["--env: speech plays no game; deepq does"]),
        (&["-w", "deepq", "--env", "chess"], &["unknown game 'chess'"]),
        (&["-w", "deepq", "--data", "x"], &["--data x: deepq learns by playing"]),
        (&["train", "-w", "deepq", "--data", "x"], &["--data x: deepq learns by playing"]),
        (&["--dry-run", "-w", "vgg", "--set", "hidden=3"], &["vgg: there is no size 'hidden'"]),
    ];
    for (arguments, expected) in cases {
        let (output, messages) = ran(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {messages}");
        for expected in expected {
            assert!(messages.contains(expected), "{arguments:?}: {messages}");
        }
        assert!(!messages.contains("up to about"), "{arguments:?} began: {messages}");
        assert!(output.stdout.is_empty(), "{arguments:?} began: {}", text(&output.stdout));
    }
    let (output, messages) = ran(&["--dry-run", "-w", "autoenc", "--data", "/no/such/folder"]);
    assert_eq!(output.status.code(), Some(10), "{messages}");
}

/// What a command prints on a terminal of some size; nothing where there is no `script` to make one.
#[expect(clippy::print_stderr, reason = "a test that is skipped has to say so")]
fn on_terminal(arguments: &str, columns: u32) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_fathom");
    let line = format!("stty cols {columns} rows 0; {program} {arguments}");
    let script = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("FATHOM_RECORDS", "/nonexistent")
        .env("FATHOM_TUNE", "off")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut script) = script else {
        eprintln!(
            "SKIPPED: there is no `script` here to make a terminal with (apt install bsdutils)"
        );
        return None;
    };
    let mut printed = Vec::new();
    script.stdout.take().unwrap().read_to_end(&mut printed).unwrap();
    script.wait().unwrap();
    Some(text(&printed).replace('\r', ""))
}

/// A line as it is seen: a style begins with ESC and ends with m.
fn without_styles(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |seen, part| seen + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// Printed words that no table may break.
const WHOLE: [&str; 4] = ["workload", "seq2seq", "residual", "infer"];

#[test]
fn every_table_topic_note_and_refusal_fits_80_columns_and_a_terminal_that_does_not_know_its_size_has_80()
 {
    let record = "assets/reference-tiny.json";
    for command in [
        "list workloads".to_string(),
        "list kernels".to_string(),
        "list games".to_string(),
        "show speech --preset tiny".to_string(),
        "show autoenc --preset tiny -m infer --memory".to_string(),
        "help run".to_string(),
        "help measuring".to_string(),
        "help record".to_string(),
        format!("compare {record} {record}"),
        format!("compare {record} {record} --across"),
        format!("compare {record} {record} --explain"),
        format!("compare {record} {record} --ops"),
        format!("check {record} Cargo.toml"),
        format!("score {record} --reference tests/cli/record.json"),
        "show nosuch".to_string(),
        "--set hidden".to_string(),
        "run --save r.txt".to_string(),
        "help".to_string(),
        "help compare".to_string(),
        format!("analyze {record}"),
        format!("analyze profile {record} --ops"),
    ] {
        for columns in [80, 0] {
            let Some(shown) = on_terminal(&command, columns) else {
                return;
            };
            assert!(shown.lines().count() > 2, "{command}: {shown}");
            assert!(!shown.contains('\u{fffd}'), "a control character: {command}: {shown}");
            for line in shown.lines() {
                assert!(without_styles(line).chars().count() <= 80, "{command}: {line:?}");
                assert!(!line.contains('\u{fffd}'), "{command}: {line:?}");
            }
            if command.starts_with("compare") || command.starts_with("analyze") {
                let whole = |word: &str| shown.split_whitespace().any(|found| found == word);
                let broken: Vec<_> = WHOLE[1..3].iter().filter(|word| !whole(word)).collect();
                assert!(broken.is_empty(), "{command}: {broken:?} in\n{shown}");
            }
        }
    }
}

/// A command line that is refused, or asks for help, has not been read: `--color` holds all the same.
#[test]
fn help_and_refusals_are_as_colourful_as_asked() {
    let has_styles = |arguments: &str| Some(on_terminal(arguments, 80)?.contains('\u{1b}'));
    for (arguments, expected) in [
        ("--color never --time 0", false),
        ("--color=never --help", false),
        ("--time 0", true),
        ("--help", true),
    ] {
        let Some(found) = has_styles(arguments) else { return };
        assert_eq!(found, expected, "{arguments}");
    }
}

#[test]
fn markdown_and_pipes_are_as_wide_as_they_are() {
    let (output, _) = ran(&["list", "workloads", "-o", "md"]);
    let shown = text(&output.stdout);
    let rows = Preset::ALL.len() * WORKLOADS.len();
    assert_eq!(shown.lines().count(), 2 + rows, "a line a row:\n{shown}");
    let Some(terminal) = on_terminal("list workloads -o md", 80) else {
        return;
    };
    assert_eq!(terminal, shown);
}
