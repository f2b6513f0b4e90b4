//! Which ops of a step take longer or less long: where the difference between two sides lies.

use crate::record::{Run, RunKey};
use crate::stats::median;
use crate::terms::{by_key, each_once};

use super::{Side, runs};

/// An op that has a place in the step of both sides, or of one.
#[derive(Debug, Clone, PartialEq)]
pub struct OpChange {
    /// Its place and type: `encoder.hidden.matmul`.
    pub place: String,
    /// In the base; nothing where that has no such op.
    pub base: Option<OpTaken>,
    /// In the other side.
    pub other: Option<OpTaken>,
}

/// What an op takes in a side's steps.
#[derive(Debug, Clone, PartialEq)]
pub struct OpTaken {
    /// Nanoseconds a step, all calls of it together: the median of the side's runs.
    pub ns: f64,
    /// The variants that ran.
    pub kernels: Vec<String>,
}

impl OpChange {
    /// By how many nanoseconds a step the other side takes longer.
    pub fn by_ns(&self) -> f64 {
        let ns = |taken: &Option<OpTaken>| taken.as_ref().map_or(0.0, |taken| taken.ns);
        ns(&self.other) - ns(&self.base)
    }
}

/// The ops of a run on two sides, that first which changed the most; nothing where a side has no profile of it.
pub fn changes(base: &Side, other: &Side, key: &RunKey) -> Vec<OpChange> {
    let (mut ours, mut theirs) = (taken(base, key), taken(other, key));
    if ours.is_empty() || theirs.is_empty() {
        return Vec::new();
    }
    let places = each_once(ours.iter().chain(&theirs).map(|(place, _)| place.clone()));
    let mut take = |place: &String| {
        let [base, other] = [&mut ours, &mut theirs].map(|side| {
            let at = side.iter().position(|(known, _)| known == place);
            at.map(|at| side.swap_remove(at).1)
        });
        OpChange { place: place.clone(), base, other }
    };
    let mut changes: Vec<_> = places.iter().map(&mut take).collect();
    changes.sort_by(|a, b| b.by_ns().abs().total_cmp(&a.by_ns().abs()));
    changes
}

/// What each place of a step takes in a side's profiled runs.
fn taken(side: &Side, key: &RunKey) -> Vec<(String, OpTaken)> {
    let profiled = runs(side, key).into_iter().filter(|run| run.profile.is_some());
    let of_runs = by_key(profiled.flat_map(places));
    let middle = |(place, runs): (String, Vec<OpTaken>)| {
        let ns = median(&runs.iter().map(|taken| taken.ns).collect::<Vec<_>>());
        let kernels = each_once(runs.into_iter().flat_map(|taken| taken.kernels));
        (place, OpTaken { ns, kernels })
    };
    of_runs.into_iter().map(middle).collect()
}

/// What each place of a run's step takes; a layer that is called several times is one place.
fn places(run: &Run) -> Vec<(String, OpTaken)> {
    let calls = run.ops.iter().filter_map(|op| {
        let (place, kernel) = op.label.split_once('/').unwrap_or((&op.label, ""));
        Some((place.to_string(), (op.time_ns()?, kernel.to_string())))
    });
    let sum = |(place, calls): (String, Vec<(f64, String)>)| {
        let ns = calls.iter().map(|(ns, _)| ns).sum();
        (place, OpTaken { ns, kernels: each_once(calls.into_iter().map(|(_, kernel)| kernel)) })
    };
    by_key(calls).into_iter().map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::terms::Mode;

    fn side(ops: &[(&str, f64)]) -> Side {
        let mut record = synthetic::record(&[("vgg", Mode::Train, ops)]);
        for (op, (label, _)) in record.runs[0].ops.iter_mut().zip(ops) {
            op.label = (*label).into();
        }
        Side::of("side", record)
    }

    #[test]
    fn the_op_that_changed_most_comes_first_and_calls_of_one_layer_are_one() {
        let base = side(&[("a.matmul/tile", 5.0), ("a.matmul/tile", 5.0), ("b.map/map", 3.0)]);
        let other = side(&[("a.matmul/naive", 9.0), ("a.matmul/tile", 5.0), ("c.map/map", 3.5)]);
        let key = base.records[0].runs[0].key();
        let found = changes(&base, &other, &key);
        let places: Vec<_> = found.iter().map(|change| change.place.as_str()).collect();
        assert_eq!(places, ["a.matmul", "c.map", "b.map"]);
        assert!((found[0].by_ns() - 4.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found[0].other.as_ref().unwrap().kernels, ["naive", "tile"]);
        assert_eq!((found[1].base.clone(), found[2].other.clone()), (None, None));
        assert!(found[2].by_ns() < 0.0);
        // Two runs of a side: the median of both.
        let mut twice = base.clone();
        twice.records.extend(other.records.clone());
        let found = changes(&base, &twice, &key);
        let matmul = found.iter().find(|change| change.place == "a.matmul").unwrap();
        assert!((matmul.by_ns() - 2.0).abs() < 1e-9, "{matmul:?}");
    }

    #[test]
    fn without_a_profile_nothing_is_said() {
        let base = side(&[("a.matmul/tile", 5.0)]);
        let mut bare = base.clone();
        bare.records[0].runs[0].profile = None;
        let key = base.records[0].runs[0].key();
        assert_eq!(changes(&base, &bare, &key), []);
        assert_eq!(changes(&bare, &base, &key), []);
    }
}
