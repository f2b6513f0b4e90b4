//! One number for a device: how much faster than the reference it runs the suite's workloads in both modes.
//!
//! Sees records only. The score of a workload in one mode is 1000 times the reference's time over its own, that of
//! a device the geometric mean over all of them; a device that lacks one has none. Only settled runs count, of the
//! device and of the reference: a score is no better known than the steps it is made of, and says how well.

use crate::compare::verdict::{BLOCKS, SEED};
use crate::compare::{Alike, Side, keys, keys_of, machine, runs, samples, step_ns, unlike};
use crate::error::{Error, Result};
use crate::record::{Record, Run, RunKey, ShaderSource};
use crate::stats::{geometric_mean, mean, median, ratio_of_medians};
use crate::terms::{Checks, Mode, Precision, Restriction, each_once};

/// What the reference scores.
pub const UNIT: f64 = 1000.0;

/// Half-width of the median step's 95 % interval, as a share of it, up to which a run counts: the mean of sixteen such
/// runs is known four times as well.
pub const SETTLED: f64 = 0.05;

pub mod fitness;
mod reference;

#[cfg(target_arch = "wasm32")]
pub use reference::give;
pub use reference::{PRESETS, committed};

/// A run's score.
#[derive(Debug, Clone, PartialEq)]
pub struct RunScore {
    /// What was run.
    pub key: RunKey,
    /// Its step.
    pub step_ns: f64,
    /// The reference's step.
    pub reference_ns: f64,
    /// [`UNIT`] times the one over the other.
    pub score: f64,
    /// 95 % interval of it, as far as the samples of both tell.
    pub ci95: (f64, f64),
    /// By how much known work beside the steps was slower than the device can do it, as a logarithm.
    pub slowed: Slowed,
}

/// What the machine took from the steps of a side and from those of the reference, as logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slowed {
    /// Undisturbed, the score would be higher by this at most.
    pub side: f64,
    /// Undisturbed, the score would be lower by this at most.
    pub reference: f64,
}

impl RunScore {
    /// The interval with what the machine took from either side's steps.
    pub fn range(&self) -> (f64, f64) {
        self.slowed.widen(self.ci95)
    }
}

impl Slowed {
    fn widen(self, (low, high): (f64, f64)) -> (f64, f64) {
        (low / self.reference.exp(), high * self.side.exp())
    }
}

/// A device's scores.
#[derive(Debug, Clone)]
pub struct Score {
    /// Runs that count.
    pub runs: Vec<RunScore>,
    /// How many a whole score needs.
    pub needed: usize,
    /// Why there is no score of the whole: nothing where there is one.
    pub missing: Vec<String>,
}

impl Score {
    /// The geometric mean, where no run is missing.
    pub fn overall(&self) -> Option<f64> {
        let scores: Vec<f64> = self.runs.iter().map(|run| run.score).collect();
        self.missing.is_empty().then(|| geometric_mean(&scores))
    }

    /// What the machine took from the runs in their mean: a neighbour only ever takes, so that it does not average out.
    pub fn slowed(&self) -> Slowed {
        let mean_of = |of: fn(&Slowed) -> f64| {
            mean(&self.runs.iter().map(|run| of(&run.slowed)).collect::<Vec<_>>())
        };
        Slowed {
            side: mean_of(|slowed| slowed.side),
            reference: mean_of(|slowed| slowed.reference),
        }
    }

    /// 95 % interval of the whole: the runs' intervals, each its own, as they average out in a mean of logarithms; and with
    /// it what the machine took.
    pub fn range(&self) -> Option<(f64, f64)> {
        let overall = self.overall()?;
        let half = |run: &RunScore| (run.ci95.1 / run.ci95.0).ln() / 2.0;
        let squares: f64 = self.runs.iter().map(|run| half(run).powi(2)).sum();
        let reach = (squares.sqrt() / self.runs.len() as f64).exp();
        Some(self.slowed().widen((overall / reach, overall * reach)))
    }
}

