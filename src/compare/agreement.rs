//! Whether two devices computed the same: what the first steps from the seed gave on each.

use crate::record::{Outcome, Run, Sketch};
use crate::terms::words;

words! {
    /// How near two results are.
    Agreement {
        /// As near as rounding allows.
        Pass = "PASS",
        /// Further apart, as where an optimiser divides by gradients near zero; the model learns the same.
        Close = "CLOSE",
        /// Not the same computation.
        Different = "DIFFERENT",
    }
}

/// Results this near differ by rounding, as a share of a tensor's rms or of the loss.
const PASS: f64 = 1e-4;

/// Results this near may still be called the same.
const CLOSE: f64 = 1e-2;

/// How near the results of two runs are, and what is furthest apart by what share; nothing where one run has none
/// to hold against the other's, as older ones.
pub fn agreement(ours: &Run, theirs: &Run) -> Option<(Agreement, String, f64)> {
    let (a, b) = (ours.outcome.as_ref()?, theirs.outcome.as_ref()?);
    if a.steps != b.steps || !names(a).eq(names(b)) {
        return None;
    }
    // What is not finite on either side is as far apart as can be.
    let loss = match (a.loss, b.loss) {
        (Some(a), Some(b)) => Some(relative(a, b)),
        (None, None) => None,
        _ => Some(f64::INFINITY),
    };
    let loss = loss.map(|apart| ("loss".to_string(), apart));
    let tensor = |(a, b): (&Sketch, &Sketch)| (a.name.clone(), a.apart(b).unwrap_or(f64::INFINITY));
    let tensors = a.tensors.iter().zip(&b.tensors).map(tensor);
    let (name, apart) = loss.into_iter().chain(tensors).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let agreement = match apart {
        apart if apart <= PASS => Agreement::Pass,
        apart if apart <= CLOSE => Agreement::Close,
        _ => Agreement::Different,
    };
    Some((agreement, name, apart))
}

/// The same of several runs of the other side: what is furthest from ours counts.
pub(super) fn of_all(ours: &Run, theirs: &[&Run]) -> Option<(Agreement, String, f64)> {
    let found = theirs.iter().filter_map(|theirs| agreement(ours, theirs));
    found.max_by(|a, b| a.2.total_cmp(&b.2))
}

fn names(outcome: &Outcome) -> impl Iterator<Item = &str> {
    outcome.tensors.iter().map(|tensor| tensor.name.as_str())
}

fn relative(a: f64, b: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()) }
}

#[cfg(test)]
mod tests {
    use crate::record::example;
    use crate::terms::Mode;

    use super::*;

    fn run(loss: f64, weight: f64) -> Run {
        let values: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.7).sin() + weight).collect();
        let tensors = vec![Sketch::of("w", &values), Sketch::of("b", &[0.0; 4])];
        let outcome = Outcome { steps: 3, loss: Some(loss), tensors };
        Run { outcome: Some(outcome), ..example::run("speech", Mode::Train, &[1.0; 6]) }
    }

    #[test]
    fn results_agree_as_far_as_they_are_apart() {
        let of = |loss, weight| agreement(&run(2.3, 0.0), &run(loss, weight)).unwrap();
        assert_eq!(of(2.3, 0.0), (Agreement::Pass, of(2.3, 0.0).1, 0.0));
        assert_eq!(of(2.300_01, 0.0).0, Agreement::Pass);
        let (close, name, apart) = of(2.3046, 0.0);
        assert_eq!((close, name.as_str()), (Agreement::Close, "loss"));
        assert!((apart - 0.002).abs() < 1e-5);
        let (different, name, _) = of(2.3, 0.05);
        assert_eq!((different, name.as_str()), (Agreement::Different, "w"));
        let mut diverged = run(2.3, 0.0);
        diverged.outcome.as_mut().unwrap().loss = None;
        assert_eq!(agreement(&run(2.3, 0.0), &diverged).unwrap().0, Agreement::Different);
        let runs = [&run(2.3, 0.0), &diverged, &run(2.3, 0.0)];
        assert_eq!(of_all(&run(2.3, 0.0), &runs).unwrap().0, Agreement::Different);
        diverged.outcome = None;
        assert_eq!(agreement(&run(2.3, 0.0), &diverged), None);
    }
}
