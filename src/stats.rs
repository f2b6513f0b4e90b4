//! Statistics of samples: order statistics and intervals that assume no distribution, because
//! times are skewed and have outliers.
//!
//! Owns pure functions on slices; when to stop sampling, and what a figure then means, is decided
//! elsewhere. No function panics: what is undefined, such as the median of nothing, is NaN, and a
//! NaN among the samples makes the result NaN, as in numpy.

/// Fewer samples than this have no 95 % interval of the median: see [`median_ci95`].
pub const MIN_SAMPLES_FOR_CI95: usize = 6;

/// What a cell reports of its samples, in the samples' unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Number of samples.
    pub n: usize,
    /// [`median`].
    pub median: f64,
    /// [`median_ci95`]: (low, high).
    pub ci95: (f64, f64),
    /// Smallest sample.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// [`coefficient_of_variation`].
    pub cv: f64,
    /// [`outliers`].
    pub outliers: usize,
    /// [`drift`].
    pub drift: Drift,
}

impl Summary {
    /// Sums up `samples`, which are in the order in which they were taken.
    pub fn of(samples: &[f64]) -> Self {
        Self {
            n: samples.len(),
            median: median(samples),
            ci95: median_ci95(samples),
            min: quantile(samples, 0.0),
            mean: mean(samples),
            cv: coefficient_of_variation(samples),
            outliers: outliers(samples),
            drift: drift(samples),
        }
    }
}

/// How much the samples moved while they were taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Median of the later half over that of the earlier half, minus 1: 0.02 is 2 % up.
    pub relative: f64,
    /// Whether the 95 % intervals of the two medians lie apart, each with enough samples for one:
    /// a careful test (by chance at most about 1 in 200), since neighbouring times resemble each other.
    pub significant: bool,
}

/// The middle sample, or the mean of the two in the middle.
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// Of several runs of samples, the middle one of their medians.
pub fn median_of_medians(runs: &[&[f64]]) -> f64 {
    median(&runs.iter().map(|run| median(run)).collect::<Vec<_>>())
}

/// The `p`-quantile, `p` from 0 to 1, interpolated linearly between samples: type 7 of Hyndman
/// and Fan 1996, numpy's default. NaN for any other `p`.
pub fn quantile(samples: &[f64], p: f64) -> f64 {
    let Some(sorted) = sorted(samples).filter(|_| (0.0..=1.0).contains(&p)) else {
        return f64::NAN;
    };
    let place = p * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place as usize], sorted[place.ceil() as usize]);
    // Apart, so that two equal infinities do not give NaN.
    if low == high { low } else { low + (high - low) * place.fract() }
}

/// The distribution-free 95 % interval (low, high) of the median: order statistics whose ranks
/// come from the binomial distribution, so that each end is passed with at most 2.5 %.
///
/// Fewer than [`MIN_SAMPLES_FOR_CI95`] samples cannot give 95 %: then it is (minimum, maximum),
/// which holds the median with 1 - 2^(1 - n), so 50 % for 2 samples and 94 % for 5.
pub fn median_ci95(samples: &[f64]) -> (f64, f64) {
    let Some(sorted) = sorted(samples) else {
        return (f64::NAN, f64::NAN);
    };
    // The greatest k with P(Binomial(n, 1/2) < k) <= 2.5 %. In logarithms, because 2^-n
    // underflows from n = 1075 on.
    let n = sorted.len();
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut below = log_term.exp();
    let mut k = 0;
    while below <= 0.025 && k < n / 2 {
        log_term += ((n - k) as f64 / (k + 1) as f64).ln();
        below += log_term.exp();
        k += 1;
    }
    let low = k.saturating_sub(1);
    (sorted[low], sorted[n - 1 - low])
}

/// The arithmetic mean.
pub fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len() as f64
}

/// The geometric mean of positive values; NaN if one is not positive.
pub fn geometric_mean(values: &[f64]) -> f64 {
    if values.iter().any(|&value| value <= 0.0) {
        return f64::NAN;
    }
    mean(&values.iter().map(|value| value.ln()).collect::<Vec<_>>()).exp()
}

/// Standard deviation (of a sample: n - 1) over mean; NaN for fewer than 2 samples.
pub fn coefficient_of_variation(samples: &[f64]) -> f64 {
    standard_deviation(samples) / mean(samples)
}

