//! Makes the records an analysis needs where none is named.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::host;
use crate::measure::sample::interrupted;
use crate::record::Record;
use crate::report::section::{ANALYSES, Analysis, Sample};
use crate::terms::{Checks, LimitSet, Mode, Restriction, workers};
use crate::workload::WORKLOADS;

use super::super::args::{Requirement, preset_or_default};
use super::super::range::values;
use super::super::run::choose::choose;
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
    output::note(
        &wanted.out,
        &format!(
            "no record given: first {}, as `fathom run` would",
            if wanted.workload.is_empty() {
                "running all workloads"
            } else {
                "running the selected workloads"
            }
        ),
    );
    if chosen.is_none() {
        output::note(
            &wanted.out,
            "for op times against threads and batch size, use `fathom analyze scaling`",
        );
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
    let samples =
        chosen.map_or(ANALYSES.map(|analysis| analysis.sample).to_vec(), |a| vec![a.sample]);
    if args.run.no_profile && samples != [Sample::Timed] {
        return Err(Error::Usage(
            "--no-profile leaves nothing to analyze but the modes: use `fathom analyze modes`"
                .into(),
        ));
    }
    let mut wanted = args.run.clone();
    for sample in &samples {
        if let Sample::Profiled(steps) = sample {
            wanted.min_samples = wanted.min_samples.max(*steps as u32);
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
        [one] => counted(*one),
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
    // What is wrong with the command line should show before the first process is started.
    choose(&wanted, preset_or_default(wanted.preset, None))?;
    announce(args, &wanted);
    let threads = values(&args.threads);
    let mut records = Vec::new();
    let progress = progress::Progress::new(&wanted.out, "threads");
    for (i, &count) in threads.iter().enumerate() {
        progress.say(&format!("[{}/{}] {}", i + 1, threads.len(), counted(count)));
        progress.set(i as f64 / threads.len() as f64);
        match with_threads(&wanted, count) {
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
        if interrupted() {
            return Err(Error::Interrupted);
        }
    }
    drop(progress);
    wanted.batch = args.batches.clone();
    let (record, outcome) = run::record(&wanted)?;
    records.push(record);
    Ok((records, outcome))
}

/// One run in a process of its own: the driver reads the number of its threads once, at its start.
fn with_threads(args: &RunArgs, threads: usize) -> Result<Record> {
    let program = std::env::current_exe().map_err(Error::io("read", "the program's own path"))?;
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let saved = folder.path().join("record.json");
    // A pipe would be full before the end of what some drivers and RUST_LOG say.
    let said = folder.path().join("said");
    let stderr = File::create(&said).map_err(Error::io("create", &said))?;
    let mut child = Command::new(&program)
        .env("LP_NUM_THREADS", workers(threads).to_string())
        .arg("run")
        .args(options(args))
        .args(["--color", "never", "--save"])
        .arg(&saved)
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .map_err(Error::io("run", &program))?;
    let status = child::wait(&mut child, &program)?;
    let why = || -> Result<String> {
        let said = host::read(&said)?;
        Ok(format!("with {}: {}", counted(threads), message(&String::from_utf8_lossy(&said))))
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

fn counted(threads: usize) -> String {
    if threads == 1 { "1 thread".into() } else { format!("{threads} threads") }
}

/// The options of `run` as command-line arguments; the device is a CPU adapter unless one is named.
fn options(args: &RunArgs) -> Vec<String> {
    let modes: Vec<&str> = args.mode.iter().map(|mode| mode.name()).collect();
    let device = args.device.device.as_deref().unwrap_or("llvmpipe");
    let path = args.data.data.as_ref().map(ToString::to_string);
    let preset = args.preset.map(crate::terms::Preset::name);
    let require = args.device.require.map(|Requirement::Gpu| "gpu");
    let checks = (args.device.checks == Checks::On).then_some("on");
    let Restriction { limits, without } = args.device.restriction.restriction();
    let limits = (limits != LimitSet::Device).then_some(limits.name());
    let without: Vec<&str> = without.iter().map(|feature| feature.name()).collect();
    let without = Some(without.join(",")).filter(|names| !names.is_empty());
    let given = [
        ("--workload", Some(args.workload.join(","))),
        ("--mode", Some(modes.join(","))),
        ("--device", Some(device.to_string())),
        ("--backend", args.device.backend.clone()),
        ("--require", require.map(String::from)),
        ("--wait-limit", args.device.wait_limit.map(|seconds| seconds.to_string())),
        ("--checks", checks.map(String::from)),
        ("--limits", limits.map(String::from)),
        ("--without", without),
        ("--tune", args.tune.map(|effort| effort.to_string())),
        ("--on-failure", Some(args.on_failure.to_string())),
        ("--data", path),
        ("--env", args.data.game.clone()),
        ("--preset", preset.map(String::from)),
        ("--bucket", args.bucket.map(|bucket| bucket.to_string())),
        ("--time", Some(args.time.to_string())),
        ("--max-noise", Some(args.max_noise.to_string())),
        ("--min-samples", Some(args.min_samples.to_string())),
        ("--queue-depth", Some(args.queue_depth.to_string())),
        ("--precision", Some(args.precision.precision.to_string())),
        ("--seed", Some(args.seed.to_string())),
        ("--output", Some("csv".to_string())),
    ];
    let pairs = given.into_iter().filter_map(|(flag, value)| Some((flag, value?)));
    let set = args.set.iter().map(|(key, value)| ("--set", format!("{key}={value}")));
    let variants = args.variant.iter().map(|label| ("--variant", label.clone()));
    let flags = [
        ("--quiet", true),
        ("--no-fuse", args.no_fuse),
        ("--no-verify", args.no_verify),
        ("--no-profile", args.no_profile),
        ("--allow-noncompliant", args.device.allow_noncompliant),
        ("--skip-bad", args.data.skip_bad),
    ];
    let flags = flags.into_iter().filter(|(_, on)| *on).map(|(flag, _)| flag.to_string());
    pairs
        .chain(set)
        .chain(variants)
        .flat_map(|(flag, value)| [flag.to_string(), value])
        .chain(flags)
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command as Asked};

    #[test]
    fn a_process_of_its_own_gets_the_same_options() {
        let line = "fathom run -w deepq,memnet -m train,infer -d llvm --backend vulkan --checks on --preset tiny \
                    --limits webgpu --without subgroups,timestamps --tune full --on-failure retry --variant matmul/register \
                    --time 0.5 --max-noise 2 --min-samples 7 --seed 3 --set hidden=8 --no-fuse --no-verify \
                    --env catch --skip-bad --data some/where -q -o csv \
                    --bucket 1 --require gpu --wait-limit 60.5 --allow-noncompliant --no-profile";
        let parse = |words: Vec<String>| match Cli::parse_from(words).command {
            Some(Asked::Run(args)) => args,
            other => panic!("{other:?}"),
        };
        let args = parse(line.split_whitespace().map(String::from).collect());
        let again = ["fathom", "run"].map(String::from).into_iter();
        let again = parse(again.chain(options(&args)).collect());
        assert_eq!(format!("{again:?}"), format!("{args:?}"));
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
