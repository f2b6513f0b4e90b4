//! Faster, slower, the same, or unsure: from the raw step times of two sides.
//!
//! Step times of a run resemble their neighbours, and two runs of one program differ by more than their
//! samples suggest. On a noisy machine (60 runs of a second of a tiny model) steps in succession
//! correlated by 0.7, by 0.3 over five steps, and the medians of whole runs scattered by 10 % while their
//! intervals promised 4 %. What did predict that 10 % was the scatter of the medians of a run's own eighths
//! (11 to 15 %): slow noise looks alike at every scale. So that scatter sets the noise floor, or the
//! scatter between runs where a side has several and it is larger.

use super::machine::{Evidence, REPEATED};
use crate::stats::{
    MIN_SAMPLES_FOR_CI95, cliffs_delta, median, ratio_of_medians, scatter, standard_deviation,
};
use crate::terms::words;

/// Parts of a run whose medians are held against each other.
pub const BLOCKS: usize = 8;

/// Least noise floor of single runs, which may be over in a tenth of a second: clocks, placement and
/// temperature differ by this between runs that look steady.
pub const LEAST_FLOOR: f64 = 0.03;

/// The same on an adapter that computes on the CPU: which core a thread wakes on is settled for a run and another one in
/// the next. Of 40 runs of a second in a row the medians of six cells scattered by a tenth (5 to 16 %), while each run
/// by itself promised 1 to 4 %.
pub const LEAST_FLOOR_SOFTWARE: f64 = 0.35;

/// Least noise floor where both sides have three runs or more, so that their scatter is seen.
pub const LEAST_FLOOR_REPEATED: f64 = 0.01;

/// Standard deviations of the difference that make the floor: more than the two that 95 % would need,
/// since a deviation from eight parts is itself a rough figure.
pub const DEVIATIONS: f64 = 2.5;

/// SAME means: not this far apart. With a floor above it, nothing small can be seen.
pub const RESOLUTION: f64 = 0.05;

/// How many times as much as known work a step may slow down with the machine.
const MARGIN: f64 = 3.0;

/// Of the bootstrap, so that a comparison gives the same figures each time.
pub const SEED: u64 = 1;

words! {
    /// What is said of a cell.
    Verdict {
        /// Takes less time.
        Faster = "FASTER",
        /// Takes more time.
        Slower = "SLOWER",
        /// No difference beyond the noise, which is small.
        Same = "SAME",
        /// Too noisy to tell.
        Unsure = "UNSURE",
    }
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The difference exceeds the floor, and the interval lies on one side of 1.
    BeyondFloor,
    /// The difference is within the floor, and the floor is low.
    WithinFloor,
    /// The difference exceeds the floor, but the interval holds 1.
    IntervalHoldsOne,
    /// The difference is within a floor too high to call that the same.
    FloorTooHigh,
    /// Too few samples for an interval.
    TooFewSamples,
    /// The machine was not the same for both sides, by enough to explain the difference or to hide one.
    MachineMoved,
}

impl Reason {
    /// The code, and what it means.
    pub fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::BeyondFloor => {
                ("beyond-floor", "the ratio is beyond the noise floor, and its interval excludes 1")
            }
            Self::WithinFloor => (
                "within-floor",
                "the ratio is within what two runs of the same program may differ by",
            ),
            Self::IntervalHoldsOne => (
                "interval-holds-1",
                "the ratio is beyond the noise floor, but its interval includes 1",
            ),
            Self::FloorTooHigh => {
                ("floor-too-high", "two runs of the same program may differ by more than 5 %")
            }
            Self::MachineMoved => (
                "machine-moved",
                "known work beside the steps took another time on the two sides: the machine may be what differs",
            ),
            Self::TooFewSamples => ("too-few-samples", "one side has fewer than 6 samples"),
        }
    }
}

/// What was found of two sides of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Faster, slower, the same or unsure.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Time of the other over that of the base: above 1 is slower.
    pub ratio: f64,
    /// 95 % interval of the ratio as far as the samples tell.
    pub ci95: (f64, f64),
    /// Cliff's delta over all samples: 1 where each of the other's is longer, -1 where each is shorter.
    pub effect: f64,
    /// What two runs of the same program may differ by on this evidence, as a share.
    pub floor: f64,
    /// Runs a side that the floor is of; where one has more than the other, as many as would say the same.
    pub runs: f64,
}

/// The least noise floor of a side with so many runs: that of a comparison is the higher of two.
pub fn least_floor(runs: usize, is_software: bool) -> f64 {
    match (runs >= REPEATED, is_software) {
        (true, _) => LEAST_FLOOR_REPEATED,
        (false, true) => LEAST_FLOOR_SOFTWARE,
        (false, false) => LEAST_FLOOR,
    }
}

