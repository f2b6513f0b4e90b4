//! CTC decoding on the host, and the phone error rate.

use std::collections::HashMap;

/// A prefix's log-probability, ending in a blank or in its last label.
#[derive(Debug, Clone, Copy)]
struct Score {
    blank: f64,
    label: f64,
}

impl Score {
    const NONE: Self = Self { blank: f64::NEG_INFINITY, label: f64::NEG_INFINITY };

    fn total(&self) -> f64 {
        log_add(self.blank, self.label)
    }
}

fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if high == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// Prefix beam search (Graves 2012, section 7.5; Hannun 2014): the labelling with the highest probability
/// among those a beam of `width` prefixes keeps. `log_probs` is [frames, classes], the blank last.
pub fn beam_search(log_probs: &[f64], classes: usize, width: usize) -> Vec<usize> {
    let blank = classes - 1;
    let start = Score { blank: 0.0, label: f64::NEG_INFINITY };
    let mut beam: Vec<(Vec<usize>, Score)> = vec![(Vec::new(), start)];
    for frame in log_probs.chunks_exact(classes) {
        let mut next: HashMap<Vec<usize>, Score> = HashMap::new();
        for (prefix, score) in &beam {
            let same = next.entry(prefix.clone()).or_insert(Score::NONE);
            same.blank = log_add(same.blank, score.total() + frame[blank]);
            if let Some(&last) = prefix.last() {
                same.label = log_add(same.label, score.label + frame[last]);
            }
            for (label, &p) in frame[..blank].iter().enumerate() {
                // A repeated label is a new one only after a blank.
                let before =
                    if prefix.last() == Some(&label) { score.blank } else { score.total() };
                let mut longer = prefix.clone();
                longer.push(label);
                let entry = next.entry(longer).or_insert(Score::NONE);
                entry.label = log_add(entry.label, before + p);
            }
        }
        beam = next.into_iter().collect();
        // Ties are broken by the prefix, so that the result does not hang on a hash's order.
        beam.sort_by(|a, b| b.1.total().total_cmp(&a.1.total()).then_with(|| a.0.cmp(&b.0)));
        beam.truncate(width.max(1));
    }
    beam.into_iter().next().map(|(prefix, _)| prefix).unwrap_or_default()
}

/// Fewest insertions, deletions and substitutions from one sequence to the other.
pub fn edit_distance<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Rng;

    /// Sums the probability of every path over its labelling.
    fn brute_force(log_probs: &[f64], classes: usize) -> Vec<usize> {
        let frames = log_probs.len() / classes;
        let mut totals: HashMap<Vec<usize>, f64> = HashMap::new();
        for path in 0..classes.pow(frames as u32) {
            let (mut rest, mut p, mut before) = (path, 0.0, classes - 1);
            let mut labels = Vec::new();
            for t in 0..frames {
                let c = rest % classes;
                rest /= classes;
                p += log_probs[t * classes + c];
                if c != before && c != classes - 1 {
                    labels.push(c);
                }
                before = c;
            }
            *totals.entry(labels).or_default() += p.exp();
        }
        totals.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
    }

    #[test]
    fn a_wide_beam_finds_the_best_labelling() {
        let mut rng = Rng::new(4);
        for _ in 0..30 {
            let (frames, classes) = (5, 3);
            let mut log_probs = Vec::new();
            for _ in 0..frames {
                let weights: Vec<f64> = (0..classes).map(|_| rng.range(0.05, 1.0)).collect();
                let sum: f64 = weights.iter().sum();
                log_probs.extend(weights.iter().map(|w| (w / sum).ln()));
            }
            assert_eq!(beam_search(&log_probs, classes, 100), brute_force(&log_probs, classes));
        }
    }

    #[test]
    fn distances_are_known() {
        assert_eq!(edit_distance(&[1, 2, 3], &[1, 3]), 1);
        assert_eq!(edit_distance::<usize>(&[], &[4, 4]), 2);
        assert_eq!(edit_distance(&[1, 2, 3], &[3, 2, 1]), 2);
    }
}
