//! What the yardsticks of two sides say: whether the machine was the same for both.
//!
//! A step's time multiplied by the rate of known work at that moment is a count of something like cycles: it stays
//! the same where the machine slows down as a whole. No known work slows down exactly as a model does, so it is not
//! used to correct times, only to contradict them.

use crate::record::yardstick::MOVED;
use crate::record::{Peaks, Reading, Record, Run, RunKey, YardstickPart};
use crate::stats::{median, standard_deviation};

use super::Side;

/// Runs of a side from which the scatter between runs is known.
pub const REPEATED: usize = 3;

/// The scatter of rates up to which it may explain a difference, as a logarithm.
const STEADY: f64 = 0.02;

/// The rates of one part of the yardstick beside the steps of two sides, as logarithms: one a run, of its middle
/// step.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Which part.
    pub part: YardstickPart,
    /// Of the base's runs.
    pub base: Vec<f64>,
    /// Of the other side's.
    pub other: Vec<f64>,
}

impl Evidence {
    /// By how much the machine differed between the sides, as a logarithm, beyond what the scatter of the runs
    /// explains: twice the standard error, where there are runs enough to know it and it is small. What scatters by
    /// more is no yardstick, and what it shows apart is taken as it stands.
    pub fn moved(&self) -> f64 {
        let apart = (median(&self.other) - median(&self.base)).abs();
        let variance = |rates: &[f64]| standard_deviation(rates).powi(2) / rates.len() as f64;
        let repeated = self.base.len().min(self.other.len()) >= REPEATED;
        let error = 2.0 * (variance(&self.base) + variance(&self.other)).sqrt();
        if repeated && error <= STEADY { (apart - error).max(0.0) } else { apart }
    }
}

/// Of every part of the yardstick; nothing where a run has none, as older ones, or one that cannot be used.
pub fn evidence(base: &[&Run], other: &[&Run]) -> Vec<Evidence> {
    let steps = base.iter().chain(other).filter_map(|run| run.step_ns());
    let shortest_ns = steps.fold(f64::MAX, f64::min);
    let of_part = |part| {
        let levels = |runs: &[&Run]| {
            let levels = runs.iter();
            let levels = levels
                .map(|run| Some(weighed(part, level(run, part)?, run.dispatches, shortest_ns)));
            levels.collect::<Option<_>>()
        };
        Some(Evidence { part, base: levels(base)?, other: levels(other)? })
    };
    YardstickPart::ALL.into_iter().filter_map(of_part).collect()
}

/// The same between two devices, each held against its own ceilings.
pub fn by_ceilings(sides: [&Side; 2], key: &RunKey) -> Evidence {
    let [base, other] = sides.map(|side| slowed(side, key).into_iter().map(|by| -by).collect());
    Evidence { part: YardstickPart::Fma, base, other }
}

/// By how much the machine was slowed beside a cell's steps, one a run of a side, as logarithms.
pub fn slowed(side: &Side, key: &RunKey) -> Vec<f64> {
    let of = |record: &Record| -> Vec<f64> {
        let runs = record.runs.iter().filter(|run| run.key() == *key);
        runs.map(|run| slowed_run(run, &record.peaks)).collect()
    };
    side.records.iter().flat_map(of).collect()
}

/// A rate's logarithm as far as it can move a step: what is computed and copied may be all of it, launching is as much
/// as its dispatches take. On an adapter whose threads sleep between two dispatches that alone moves tenfold.
fn weighed(part: YardstickPart, level: f64, dispatches: usize, step_ns: f64) -> f64 {
    match part {
        YardstickPart::Fma | YardstickPart::Copy => level,
        YardstickPart::Launch => -(dispatches as f64 * 1e9 / level.exp() / step_ns).ln_1p(),
    }
}

/// By how much known work beside a run's middle step was slower than the device can do it, as a logarithm: the most of the
/// three parts. Multiply-adds are held against the ceiling of the record, copying and launching, which the ceilings
/// measure in other sizes, against their best in the run. 0 where that is a tenth at most, or the run has no yardstick.
fn slowed_run(run: &Run, peaks: &Peaks) -> f64 {
    let of = |part| {
        let yardstick = run.timing.as_ref()?.yardstick.as_ref()?;
        let ceilings = if part == YardstickPart::Fma { &peaks.fma[..] } else { &[] };
        let rates = yardstick.part(part).iter().chain(ceilings).map(|reading| reading.rate);
        let best = rates.reduce(f64::max)?.ln();
        let weighed =
            |level| weighed(part, level, run.dispatches, run.step_ns().unwrap_or(f64::MAX));
        Some(weighed(best) - weighed(level(run, part)?))
    };
    let most = YardstickPart::ALL.into_iter().filter_map(of).fold(0.0, f64::max);
    if most > MOVED.ln_1p() { most } else { 0.0 }
}

/// The rate beside a run's middle step, as a logarithm.
fn level(run: &Run, part: YardstickPart) -> Option<f64> {
    Some((median(&cycles(run, part)?) / median(&run.timing.as_ref()?.step_ns)).ln())
}

/// Each step's time by the rate of known work at that time.
fn cycles(run: &Run, part: YardstickPart) -> Option<Vec<f64>> {
    let timing = run.timing.as_ref()?;
    let yardstick = timing.yardstick.as_ref()?;
    let readings = yardstick.part(part);
    // As many as there are places: the record was checked when it was read.
    let usable = readings.iter().all(|r| r.rate > 0.0);
    let places = &yardstick.after_samples;
    let cycle = |(i, ns): (usize, &f64)| Some(ns * rate(places, readings, i)?);
    timing.step_ns.iter().enumerate().map(cycle).collect::<Option<_>>().filter(|_| usable)
}

/// The rate in the middle of sample `i`, between the readings before and after it.
fn rate(places: &[usize], readings: &[Reading], i: usize) -> Option<f64> {
    let after = places.iter().position(|&place| place > i).unwrap_or(places.len());
    let (before, after) = (after.saturating_sub(1), after.min(places.len().checked_sub(1)?));
    let [from, to] = [before, after].map(|k| readings[k].rate.ln());
    let width = (places[after] - places[before]) as f64;
    let along = if width > 0.0 { (i as f64 + 0.5 - places[before] as f64) / width } else { 0.0 };
    Some((from + (to - from) * along.clamp(0.0, 1.0)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_lies_between_the_readings_around_it() {
        let reading = |rate| Reading { rate, spread: 0.0 };
        let (places, readings) = ([0, 10, 20], [100.0, 200.0, 200.0].map(reading));
        let at = |i| rate(&places, &readings, i).unwrap();
        assert!(at(0) < 105.0 && at(9) > 190.0);
        assert!((at(4) * at(5) / 20_000.0 - 1.0).abs() < 1e-9, "geometric in the middle");
        assert!([10, 19, 25].into_iter().all(|i| (at(i) / 200.0 - 1.0).abs() < 1e-9));
        assert_eq!(rate(&[], &[], 0), None);
    }

    #[test]
    fn launching_moves_a_step_by_what_its_dispatches_take() {
        let of = |rate: f64, dispatches| weighed(YardstickPart::Launch, rate.ln(), dispatches, 1e6);
        // Ten dispatches at 10 us are a tenth of a step of 1 ms; at 100 us they double it.
        assert!((of(1e5, 10) + 1.1f64.ln()).abs() < 1e-9);
        assert!((of(1e4, 10) + 2f64.ln()).abs() < 1e-9);
        assert_eq!(of(1e4, 0), 0.0);
    }
}
