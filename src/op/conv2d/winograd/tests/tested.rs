//! What the bound of a product by tiles is held against.

use super::super::{ALGORITHMS, Algorithm, Rounding};
use super::{Fault, Patterns};

/// A product by these algorithms, as its bound is tested.
pub(in super::super) struct Tested {
    pub(in super::super) rounding: fn(&Algorithm) -> &Rounding,
    /// The largest share of the results that products come to, where filters have so many taps.
    pub(in super::super) most: fn(&Algorithm, usize) -> f64,
    /// What the products are largest for.
    pub(in super::super) patterns: fn(&Algorithm) -> [Vec<f64>; 2],
    /// The worst error at a size, as a share of the bound, with each of some faults.
    pub(in super::super) worst: fn(&Algorithm, usize, Patterns<'_>, &[Fault]) -> Vec<f64>,
}

impl Tested {
    /// Products are as much larger than results as the bound has it.
    pub(in super::super) fn amplifies_by_the_bound(&self) {
        for algorithm in &ALGORITHMS {
            let whole = (self.most)(algorithm, algorithm.taps);
            let lacking = whole.max((self.most)(algorithm, algorithm.taps - 1));
            let bounds = (self.rounding)(algorithm).amplification;
            for (bound, most) in bounds.into_iter().zip([whole, lacking]) {
                assert!((bound - most).abs() < 0.01 && most < bound + 1e-3, "{most} of {bound}");
            }
        }
    }

    /// Rounding stays within the bound at these sizes, and above `least` of it.
    pub(in super::super) fn rounds_within_the_bound(
        &self,
        sizes: &[usize],
        least: fn(&Algorithm) -> f64,
    ) {
        for algorithm in &ALGORITHMS {
            let [first, second] = (self.patterns)(algorithm);
            for &size in sizes {
                for patterns in [[None; 2], [Some(&first[..]), None], [None, Some(&second[..])]] {
                    let worst = (self.worst)(algorithm, size, patterns, &[|_, _, _| {}])[0];
                    let place = format!("{algorithm:?} at {size}, {patterns:?}: {worst}");
                    assert!(worst < 1.0, "{place}");
                    assert!(worst > least(algorithm), "a bound that says nothing: {place}");
                }
            }
        }
    }

    /// Each of the faults is beyond the bound at each of these sizes.
    pub(in super::super) fn finds(&self, faults: &[(&str, Fault)], sizes: &[usize]) {
        let made: Vec<Fault> = faults.iter().map(|(_, fault)| *fault).collect();
        for algorithm in &ALGORITHMS {
            for &size in sizes {
                let worst = (self.worst)(algorithm, size, [None; 2], &made);
                for ((what, _), worst) in faults.iter().zip(worst) {
                    assert!(worst > 1.0, "{what}, {algorithm:?} at {size}: {worst} of the bound");
                }
            }
        }
    }
}
