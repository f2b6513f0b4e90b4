//! How long a step takes in a page beside the same step by the program on the same driver: `./scripts/web --ratios`.

use std::path::{Path, PathBuf};

use fathom::compare::verdict::{BLOCKS, SEED};
use fathom::record::Record;
use fathom::stats::{Ratio, median, quantile, ratio_of_medians};
use fathom::terms::Mode;
use fathom::workload::WORKLOADS;

use super::program::{build, fathom, told_by};
use super::{DRIVER, SWIFTSHADER, column, record, visit};

/// What a page's step may take of the program's.
const MOST: f64 = 1.15;

/// How often the two take turns.
const TURNS: usize = 2;

/// Seconds of timing per run.
const TIME: &str = "0.5";

/// What each turn of a side measured.
#[derive(Default)]
struct Side {
    program: String,
    turns: Vec<Vec<f64>>,
}

impl Side {
    fn add(&mut self, record: &Record) {
        let run = record.runs.first().expect("a run of one workload in one mode");
        self.program.clone_from(&run.program);
        self.turns.push(run.timing.as_ref().expect("it was timed").step_ns.clone());
    }

    fn turns(&self) -> Vec<&[f64]> {
        self.turns.iter().map(Vec::as_slice).collect()
    }

    /// The step where the machine had nothing else to do: a tenth of all steps took no longer.
    fn quiet(&self) -> f64 {
        quantile(&self.turns.concat(), 0.1)
    }
}

/// A cell by the program: the kernels that a page runs, on the page's driver.
fn natively(workload: &str, mode: Mode, folder: &Path) -> Record {
    // Another build of the same commit, such as one for release.
    let mut native = match std::env::var_os("FATHOM_PROGRAM") {
        Some(program) => build(&program, folder, &["run"]),
        None => fathom(folder, &["run"]),
    };
    let file: PathBuf = folder.join("native.json");
    let mode = mode.to_string();
    native.args(["--workload", workload, "--mode", &mode, "--preset", "tiny", "--time", TIME]);
    native.args(["--no-profile", "--no-verify", "--checks", "on", "--without", "subgroups"]);
    native.arg("--save").arg(&file).env("VK_DRIVER_FILES", DRIVER);
    told_by(&mut native, 0);
    Record::load(&file).unwrap()
}

#[test]
#[ignore = "takes minutes of a quiet machine: ./scripts/web --ratios"]
#[expect(clippy::print_stderr, reason = "what is measured is told")]
fn a_step_takes_no_longer_in_a_page_than_by_the_program() {
    let wanted = std::env::var("FATHOM_RATIOS").unwrap_or_default();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.split(',').any(|one| one == name);
    let folder = tempfile::tempdir().unwrap();
    eprintln!("| run | page | program | ratio | 95 % | of the quiet steps | first row |");
    eprintln!("|---|---|---|---|---|---|---|");
    let mut slow = Vec::new();
    for workload in WORKLOADS.iter().filter(|workload| is_wanted(workload.name)) {
        for mode in Mode::ALL {
            let cell = format!("{} {mode}", workload.name);
            let (mut page, mut program) = (Side::default(), Side::default());
            let mut rows_ms = Vec::new();
            for _ in 0..TURNS {
                let query = format!(
                    "timed-preset=tiny&time={TIME}&workloads={}&modes={mode}",
                    workload.name
                );
                let Some(seen) = visit(&query, SWIFTSHADER) else { return };
                assert!(seen["record"].is_string(), "{cell}: {:?}", column(&seen["rows"], 3));
                page.add(&record(&seen["record"]).0);
                rows_ms.push(seen["ms"].as_f64().unwrap());
                program.add(&natively(workload.name, mode, folder.path()));
            }
            assert_eq!(page.program, program.program, "{cell}: not the same kernels");
            let Ratio { ratio, ci95 } =
                ratio_of_medians(&page.turns(), &program.turns(), BLOCKS, SEED);
            let ms = |side: &Side| median(&side.turns.concat()) / 1e6;
            let quiet = page.quiet() / program.quiet();
            eprintln!(
                "| {cell} | {:.3} ms | {:.3} ms | {ratio:.2} | {:.2} to {:.2} | {quiet:.2} | {:.1} s |",
                ms(&page),
                ms(&program),
                ci95.0,
                ci95.1,
                median(&rows_ms) / 1e3,
            );
            // Either is enough: what else the machine does slows down the one or the other.
            if ratio.min(quiet) > MOST {
                slow.push(cell);
            }
        }
    }
    assert_eq!(slow, Vec::<String>::new(), "more than {MOST} times as long as by the program");
}