/// How many samples have a modified z-score beyond 3.5 (Iglewicz and Hoaglin 1993): a distance
/// from the median of 3.5 standard deviations, these taken from the median absolute deviation,
/// or, where more than half of the samples are equal, from the mean absolute deviation.
pub fn outliers(samples: &[f64]) -> usize {
    let center = median(samples);
    let distances: Vec<f64> = samples.iter().map(|x| (x - center).abs()).collect();
    let mad = median(&distances);
    // Of a normal distribution: 1 / quantile(3/4), and sqrt(pi / 2).
    let deviation = if mad > 0.0 { mad / 0.6745 } else { mean(&distances) * 1.253_314 };
    let far = |&&distance: &&f64| distance > 3.5 * deviation;
    distances.iter().filter(far).count()
}

/// Compares the earlier with the later half of samples in the order in which they were taken; the
/// middle one of an odd number belongs to neither.
pub fn drift(samples: &[f64]) -> Drift {
    let half = samples.len() / 2;
    let (early, late) = (&samples[..half], &samples[samples.len() - half..]);
    let (early_ci, late_ci) = (median_ci95(early), median_ci95(late));
    Drift {
        relative: median(late) / median(early) - 1.0,
        significant: half >= MIN_SAMPLES_FOR_CI95
            && (early_ci.1 < late_ci.0 || late_ci.1 < early_ci.0),
    }
}

/// The ratio of two medians and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Median of the one over median of the other.
    pub ratio: f64,
    /// (low, high).
    pub ci95: (f64, f64),
}

/// The median of `samples` over that of `baseline`, each given as its runs of samples in the order in which
/// they were taken; of several runs the median of their medians counts. The interval is a percentile
/// bootstrap (Efron 1979) of 2,000 resamples, drawn by `seed`. Neighbouring samples resemble each other, so
/// whole stretches are drawn (Kuensch 1989): a `blocks`-th part of a run each.
pub fn ratio_of_medians(
    samples: &[&[f64]],
    baseline: &[&[f64]],
    blocks: usize,
    seed: u64,
) -> Ratio {
    const RESAMPLES: usize = 2000;
    let ratio = median_of_medians(samples) / median_of_medians(baseline);
    if ratio.is_nan() {
        let ci95 = (f64::NAN, f64::NAN);
        return Ratio { ratio, ci95 };
    }
    let mut state = seed;
    let mut resampled = |runs: &[&[f64]]| {
        let mut medians: Vec<f64> =
            runs.iter().map(|run| resampled_median(run, blocks, &mut state)).collect();
        median_by_selection(&mut medians)
    };
    let ratios: Vec<f64> =
        (0..RESAMPLES).map(|_| resampled(samples) / resampled(baseline)).collect();
    let ci95 = (quantile(&ratios, 0.025), quantile(&ratios, 0.975));
    Ratio { ratio, ci95 }
}

/// The median of one resample of a run: stretches drawn with replacement until the run's length is reached.
fn resampled_median(run: &[f64], blocks: usize, state: &mut u64) -> f64 {
    let length = run.len().div_ceil(blocks.max(1));
    let mut drawn = Vec::with_capacity(run.len() + length);
    while drawn.len() < run.len() {
        let start = below(state, run.len() - length + 1);
        drawn.extend_from_slice(&run[start..start + length]);
    }
    drawn.truncate(run.len());
    median_by_selection(&mut drawn)
}

/// How far the medians of the `blocks` successive parts of a run scatter, as a share: the standard deviation
/// of their logarithms, taken from the median absolute deviation, so that a part with a hiccup in it does
/// not count. NaN for fewer than three parts.
pub fn scatter(samples: &[f64], blocks: usize) -> f64 {
    let length = samples.len().div_ceil(blocks.max(1)).max(1);
    let medians: Vec<f64> = samples.chunks(length).map(|b| median(b).ln()).collect();
    if medians.len() < 3 {
        return f64::NAN;
    }
    let center = median(&medians);
    let distances: Vec<f64> = medians.iter().map(|x| (x - center).abs()).collect();
    // In a normal distribution the median absolute deviation is 0.6745 standard deviations.
    median(&distances) / 0.6745
}

/// Standard deviation of a sample (n - 1); NaN for fewer than 2.
pub fn standard_deviation(samples: &[f64]) -> f64 {
    let mean = mean(samples);
    let squares: f64 = samples.iter().map(|x| (x - mean) * (x - mean)).sum();
    (squares / (samples.len() as f64 - 1.0)).sqrt()
}

