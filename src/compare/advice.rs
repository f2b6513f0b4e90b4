//! The next step to take after a verdict.

use super::machine::REPEATED;
use super::verdict::{Finding, LEAST_FLOOR_REPEATED, LEAST_FLOOR_SOFTWARE, RESOLUTION, Reason};

/// Runs a side that somebody would wait for.
const WORTHWHILE: usize = 50;

/// Five runs are what `ab` takes.
const AGAIN: &str = "`fathom ab OLD NEW --repeat 5`";

/// What to do after a verdict, in a sentence.
pub fn next_step(finding: &Finding) -> String {
    match finding.reason {
        Reason::BeyondFloor => {
            "see which ops changed: `fathom analyze profile` on both records".into()
        }
        Reason::WithinFloor if finding.floor <= LEAST_FLOOR_REPEATED => {
            let least = 100.0 * LEAST_FLOOR_REPEATED;
            format!("nothing: no number of runs shows less than {least:.1} %")
        }
        Reason::WithinFloor => {
            let wanted = (finding.floor / 2.0).max(LEAST_FLOOR_REPEATED);
            format!(
                "nothing, unless less than {:.1} % matters: {} runs a side show {:.1} % (`fathom ab`, --repeat)",
                100.0 * finding.floor,
                runs_for(finding, wanted),
                100.0 * wanted,
            )
        }
        Reason::IntervalHoldsOne => {
            "sample four times as long, which halves the interval (--time, --max-noise)".into()
        }
        // Of runs that are repeated the scatter is seen, which may be a small part of that.
        Reason::FloorTooHigh if finding.floor == LEAST_FLOOR_SOFTWARE => format!(
            "repeat both in turns, since a single run on the CPU has a pace of its own: {AGAIN}"
        ),
        Reason::FloorTooHigh => {
            let runs = runs_for(finding, RESOLUTION);
            if runs > WORTHWHILE {
                return "quiet the machine: as it is, no number of runs that is worth the time would tell these apart"
                    .into();
            }
            format!(
                "quiet the machine, or take {runs} runs a side in turns: `fathom ab OLD NEW --repeat {runs}`"
            )
        }
        Reason::MachineMoved => {
            format!("repeat both in turns with nothing else running: {AGAIN}")
        }
        Reason::TooFewSamples => {
            "take 6 samples at least: --min-samples 10, and a longer --time".into()
        }
    }
}

/// Runs a side by which a floor comes down to one that is wanted: it falls with their square root.
fn runs_for(finding: &Finding, wanted: f64) -> usize {
    ((finding.runs * (finding.floor / wanted).powi(2)).ceil() as usize).max(REPEATED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::verdict::{LEAST_FLOOR, judge};

    fn next(base: &[f64], other: &[f64]) -> String {
        next_step(&judge(&[base], &[other], &[], LEAST_FLOOR))
    }

    #[test]
    fn each_reason_has_a_next_step_with_figures() {
        let steady: Vec<f64> = (0..16).map(|i| 100.0 + f64::from(i % 3) * 0.01).collect();
        let slower: Vec<f64> = steady.iter().map(|x| x * 1.5).collect();
        assert!(next(&steady, &slower).contains("analyze profile"));
        assert!(next(&steady, &steady).contains("4 runs a side show 1.5 %"));
        assert!(next(&steady[..3], &steady).contains("--min-samples"));
        let noisy =
            |by: f64| -> Vec<f64> { (0..16).map(|i| 100.0 + f64::from(i / 2 % 2) * by).collect() };
        assert!(next(&noisy(90.0), &noisy(90.0)).contains("no number of runs"));
        let step = next(&noisy(8.0), &noisy(8.0));
        assert!(step.contains("fathom ab OLD NEW --repeat") && !step.contains("{0}"), "{step}");
        let single = next_step(&judge(&[&steady], &[&steady], &[], LEAST_FLOOR_SOFTWARE));
        assert!(single.contains("--repeat 5"), "not as many as its floor divided by 5 %: {single}");
    }

    #[test]
    fn the_floor_falls_with_the_square_root_of_the_runs() {
        let of = |runs: f64, floor: f64| {
            let steady = [100.0; 6];
            Finding { runs, floor, ..judge(&[&steady], &[&steady], &[], LEAST_FLOOR) }
        };
        assert_eq!(runs_for(&of(1.0, 0.2), 0.05), 16);
        assert_eq!(runs_for(&of(1.0, 0.05), 0.05), REPEATED);
        assert_eq!(runs_for(&of(5.0, 0.1), 0.05), 20, "of runs that are repeated already");
        assert!(next_step(&of(5.0, 0.015)).contains("12 runs a side show 1.0 %"));
        assert!(next_step(&of(5.0, LEAST_FLOOR_REPEATED)).contains("no number of runs"));
    }

    #[test]
    fn sides_of_unlike_numbers_of_runs_count_by_their_variance() {
        let steady = [100.0; 6];
        let (one, many) = ([steady.as_slice()], [steady.as_slice(); 3]);
        assert_eq!(judge(&many, &many, &[], LEAST_FLOOR).runs, 3.0);
        assert_eq!(judge(&one, &many, &[], LEAST_FLOOR).runs, 1.5);
    }
}
