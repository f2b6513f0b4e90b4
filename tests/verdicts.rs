//! How often a verdict is wrong, over thousands of comparisons of runs drawn as real ones scatter: on quiet machines and
//! noisy ones, and with a neighbour on one side.

use fathom::compare::machine::Evidence;
use fathom::compare::verdict::{Verdict, judge, least_floor};
use fathom::random::Rng;
use fathom::record::YardstickPart;
use fathom::stats::{median, median_ci95};

/// Step times as the records of 60 runs of a tiny autoenc have them, at any amplitude: of the variance of
/// their logarithms 68 % is noise that fades by a tenth a step (correlation 0.61 after one step, 0.40 after
/// five, 0.08 after twenty; measured 0.62, 0.32, 0.07), the rest is not correlated; 5 % of steps take half
/// as long again; and a whole run lies off by 0.32 of that standard deviation, which it nears as it goes.
fn run(rng: &mut Rng, factor: f64, amplitude: f64, samples: usize) -> Vec<f64> {
    let (slow, fast) = (0.68_f64.sqrt(), 0.32_f64.sqrt());
    let fade = 0.9_f64;
    let level = 0.32 * rng.normal();
    let drift = 0.32 * rng.normal();
    let mut wave = rng.normal();
    let step = |i: usize| {
        wave = fade * wave + (1.0 - fade * fade).sqrt() * rng.normal();
        let along = i as f64 / samples as f64 - 0.5;
        let log = level + drift * along + slow * wave + fast * rng.normal();
        let spike = if rng.uniform() < 0.05 { 1.5 } else { 1.0 };
        1e6 * factor * (amplitude * log).exp() * spike
    };
    (0..samples).map(step).collect()
}

/// A run that ends as a real one does: after ten samples, once the interval is within 1 %.
fn settled(rng: &mut Rng, factor: f64, amplitude: f64) -> Vec<f64> {
    let whole = run(rng, factor, amplitude, 200);
    let enough = |n: &usize| {
        let (low, high) = median_ci95(&whole[..*n]);
        (high - low) / 2.0 <= 0.01 * median(&whole[..*n])
    };
    let end = (10..whole.len()).find(enough).unwrap_or(whole.len());
    whole[..end].to_vec()
}

/// How often each verdict of [`Verdict::ALL`] is given in 100 comparisons.
fn counts(factor: f64, runs: usize, make: &dyn Fn(&mut Rng, f64) -> Vec<f64>) -> [usize; 4] {
    let mut counts = [0; 4];
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let mut side = |factor| -> Vec<Vec<f64>> {
            let run = |_| make(&mut rng, factor);
            (0..runs).map(run).collect()
        };
        let (base, other) = (side(1.0), side(factor));
        let base: Vec<&[f64]> = base.iter().map(Vec::as_slice).collect();
        let other: Vec<&[f64]> = other.iter().map(Vec::as_slice).collect();
        let verdict = judge(&base, &other, &[], least_floor(runs, false)).verdict;
        counts[Verdict::ALL.iter().position(|v| *v == verdict).unwrap()] += 1;
    }
    counts
}

/// Faster, slower, same, unsure: of 100 comparisons of the same, and of 100 of which one side takes 5 % longer.
fn both(amplitude: f64, runs: usize) -> [[usize; 4]; 2] {
    let make = |rng: &mut Rng, factor: f64| settled(rng, factor, amplitude);
    [counts(1.0, runs, &make), counts(1.05, runs, &make)]
}

#[test]
fn on_a_quiet_machine_the_same_is_the_same_and_five_percent_is_found() {
    for amplitude in [0.003, 0.006] {
        let [same, planted] = both(amplitude, 1);
        assert!(same[2] >= 95, "steps scatter by {amplitude}: {same:?}");
        assert!(planted[1] >= 95, "steps scatter by {amplitude}: {planted:?}");
    }
}

#[test]
fn five_runs_a_side_find_five_percent_where_one_cannot() {
    let [same, planted] = both(0.02, 5);
    assert!(same[2] >= 95, "{same:?}");
    assert!(planted[1] >= 95, "{planted:?}");
}

