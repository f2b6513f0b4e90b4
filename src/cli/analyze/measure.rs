//! Makes the records an analysis needs where none is named.

use std::ffi::OsString;
use std::fs::File;
use std::process::{Command, Stdio};

use clap::Args;

use crate::error::{Error, Result};
use crate::host;
use crate::measure::sample::going_on;
use crate::record::Record;
use crate::report::section::{ANALYSES, Analysis, Sample};
use crate::terms::{Mode, counted, workers};
use crate::workload::WORKLOADS;

use super::super::given::Given;
use super::super::range::values;
use super::super::run::choose::check;
use super::super::run::{self, RunArgs};
use super::super::{child, output, progress};
use super::AnalyzeArgs;

/// Records for an analysis, or for all, and how the last run ended: what was measured before is analyzed
/// anyway.
pub(super) fn records(
    args: &AnalyzeArgs,
    chosen: Option<&Analysis>,
) -> Result<(Vec<Record>, Result<()>)> {
    let wanted = wanted(args, chosen)?;
    if is_scaling(chosen) {
        return scaling(args, wanted);
    }
    let which = if wanted.workload.is_empty() { "all" } else { "the selected" };
    let text = format!("no record given: first running {which} workloads, as `fathom run` would");
    output::note(&wanted.out, &text);
    if chosen.is_none() {
        let text = "for op times against threads and batch size, use `fathom analyze scaling`";
        output::note(&wanted.out, text);
    }
    let (record, outcome) = run::record(&wanted)?;
    Ok((vec![record], outcome))
}

/// Says what would be run for them.
pub(super) fn dry_run(args: &AnalyzeArgs, chosen: Option<&Analysis>) -> Result<()> {
    let mut wanted = wanted(args, chosen)?;
    if is_scaling(chosen) {
        announce(args, &wanted);
        wanted.batch = args.batches.clone();
    }
    run::execute(&wanted)
}

fn is_scaling(chosen: Option<&Analysis>) -> bool {
    chosen.is_some_and(|analysis| analysis.sample == Sample::Varied)
}

/// The runs that an analysis needs, or all of them.
fn wanted(args: &AnalyzeArgs, chosen: Option<&Analysis>) -> Result<RunArgs> {
    let analyses = chosen.map_or_else(|| ANALYSES.to_vec(), |analysis| vec![analysis]);
    let is_timed = |analysis: &&Analysis| analysis.sample == Sample::Timed;
    if args.run.no_profile && !analyses.iter().all(is_timed) {
        let left = ANALYSES.iter().copied().filter(is_timed);
        let left: Vec<_> = left.map(|left| format!("`fathom analyze {}`", left.name)).collect();
        return Err(Error::Usage(format!(
            "--no-profile leaves out the profile that the analysis needs; these need none: {}",
            left.join(" and ")
        )));
    }
    let mut wanted = args.run.clone();
    for analysis in &analyses {
        if let Sample::Profiled(steps) = analysis.sample {
            wanted.min_samples = wanted.min_samples.max(steps);
        }
    }
    if is_scaling(chosen) && wanted.workload.is_empty() {
        let scaled = WORKLOADS.iter().filter(|w| w.scales);
        wanted.workload = scaled.map(|w| w.name.to_string()).collect();
    }
    if is_scaling(chosen) && wanted.mode.is_empty() {
        wanted.mode = vec![Mode::Train];
    }
    Ok(wanted)
}

/// Says with how many threads, and at which batch sizes.
fn announce(args: &AnalyzeArgs, wanted: &RunArgs) {
    let list = |values: &[usize]| values.iter().map(usize::to_string).collect::<Vec<_>>();
    let threads = match values(&args.threads).as_slice() {
        [one] => counted(*one, "thread"),
        several => format!("{} threads, each in a process of its own", list(several).join(" and ")),
    };
    let batches = list(&values(&args.batches));
    let sizes = if batches.len() == 1 { "batch size" } else { "batch sizes" };
    let text = format!(
        "no record given: {} with {threads}, then at {sizes} {}",
        wanted.workload.join(", "),
        batches.join(", ")
    );
    output::note(&wanted.out, &text);
}

fn scaling(args: &AnalyzeArgs, mut wanted: RunArgs) -> Result<(Vec<Record>, Result<()>)> {
    check(&wanted)?;
    announce(args, &wanted);
    let threads = values(&args.threads);
    let words = words(&args.given, &wanted);
    let mut records = Vec::new();
    let progress = progress::Progress::new(&wanted.out, "threads");
    for (i, &count) in threads.iter().enumerate() {
        let label = format!("[{}/{}] {}", i + 1, threads.len(), counted(count, "thread"));
        progress.show(&label, i as f64 / threads.len() as f64);
        match with_threads(&words, count) {
            Ok(record) if record.host.threads == Some(workers(count)) => records.push(record),
            Ok(record) => {
                let text = format!(
                    "{} ignores the thread count, so only the batch size is varied (Mesa's llvmpipe honours it)",
                    record.device.name
                );
                output::note(&wanted.out, &text);
                break;
            }
            Err(Error::Device(why)) => {
                let text = format!(
                    "no CPU adapter to vary threads on, so only the batch size is varied: {why}"
                );
                output::note(&wanted.out, &text);
                break;
            }
            Err(other) => return Err(other),
        }
        going_on()?;
    }
    drop(progress);
    wanted.batch = args.batches.clone();
    let (record, outcome) = run::record(&wanted)?;
    records.push(record);
    Ok((records, outcome))
}

