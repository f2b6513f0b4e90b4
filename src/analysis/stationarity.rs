//! Whether op times are stationary: the paper's reason why one step can describe a model.

use crate::record::{Op, Record, Run};
use crate::terms::words;

use super::profile::time;
use super::{RunContext, share, sum};

/// Steps below which nothing is said.
pub const STEPS: usize = 100;

/// Drift beyond which an op is not stationary, if its halves' intervals lie apart as well.
pub const DRIFT: f64 = 0.05;

/// The rule, for people.
pub const RULE: &str = "not stationary: over at least 100 steps, the median of the later half differs from \
that of the earlier half by more than 5 %, and their 95 % intervals do not overlap";

/// One run's op times over the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct RunStationarity {
    /// The run.
    pub context: RunContext,
    /// Steps that were profiled.
    pub steps: usize,
    /// Ops that drift: verdict [`Verdict::Drifts`].
    pub drifting: usize,
    /// Their share of the ops' time.
    pub drifting_share: f64,
    /// The coefficient of variation, each op weighted by its time; nothing where no op has one.
    pub cv: Option<f64>,
    /// Each op, the longest first.
    pub ops: Vec<OpStationarity>,
}

/// One op's times over the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct OpStationarity {
    /// `dense1.matmul/tile[BM=64,BN=64,BK=16]`.
    pub label: String,
    /// Median time.
    pub ns: f64,
    /// Share of all ops' time.
    pub share: f64,
    /// Standard deviation over mean.
    pub cv: Option<f64>,
    /// Median of the later half over that of the earlier, minus 1.
    pub drift: Option<f64>,
    /// By [`RULE`].
    pub verdict: Verdict,
}

words! {
    /// What is said of an op.
    Verdict {
        /// No drift by the rule.
        Stationary = "stationary",
        /// Not stationary by the rule.
        Drifts = "NOT STATIONARY",
        /// Fewer than [`STEPS`] steps.
        TooFewSteps = "too few steps",
        /// The record is from before this was kept, or the clock was too coarse to see the op.
        Unknown = "unknown",
    }
}

/// Every profiled run of a record.
pub fn stationarity(record: &Record) -> Vec<RunStationarity> {
    let profiled = record.runs.iter().filter(|run| run.profile.is_some());
    profiled.map(|run| of_run(record, run)).collect()
}

fn of_run(record: &Record, run: &Run) -> RunStationarity {
    let total = run.ops_ns();
    let of = |op: &Op| {
        let steadiness = op.ns.as_ref().and_then(|ns| ns.steadiness.as_ref());
        let drift = steadiness.and_then(|s| s.drift);
        OpStationarity {
            label: op.label.clone(),
            ns: time(op),
            share: share(time(op), total),
            cv: steadiness.and_then(|s| s.cv),
            drift,
            verdict: match (steadiness, drift) {
                (Some(s), _) if s.steps < STEPS => Verdict::TooFewSteps,
                (Some(s), Some(d)) if s.drift_significant && d.abs() > DRIFT => Verdict::Drifts,
                (Some(_), Some(_)) => Verdict::Stationary,
                _ => Verdict::Unknown,
            },
        }
    };
    let mut ops: Vec<_> = run.ops.iter().map(of).collect();
    ops.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    let drifting: Vec<_> = ops.iter().filter(|o| o.verdict == Verdict::Drifts).collect();
    let known: f64 = ops.iter().filter(|o| o.cv.is_some()).map(|o| o.share).sum();
    let weighted: f64 = ops.iter().filter_map(|o| Some(o.cv? * o.share)).sum();
    RunStationarity {
        context: RunContext::of(record, run),
        steps: run.profile.as_ref().map_or(0, |p| p.steps),
        drifting: drifting.len(),
        drifting_share: sum(drifting.iter().map(|o| o.share)),
        cv: (known > 0.0).then(|| weighted / known),
        ops,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::record::Steadiness;
    use crate::terms::Mode;

    fn verdict(steadiness: Option<Steadiness>) -> Verdict {
        let mut record = synthetic::record(&[("w", Mode::Train, &[("add", 30.0), ("sum", 10.0)])]);
        record.runs[0].ops[1].ns.as_mut().unwrap().steadiness = steadiness;
        let runs = stationarity(&record);
        let sum = runs[0].ops.iter().find(|op| op.label.contains("sum")).unwrap();
        let expected = if sum.verdict == Verdict::Drifts { (1, 0.25) } else { (0, 0.0) };
        assert_eq!((runs[0].drifting, runs[0].drifting_share), expected);
        sum.verdict
    }

    #[test]
    fn a_planted_drift_is_flagged() {
        let steady = |steps, drift, drift_significant| Steadiness {
            steps,
            cv: Some(0.1),
            drift,
            drift_significant,
        };
        for (given, expected) in [
            (Some(steady(100, Some(0.06), true)), Verdict::Drifts),
            (Some(steady(200, Some(-0.3), true)), Verdict::Drifts),
            (Some(steady(100, Some(0.04), true)), Verdict::Stationary),
            (Some(steady(100, Some(0.3), false)), Verdict::Stationary),
            (Some(steady(99, Some(0.3), true)), Verdict::TooFewSteps),
            (Some(steady(100, None, false)), Verdict::Unknown),
            (None, Verdict::Unknown),
        ] {
            assert_eq!(verdict(given.clone()), expected, "{given:?}");
        }
    }

    #[test]
    fn the_variation_of_a_step_weighs_its_ops_by_their_time() {
        let mut record = synthetic::record(&[("w", Mode::Train, &[("add", 30.0), ("sum", 10.0)])]);
        for (op, cv) in [(0, Some(0.1)), (1, Some(0.5))] {
            record.runs[0].ops[op].ns.as_mut().unwrap().steadiness =
                Some(Steadiness { steps: 100, cv, drift: Some(0.0), drift_significant: false });
        }
        assert!((stationarity(&record)[0].cv.unwrap() - 0.2).abs() < 1e-12);
    }
}