#[test]
fn noise_makes_unsure_and_seldom_wrong() {
    let amplitudes = [0.01, 0.02, 0.05, 0.25];
    let counts = amplitudes.map(|amplitude| both(amplitude, 1));
    let wrong: usize = counts.iter().map(|[same, _]| same[0] + same[1]).sum();
    assert!(wrong <= 5 * amplitudes.len(), "of 400 that are the same: {counts:?}");
    let opposite: usize = counts.iter().map(|[_, planted]| planted[0]).sum();
    assert!(opposite <= amplitudes.len(), "of 400 slower by 5 %: {counts:?}");
}

/// A machine during a run: by how much it slows the steps down, and each part of the yardstick.
struct Load {
    steps: f64,
    parts: [f64; 3],
}

impl Load {
    /// Nobody else.
    const NONE: Self = Self { steps: 1.0, parts: [1.0; 3] };

    /// A neighbour who takes from nothing to three quarters of the machine. Not every part of the yardstick suffers
    /// as a model does, but one of them by at least half as much, as `scripts/aa` measured it.
    fn neighbour(rng: &mut Rng) -> Self {
        let slowdown = 4f64.powf(rng.uniform());
        let part = |least: f64, rng: &mut Rng| slowdown.powf(least + (1.2 - least) * rng.uniform());
        let mut parts = [part(0.1, rng), part(0.1, rng), part(0.1, rng)];
        parts[rng.below(3)] = part(0.5, rng);
        Self { steps: slowdown, parts }
    }
}

/// Runs of a side under a load, with the logarithms of their yardsticks' rates, each off by 0.7 %.
fn side(
    rng: &mut Rng,
    runs: usize,
    factor: f64,
    amplitude: f64,
    load: &Load,
) -> (Vec<Vec<f64>>, [Vec<f64>; 3]) {
    let steps = (0..runs).map(|_| settled(rng, factor * load.steps, amplitude)).collect();
    let rates = load.parts.map(|slowdown| {
        let mut rate = |_| 0.007 * rng.normal() - slowdown.ln();
        (0..runs).map(&mut rate).collect()
    });
    (steps, rates)
}

/// The verdict over sides of which the other may be slower and may have a neighbour.
fn verdict(rng: &mut Rng, runs: usize, factor: f64, amplitude: f64, load: &Load) -> Verdict {
    let (base, base_rates) = side(rng, runs, 1.0, amplitude, &Load::NONE);
    let (other, other_rates) = side(rng, runs, factor, amplitude, load);
    let parts = YardstickPart::ALL.into_iter().zip(base_rates.into_iter().zip(other_rates));
    let evidence: Vec<Evidence> =
        parts.map(|(part, (base, other))| Evidence { part, base, other }).collect();
    let base: Vec<&[f64]> = base.iter().map(Vec::as_slice).collect();
    let other: Vec<&[f64]> = other.iter().map(Vec::as_slice).collect();
    judge(&base, &other, &evidence, least_floor(runs, false)).verdict
}

#[test]
fn a_neighbour_on_one_side_makes_unsure_and_not_slower() {
    for runs in [1, 5] {
        let mut rng = Rng::new(runs as u64);
        let wrong = (0..200).filter(|_| {
            let load = Load::neighbour(&mut rng);
            matches!(verdict(&mut rng, runs, 1.0, 0.01, &load), Verdict::Faster | Verdict::Slower)
        });
        let wrong = wrong.count();
        assert!(wrong <= 2, "{wrong} of 200 with {runs} runs a side");
    }
}

#[test]
fn five_runs_a_side_find_three_percent_on_a_quiet_machine() {
    let mut rng = Rng::new(3);
    let mut verdicts = |factor| {
        let verdicts: Vec<_> =
            (0..100).map(|_| verdict(&mut rng, 5, factor, 0.005, &Load::NONE)).collect();
        Verdict::ALL.map(|v| verdicts.iter().filter(|given| **given == v).count())
    };
    let [same, planted] = [verdicts(1.0), verdicts(1.03)];
    assert!(same[2] >= 95 && same[0] + same[1] <= 1, "{same:?}");
    assert!(planted[1] >= 95, "{planted:?}");
}