/// Holds the runs of `other` against those of `base`: each run its step times in order. What the times say counts
/// where the yardsticks do not contradict it. The noise floor is `least` at least.
pub fn judge(base: &[&[f64]], other: &[&[f64]], evidence: &[Evidence], least: f64) -> Finding {
    let finding = by_times(base, other, least);
    let contradicted = evidence.iter().any(|evidence| contradicts(evidence, &finding));
    if finding.verdict == Verdict::Unsure || !contradicted {
        return finding;
    }
    Finding { verdict: Verdict::Unsure, reason: Reason::MachineMoved, ..finding }
}

/// Whether the machine moved by enough to make up a verdict: known work need not slow down as much as a step does.
fn contradicts(evidence: &Evidence, finding: &Finding) -> bool {
    let moved = evidence.moved();
    match finding.verdict {
        Verdict::Same => moved > (1.0 + RESOLUTION).ln(),
        _ => finding.ratio.ln().abs() <= (1.0 + finding.floor).ln() + MARGIN * moved,
    }
}

/// What the times alone say.
fn by_times(base: &[&[f64]], other: &[&[f64]], least: f64) -> Finding {
    let ratio = ratio_of_medians(other, base, BLOCKS, SEED);
    let measured = DEVIATIONS * (variance(base) + variance(other)).sqrt();
    // `max` would hide a NaN.
    let floor = if measured < least { least } else { measured };
    // On both sides of 1 the same distance.
    let apart = ratio.ratio.ln().abs() > (1.0 + floor).ln();
    let holds_one = ratio.ci95.0 <= 1.0 && 1.0 <= ratio.ci95.1;
    let unknown = are_few(base) || are_few(other);
    let (verdict, reason) = if unknown || !floor.is_finite() {
        (Verdict::Unsure, Reason::TooFewSamples)
    } else if apart && holds_one {
        (Verdict::Unsure, Reason::IntervalHoldsOne)
    } else if apart && ratio.ratio > 1.0 {
        (Verdict::Slower, Reason::BeyondFloor)
    } else if apart {
        (Verdict::Faster, Reason::BeyondFloor)
    } else if floor > RESOLUTION {
        (Verdict::Unsure, Reason::FloorTooHigh)
    } else {
        (Verdict::Same, Reason::WithinFloor)
    };
    Finding {
        verdict,
        reason,
        ratio: ratio.ratio,
        ci95: if unknown { UNKNOWN } else { ratio.ci95 },
        effect: cliffs_delta(&other.concat(), &base.concat()),
        floor,
        // The variance of a side falls with its runs, and that of both is what counts.
        runs: 2.0 / (1.0 / base.len() as f64 + 1.0 / other.len() as f64),
    }
}

/// What a side's runs of a cell say by themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alone {
    /// Their median.
    pub step_ns: f64,
    /// 95 % interval of it; not numbers where there are too few samples.
    pub ci95: (f64, f64),
    /// Of the side's part in a noise floor: [`DEVIATIONS`] times the root of both sides' sum.
    pub variance: f64,
}

/// A side's runs by themselves: what a ratio with any other side can be made of.
pub fn alone(runs: &[&[f64]]) -> Alone {
    // Over a step that is known exactly.
    let step = ratio_of_medians(runs, &[&[1.0]], BLOCKS, SEED);
    let ci95 = if are_few(runs) { UNKNOWN } else { step.ci95 };
    Alone { step_ns: step.ratio, ci95, variance: variance(runs) }
}

/// The interval of what too few samples say.
const UNKNOWN: (f64, f64) = (f64::NAN, f64::NAN);

/// Whether a side's samples are too few for an interval.
fn are_few(runs: &[&[f64]]) -> bool {
    runs.iter().map(|r| r.len()).sum::<usize>() < MIN_SAMPLES_FOR_CI95
}

/// Of a side's median.
fn variance(runs: &[&[f64]]) -> f64 {
    noise(runs).powi(2) / runs.len() as f64
}

/// By how much a run's median differs from that of another run of the same, one standard deviation: the
/// scatter within the runs, or between them if that is larger.
fn noise(runs: &[&[f64]]) -> f64 {
    let squares: Vec<f64> = runs.iter().map(|r| scatter(r, BLOCKS).powi(2)).collect();
    let within = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    let medians: Vec<f64> = runs.iter().map(|r| median(r).ln()).collect();
    let between = standard_deviation(&medians);
    // A single run has no scatter between runs.
    if between > within { between } else { within }
}

#[cfg(test)]
mod tests;