/// One run in a process of its own: the driver reads the number of its threads once, at its start.
fn with_threads(words: &[OsString], threads: usize) -> Result<Record> {
    let program = std::env::current_exe().map_err(Error::io("read", "the program's own path"))?;
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let saved = folder.path().join("record.json");
    // A pipe would be full before the end of what some drivers and RUST_LOG say.
    let said = folder.path().join("said");
    let stderr = File::create(&said).map_err(Error::io("create", &said))?;
    let mut command = Command::new(&program);
    command
        .env("LP_NUM_THREADS", workers(threads).to_string())
        .arg("run")
        .args(words)
        .arg("--save")
        .arg(&saved)
        .stdout(Stdio::null())
        .stderr(stderr);
    let status = child::run(&mut command)?;
    let why = || -> Result<String> {
        let said = host::read(&said)?;
        Ok(format!(
            "with {}: {}",
            counted(threads, "thread"),
            message(&String::from_utf8_lossy(&said))
        ))
    };
    match status.code() {
        Some(0) => Record::load(&saved),
        Some(3) => Err(Error::Device(why()?)),
        Some(130) => Err(Error::Interrupted),
        Some(code) => Err(Error::Run { code: u8::try_from(code).unwrap_or(1), text: why()? }),
        None => Err(Error::Internal(format!("{} ({status})", why()?))),
    }
}

/// The error that a program ended with, without what it and its driver said before; its last line where it has none.
fn message(said: &str) -> &str {
    let begins_line = |at: &usize| *at == 0 || said[..*at].ends_with('\n');
    let error = said.rmatch_indices("error: ").map(|(at, _)| at).find(begins_line);
    match error {
        Some(at) => said[at..].trim_start_matches("error: ").trim(),
        None => said.lines().last().unwrap_or("it said nothing"),
    }
}

/// Options of `run` that are settled here, or whose work is this process's own.
const OWN: &str =
    "workload mode batch device repeat dry_run save save_baseline ops output quiet verbose color";

/// The options for a process of its own, which reads the environment itself; the device is a CPU adapter unless one is
/// named.
fn words(given: &Given, wanted: &RunArgs) -> Vec<OsString> {
    let modes: Vec<_> = wanted.mode.iter().map(|mode| mode.name()).collect();
    let device = wanted.device.device.as_deref().unwrap_or("llvmpipe");
    let mut words = given.words(&RunArgs::augment_args(clap::Command::new("run")), OWN);
    words.extend(["--quiet", "--color=never", "--output=csv"].map(OsString::from));
    words.push(format!("--workload={}", wanted.workload.join(",")).into());
    words.push(format!("--mode={}", modes.join(",")).into());
    words.push(format!("--device={device}").into());
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command as Asked};

    #[test]
    fn a_process_of_its_own_gets_the_same_options() {
        let line = "-w deepq,memnet -m train,infer -d llvm --backend vulkan --checks on --preset tiny \
                    --limits webgpu --without subgroups,timestamps --tune full --on-failure retry --variant matmul/register \
                    --time 0.5 --max-noise 2 --min-samples 7 --seed 3 --set hidden=8 --no-fuse --no-verify \
                    --env catch --skip-bad --data some/where -q -o csv --color never \
                    --bucket 1 --require gpu --wait-limit 60.5 --allow-noncompliant --no-profile";
        let asked = ["fathom", "analyze", "scaling"].into_iter().chain(line.split_whitespace());
        let Some(Asked::Analyze(args)) = Cli::parse_from(asked).command else { panic!("{line}") };
        let again = ["fathom", "run"].map(OsString::from).into_iter();
        let again = again.chain(words(&args.given, &args.run));
        let Some(Asked::Run(again)) = Cli::parse_from(again).command else { panic!("{line}") };
        assert_eq!(format!("{again:?}"), format!("{:?}", args.run));
    }

    #[test]
    fn of_all_that_a_process_says_its_error_is_handed_on() {
        assert_eq!(
            message("a driver's error: x\nerror: --data: error: no\nsuch\n"),
            "--data: error: no\nsuch"
        );
        assert_eq!(message("error: it failed"), "it failed");
        assert_eq!(message("debug\nfree(): invalid size\n"), "free(): invalid size");
    }
}