/// Refuses a reference that lacks a run of the suite (its own workloads and these, in both modes) or holds one that
/// does not count.
///
/// # Errors
/// [`Error::Incomparable`], which names all of them.
pub fn check_reference(reference: &Side, least: &[&str]) -> Result<()> {
    let mut wrong = settings(reference);
    wrong.extend(unsound(reference));
    wrong.extend(unlike::within(reference));
    let workloads = each_once(least.iter().copied().chain(workloads(reference)));
    for (workload, mode) in suite(&workloads) {
        match keys_of(reference, workload, mode).as_slice() {
            [] => wrong.push(format!("{workload} {mode}: missing from {}", reference.name)),
            [key] => wrong.extend(not_counted(reference, key)),
            several => wrong.push(format!(
                "{workload} {mode}: {} batch sizes in {}, where there should be one",
                several.len(),
                reference.name
            )),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::Incomparable(format!(
        "{} cannot serve as a reference:\n  {}",
        reference.name,
        wrong.join("\n  ")
    )))
}

/// Scores a record by itself against the reference of its preset that this program was built with.
///
/// # Errors
/// As [`committed`].
pub fn of(record: &Record) -> Result<Score> {
    let reference = Side::of("the reference", committed(record.config.preset)?);
    Ok(score(&Side::of("this run", record.clone()), &reference))
}

/// The workloads of a reference, of which a score is made: a new one is scored once the reference has it.
pub fn workloads(reference: &Side) -> Vec<&str> {
    each_once(reference.records.iter().flat_map(|record| &record.runs).map(|run| &*run.workload))
}

/// Scores a side against a reference that [`check_reference`] let pass: over all its runs.
pub fn score(side: &Side, reference: &Side) -> Score {
    let mut missing = settings(side);
    missing.extend(unsound(side));
    missing.extend(unlike::within(side));
    missing.extend(unlike::records(reference, side, Alike::AllButDevice));
    let whole = missing.is_empty();
    let mut scored = Vec::new();
    let suite = keys(reference);
    let needed = suite.len();
    for key in suite {
        let theirs = runs(side, &key);
        if theirs.is_empty() {
            let other = unlike::batches(reference, side, &key);
            missing.push(other.unwrap_or_else(|| format!("{key}: missing")));
            continue;
        }
        let ours = runs(reference, &key);
        let mut wrong = not_counted(side, &key);
        for run in &theirs {
            let (base, other) = ((&*reference.name, ours[0]), (&*side.name, *run));
            wrong.extend(unlike::settings(&key, base, other));
            wrong.extend(unlike::clocks(&key, base, other));
        }
        // Where the records as a whole differ, no run of theirs has a score.
        if wrong.is_empty() && whole {
            let (step, unit) = (step_ns(&theirs), step_ns(&ours));
            let speedup = ratio_of_medians(&samples(&ours), &samples(&theirs), BLOCKS, SEED);
            let slowed = |side| median(&machine::slowed(side, &key));
            let slowed = Slowed { side: slowed(side), reference: slowed(reference) };
            scored.push(RunScore {
                key,
                step_ns: step,
                reference_ns: unit,
                score: UNIT * unit / step,
                ci95: (UNIT * speedup.ci95.0, UNIT * speedup.ci95.1),
                slowed,
            });
        }
        missing.extend(wrong);
    }
    missing.dedup();
    Score { runs: scored, needed, missing }
}

fn suite<'a>(workloads: &'a [&'a str]) -> impl Iterator<Item = (&'a str, Mode)> {
    workloads.iter().flat_map(|&workload| Mode::ALL.map(|mode| (workload, mode)))
}

/// Runs that are no measurement, or one that is not precise enough, and why.
fn not_counted(side: &Side, key: &RunKey) -> Vec<String> {
    let reasons = runs(side, key).into_iter().filter_map(why_not_scored);
    reasons.map(|why| format!("{key}: {why} in {}", side.name)).collect()
}

/// Why a run is no measurement, or one that is not precise enough; nothing where it counts.
pub fn why_not_scored(run: &Run) -> Option<String> {
    match (run.why_not_counted(), run.noise()) {
        (Some(why), _) => Some(why.to_string()),
        (None, Some(noise)) if noise <= SETTLED => None,
        (None, Some(noise)) => Some(format!(
            "not settled: known to {:.1} %, {:.0} % are needed (--time, --max-noise)",
            100.0 * noise,
            100.0 * SETTLED
        )),
        (None, None) => {
            Some("too few samples to know how far it is settled (--min-samples)".into())
        }
    }
}

/// What a score asks of every record.
fn settings(side: &Side) -> Vec<String> {
    let config = &side.records[0].config;
    let needs = |what: &str, found: &str, wanted: &str| {
        let text = format!("{what}: {found} in {}, but a score needs {wanted}", side.name);
        (found != wanted).then_some(text)
    };
    let used = config.restriction.to_string();
    let peer = side.records[0].tool.peer.as_ref();
    let settings = [
        needs("program", peer.map_or("fathom", |peer| peer.name.as_str()), "fathom"),
        needs("precision", config.precision.name(), Precision::F32.name()),
        // A page cannot switch them off.
        needs("bounds checks", config.checks.name(), Checks::Off.name())
            .filter(|_| side.records[0].tool.client.is_native()),
        needs("kernels", config.shaders.name(), ShaderSource::BuiltIn.name()),
        needs("used of the device", &used, &Restriction::default().to_string()),
    ];
    settings.into_iter().flatten().collect()
}

/// Records of which no figure can be believed.
fn unsound(side: &Side) -> impl Iterator<Item = String> + '_ {
    side.records.iter().filter_map(|record| {
        let why = record.integrity.warning()?;
        Some(format!("{}: {why}; repeat the run to have it scored", side.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Integrity, Reading, Status, Yardstick, example};
    use crate::terms::Preset;

    const WORKLOADS: [&str; 8] =
        ["seq2seq", "memnet", "speech", "autoenc", "residual", "vgg", "alexnet", "deepq"];

    fn side(step_ns: f64) -> Side {
        let run = |(workload, mode)| example::run(workload, mode, &[step_ns; 6]);
        let runs: Vec<_> = suite(&WORKLOADS).map(run).collect();
        Side { name: "made up".into(), records: vec![example::record(&runs)] }
    }

    #[test]
    fn the_reference_scores_a_thousand_and_half_the_time_twice_that() {
        let reference = side(100.0);
        check_reference(&reference, &WORKLOADS).unwrap();
        let same = score(&reference, &reference);
        assert_eq!(same.runs.len(), 16);
        assert!((same.overall().unwrap() - 1000.0).abs() < 1e-9);
        let mut mixed = side(50.0);
        for run in &mut mixed.records[0].runs[..8] {
            *run = example::run(&run.workload, run.mode, &[200.0; 6]);
        }
        // Eight twice as slow, eight twice as fast: 1000 in the geometric mean only.
        let mixed = score(&mixed, &reference).overall().unwrap();
        assert!((mixed - 1000.0).abs() < 1e-9, "{mixed}");
        let fast = score(&side(50.0), &reference).overall().unwrap();
        assert!((fast - 2000.0).abs() < 1e-9, "{fast}");
    }

    #[test]
    fn every_run_that_does_not_count_is_named() {
        let reference = side(100.0);
        let mut side = side(100.0);
        let runs = &mut side.records[0].runs;
        runs.remove(0); // seq2seq train
        runs[0].verified.status = Status::Unverified; // seq2seq infer
        runs[1].batch = 7; // memnet train
        runs[2].timing = None; // memnet infer
        runs[3].model.insert("hidden".into(), 7.into()); // speech train
        let score = score(&side, &reference);
        assert_eq!((score.overall(), score.runs.len()), (None, 11));
        for expected in [
            "seq2seq train batch 128: missing",
            "seq2seq infer batch 128: unverified",
            "memnet train: batch: 128 in made up, 7",
            "memnet infer batch 128: not timed",
            "speech train batch 128: model parameter hidden: 512 in made up, 7",
        ] {
            let named = score.missing.iter().any(|m| m.starts_with(expected));
            assert!(named, "no {expected} in {:#?}", score.missing);
        }
        assert_eq!(score.missing.len(), 5, "{:#?}", score.missing);
        let error = check_reference(&side, &WORKLOADS).unwrap_err();
        assert_eq!(error.exit_code(), 9);
        assert!(error.to_string().contains("seq2seq train: missing"), "{error}");
    }

    #[test]
    fn what_was_edited_or_cannot_be_proven_has_no_score_and_gives_none() {
        for integrity in [Integrity::Edited, Integrity::Unproven] {
            let reference = side(100.0);
            let mut bent = side(10.0);
            bent.records[0].integrity = integrity;
            let score = score(&bent, &reference);
            assert_eq!((score.overall(), score.runs.len()), (None, 0));
            assert!(score.missing[0].contains(integrity.warning().unwrap()), "{score:?}");
            assert_eq!(check_reference(&bent, &WORKLOADS).unwrap_err().exit_code(), 9);
        }
    }

    #[test]
    fn another_framework_has_no_score() {
        let reference = side(100.0);
        let mut peer = side(50.0);
        let (name, version, how) = ("PyTorch".into(), "2.9".into(), "eager".into());
        peer.records[0].tool.peer = Some(crate::record::Peer { name, version, how });
        let score = score(&peer, &reference);
        assert_eq!(score.overall(), None);
        assert!(score.missing[0].starts_with("program: PyTorch in made up"), "{score:?}");
    }

    #[test]
    fn the_references_that_come_with_fathom_are_intact_and_can_serve() {
        for preset in Preset::ALL {
            let reference = committed(preset).unwrap();
            assert_eq!(reference.integrity, Integrity::Intact);
            check_reference(&Side::of(preset.name(), reference), &WORKLOADS).unwrap();
        }
    }

    #[test]
    fn a_run_that_has_not_settled_does_not_count_on_either_side() {
        let reference = side(100.0);
        let mut noisy = side(50.0);
        let samples = [40.0, 50.0, 60.0, 40.0, 50.0, 60.0];
        noisy.records[0].runs[3] = example::run("memnet", Mode::Infer, &samples);
        let score = score(&noisy, &reference);
        assert_eq!((score.overall(), score.range(), score.runs.len()), (None, None, 15));
        let expected = "memnet infer batch 128: not settled: known to 20.0 %, 5 % are needed";
        assert!(score.missing[0].starts_with(expected), "{score:?}");
        let error = check_reference(&noisy, &WORKLOADS).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        // A single sample is known to no share at all.
        noisy.records[0].runs[3] = example::run("memnet", Mode::Infer, &samples[..1]);
        let missing = &super::score(&noisy, &reference).missing;
        assert!(missing[0].contains("too few samples to know"), "{missing:?}");
    }

    #[test]
    fn a_score_is_known_as_well_as_its_runs() {
        let reference = side(100.0);
        let mut spread = side(100.0);
        let steps: Vec<f64> = (0..64).map(|i| 98.5 + f64::from(i * i * 7 % 31) / 10.0).collect();
        for run in &mut spread.records[0].runs {
            *run = example::run(&run.workload, run.mode, &steps);
        }
        let score = score(&spread, &reference);
        let (low, high) = score.range().unwrap();
        let overall = score.overall().unwrap();
        assert!(low < overall && overall < high && high / low < 1.01, "{low} {overall} {high}");
        let run = &score.runs[0];
        assert!(run.ci95.0 < run.score && run.score < run.ci95.1, "{run:?}");
        assert!(high / low < run.ci95.1 / run.ci95.0, "{run:?}");
    }

    #[test]
    fn a_neighbour_beside_the_steps_of_either_side_makes_the_interval_wider_where_it_may_have_mattered()
     {
        // Known work at its ceiling before the samples, at half of it for most of them.
        let neighboured = |mut side: Side| {
            let reading = |rate| Reading { rate, spread: 0.0 };
            let halved = [1.0, 0.5, 0.5].map(reading).to_vec();
            for run in &mut side.records[0].runs[..8] {
                let yardstick = Yardstick {
                    after_samples: vec![0, 1, 6],
                    fma: halved.clone(),
                    copy: vec![reading(1.0); 3],
                    launch: vec![reading(1e9); 3],
                    ..Yardstick::default()
                };
                run.timing.as_mut().unwrap().yardstick = Some(yardstick);
            }
            side
        };
        let (quiet, busy) = (side(100.0), neighboured(side(100.0)));
        let range = |side, reference| score(side, reference).range().unwrap();
        let near = |(low, high): (f64, f64), expected: (f64, f64)| {
            assert!((low / expected.0 - 1.0).abs() < 1e-9, "{low} {high}");
            assert!((high / expected.1 - 1.0).abs() < 1e-9, "{low} {high}");
        };
        near(range(&quiet, &quiet), (1000.0, 1000.0));
        // Half of the runs by half: the mean by the root of two.
        near(range(&busy, &quiet), (1000.0, 1000.0 * 2f64.sqrt()));
        near(range(&quiet, &busy), (1000.0 / 2f64.sqrt(), 1000.0));
        let run = &score(&busy, &quiet).runs[0];
        near(run.range(), (1000.0, 2000.0));
    }

    #[test]
    fn another_preset_has_no_score() {
        let reference = side(100.0);
        let mut tiny = side(100.0);
        tiny.records[0].config.preset = Preset::Tiny;
        let score = score(&tiny, &reference);
        assert!(score.missing[0].contains("preset: full in made up, tiny"), "{score:?}");
        assert!(score.runs.is_empty());
    }
}