/// Cliff's delta (1993): the chance that one of `samples` is greater than one of `baseline`, less the chance
/// that it is smaller: -1 to 1, and 0 where the two are alike. NaN where either is empty or holds a NaN.
pub fn cliffs_delta(samples: &[f64], baseline: &[f64]) -> f64 {
    let (Some(samples), Some(baseline)) = (sorted(samples), sorted(baseline)) else {
        return f64::NAN;
    };
    let balance = |x: &f64| {
        let less = baseline.partition_point(|b| b < x) as f64;
        let greater = (baseline.len() - baseline.partition_point(|b| b <= x)) as f64;
        less - greater
    };
    samples.iter().map(balance).sum::<f64>() / (samples.len() * baseline.len()) as f64
}

/// The samples in ascending order, unless there are none or one is NaN.
fn sorted(samples: &[f64]) -> Option<Vec<f64>> {
    if samples.is_empty() || samples.iter().any(|x| x.is_nan()) {
        return None;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}

/// The median without a full sort: the bootstrap takes thousands.
fn median_by_selection(samples: &mut [f64]) -> f64 {
    let n = samples.len();
    let (lower, &mut upper, _) = samples.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    (lower.iter().copied().fold(f64::NEG_INFINITY, f64::max) + upper) / 2.0
}

/// A number below `n` from SplitMix64 (Steele, Lea and Flood 2014).
fn below(state: &mut u64, n: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // Multiply and shift (Lemire 2019); its bias of n / 2^64 is beyond what the samples can show.
    ((u128::from(x ^ (x >> 31)) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every constant below was computed with numpy 2.4.6 and scipy 1.17.1 by the call named
    // beside it.
    const X: [f64; 12] = [12.1, 11.9, 12.4, 12.0, 15.8, 12.2, 11.8, 12.3, 12.0, 12.1, 12.6, 11.7];

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found} for {expected}");
    }

    fn ramp(n: usize) -> Vec<f64> {
        (1..=n).map(|i| i as f64).collect()
    }

    #[test]
    fn quantiles() {
        // numpy.quantile(X, p)
        for (p, expected) in
            [(0.0, 11.7), (0.05, 11.755), (0.25, 11.975), (0.5, 12.1), (0.9, 12.58), (1.0, 15.8)]
        {
            close(quantile(&X, p), expected);
        }
        close(median(&X[..11]), 12.1); // numpy.median(X[:11])
        assert!(quantile(&X, 1.1).is_nan() && quantile(&X, f64::NAN).is_nan());
        assert_eq!(median(&[f64::INFINITY; 2]), f64::INFINITY);
    }

    #[test]
    fn moments() {
        close(mean(&X), 12.408333333333331); // numpy.mean(X)
        close(coefficient_of_variation(&X), 0.0884472811561428); // scipy.stats.variation(X, ddof=1)
        close(geometric_mean(&X), 12.369586830386897); // scipy.stats.gmean(X)
        assert!(geometric_mean(&[1.0, 0.0]).is_nan() && geometric_mean(&[1.0, -1.0]).is_nan());
    }

    #[test]
    fn interval_of_the_median() {
        // scipy.stats.quantile_test(x, q=numpy.median(x), p=.5).confidence_interval(.95), for
        // x = X and for x = 1, 2, ..., n.
        assert_eq!(median_ci95(&X), (11.9, 12.4));
        for (n, low, high) in [
            (6, 1.0, 6.0),
            (8, 1.0, 8.0),
            (9, 2.0, 8.0),
            (17, 5.0, 13.0),
            (25, 8.0, 18.0),
            (50, 18.0, 33.0),
            (99, 40.0, 60.0),
            (100, 40.0, 61.0),
            (1000, 469.0, 532.0),
            (2000, 956.0, 1045.0),
            (10000, 4902.0, 5099.0),
        ] {
            assert_eq!(median_ci95(&ramp(n)), (low, high), "{n}");
        }
        for n in 1..MIN_SAMPLES_FOR_CI95 {
            assert_eq!(median_ci95(&ramp(n)), (1.0, n as f64));
        }
    }

    #[test]
    fn outliers_by_modified_z_score() {
        // 0.6745 * (X - median) / scipy.stats.median_abs_deviation(X): 12.5 at 15.8, else < 1.7
        assert_eq!(outliers(&X), 1);
        assert_eq!(outliers(&ramp(100)), 0);
        // A coarse clock: most samples are equal.
        assert_eq!(outliers(&[[1.0; 19].as_slice(), &[2.0]].concat()), 1);
        assert_eq!(outliers(&[1.0; 20]), 0);
    }

    #[test]
    fn drift_between_the_halves() {
        let up = drift(&ramp(41));
        close(up.relative, 31.5 / 10.5 - 1.0);
        assert!(up.significant);
        assert!(drift(&ramp(12)).significant && !drift(&ramp(11)).significant);
        let still: Vec<f64> = (0..40).map(|i| f64::from(i % 5) + 10.0).collect();
        assert_eq!(drift(&still), Drift { relative: 0.0, significant: false });
    }

    #[test]
    fn ratio_with_bootstrap_interval() {
        let b = [10.2, 10.6, 10.1, 10.4, 10.3, 10.9, 10.0, 10.5, 10.2, 10.3];
        let single = |seed| ratio_of_medians(&[&b], &[&X], usize::MAX, seed);
        let ratio = single(1);
        close(ratio.ratio, 0.8512396694214877); // numpy.median(b) / numpy.median(X)
        // scipy.stats.bootstrap((X, b), ..., n_resamples=200000, method='percentile'): the
        // tolerance is what 2,000 resamples leave open.
        assert!((ratio.ci95.0 - 0.8299595141700404).abs() < 0.004, "{ratio:?}");
        assert!((ratio.ci95.1 - 0.8719008264462811).abs() < 0.004, "{ratio:?}");
        assert_eq!(ratio, single(1));
        assert_ne!(ratio, single(2));
        // Of three runs the middle median counts.
        let three = ratio_of_medians(&[&b, &[1.0; 4], &[99.0; 4]], &[&X], 8, 1);
        close(three.ratio, ratio.ratio);
    }

    #[test]
    fn stretches_widen_the_interval_of_what_resembles_its_neighbours() {
        // Eight levels of 25 samples each: by single samples the median looks well known, and is not.
        let steps: Vec<f64> = (0..200)
            .map(|i| [1.0, 1.1, 0.9, 1.2, 1.0, 0.8, 1.1, 0.9][i / 25] + 1e-4 * i as f64)
            .collect();
        let flat: Vec<f64> = (0..200).map(|i| 1.0 + 1e-4 * f64::from(i)).collect();
        let width = |blocks| {
            let ci = ratio_of_medians(&[&steps], &[&flat], blocks, 1).ci95;
            ci.1 - ci.0
        };
        assert!(width(8) > 1.5 * width(200), "{} {}", width(8), width(200));
    }

    #[test]
    fn scatter_of_parts_and_effect_size() {
        // scipy.stats.median_abs_deviation(numpy.log([1.5, 3.5, 5.5])) / 0.6745
        close(scatter(&ramp(6), 3), ((5.5_f64 / 3.5).ln()) / 0.6745);
        assert!(scatter(&[1.0, 2.0], 8).is_nan() && scatter(&[], 8).is_nan());
        // scipy.stats.mannwhitneyu([1, 2, 3, 4], [2, 3]).statistic = 4: 2 U / (n m) - 1
        close(cliffs_delta(&ramp(4), &[2.0, 3.0]) + 1.0, 1.0);
        close(cliffs_delta(&[2.0, 3.0, 4.0], &[1.0, 2.0]), 5.0 / 6.0);
        assert_eq!(cliffs_delta(&[2.0], &[1.0]), 1.0);
        assert!(cliffs_delta(&[], &[1.0]).is_nan());
    }

    #[test]
    fn selection_agrees_with_sorting() {
        for n in 1..X.len() {
            assert_eq!(median_by_selection(&mut X[..n].to_vec()), median(&X[..n]));
        }
    }

    #[test]
    fn a_summary_is_its_parts() {
        let summary = Summary::of(&X);
        assert_eq!((summary.n, summary.outliers), (12, 1));
        assert_eq!((summary.min, summary.median, summary.ci95), (11.7, median(&X), (11.9, 12.4)));
        assert_eq!((summary.mean, summary.cv), (mean(&X), coefficient_of_variation(&X)));
        assert_eq!(summary.drift, drift(&X));
    }

    #[test]
    fn nothing_one_and_nan() {
        for samples in [&[][..], &[f64::NAN], &[1.0, f64::NAN, 2.0]] {
            let s = Summary::of(samples);
            let figures = [s.median, s.ci95.0, s.ci95.1, s.min, s.mean, s.cv];
            assert!(figures.iter().all(|x| x.is_nan()), "{s:?}");
            assert_eq!((s.outliers, s.drift.significant), (0, false));
            assert!(geometric_mean(samples).is_nan());
            assert!(ratio_of_medians(&[samples], &[&X], 8, 1).ci95.0.is_nan());
            assert!(ratio_of_medians(&[&X], &[samples], 8, 1).ci95.0.is_nan());
        }
        let single = Summary::of(&[3.0]);
        assert_eq!(
            (single.median, single.ci95, single.min, single.mean),
            (3.0, (3.0, 3.0), 3.0, 3.0)
        );
        assert!(single.cv.is_nan() && single.drift.relative.is_nan());
    }
}
