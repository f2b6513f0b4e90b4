//! The front end: audio to 13 mel-frequency cepstral coefficients and their 13 deltas, standardised over
//! the utterance (Davis & Mermelstein 1980; the settings are HTK's usual ones).

use std::f64::consts::PI;
use std::sync::Arc;

use rustfft::Fft;
use rustfft::num_complex::Complex;

use super::audio::RATE;

/// Samples of a window: 25 ms.
pub const WINDOW: usize = 400;

/// Samples from one window to the next: 10 ms.
pub const HOP: usize = 160;

/// Coefficients of a frame, deltas included.
pub const COEFFICIENTS: usize = 26;

const FFT: usize = 512;
const FILTERS: usize = 26;
const CEPSTRA: usize = 13;
const PRE_EMPHASIS: f64 = 0.97;

/// Frames of this many samples; 0 where not even one window fits.
pub fn frames(samples: usize) -> usize {
    samples.checked_sub(WINDOW).map_or(0, |rest| 1 + rest / HOP)
}

/// Tables of the front end, made once.
pub struct Mfcc {
    fft: Arc<dyn Fft<f64>>,
    window: Vec<f64>,
    /// For each filter, the bins it covers with their weights.
    filters: Vec<Vec<(usize, f64)>>,
    /// Orthonormal DCT-II, [cepstra][filters].
    dct: Vec<Vec<f64>>,
}

impl std::fmt::Debug for Mfcc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mfcc")
    }
}

impl Default for Mfcc {
    fn default() -> Self {
        let hamming = |i: usize| 0.54 - 0.46 * (2.0 * PI * i as f64 / (WINDOW - 1) as f64).cos();
        let dct = |k: usize, n: usize| {
            let scale = if k == 0 { 1.0 } else { 2.0 } / FILTERS as f64;
            scale.sqrt() * (PI * k as f64 * (n as f64 + 0.5) / FILTERS as f64).cos()
        };
        Self {
            fft: fft(),
            window: (0..WINDOW).map(hamming).collect(),
            filters: mel_filters(),
            dct: (0..CEPSTRA).map(|k| (0..FILTERS).map(|n| dct(k, n)).collect()).collect(),
        }
    }
}

/// The transform that is fastest here.
#[cfg(not(target_arch = "wasm32"))]
fn fft() -> Arc<dyn Fft<f64>> {
    rustfft::FftPlanner::new().plan_fft_forward(FFT)
}

/// The one that a planner would choose of those a page can run: planning itself is 150 kB.
#[cfg(target_arch = "wasm32")]
fn fft() -> Arc<dyn Fft<f64>> {
    Arc::new(rustfft::algorithm::Radix4::new(FFT, rustfft::FftDirection::Forward))
}

/// Hz on the mel scale, on which equal steps sound equally large.
fn mel(hz: f64) -> f64 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

/// The frequency in Hz of a point on the mel scale.
fn hz(mel: f64) -> f64 {
    700.0 * (10f64.powf(mel / 2595.0) - 1.0)
}

/// Triangles, equally wide on the mel scale, from 0 Hz to half the rate.
fn mel_filters() -> Vec<Vec<(usize, f64)>> {
    let top = mel(f64::from(RATE) / 2.0);
    let corner = |i: usize| hz(top * i as f64 / (FILTERS + 1) as f64);
    (0..FILTERS).map(|m| triangle([0, 1, 2].map(|i| corner(m + i)))).collect()
}

/// The bins within a triangle of these corners in Hz, with their weights.
fn triangle([low, middle, high]: [f64; 3]) -> Vec<(usize, f64)> {
    let weight = |bin: usize| {
        let hz = bin as f64 * f64::from(RATE) / FFT as f64;
        ((hz - low) / (middle - low)).min((high - hz) / (high - middle)).max(0.0)
    };
    (0..=FFT / 2).map(|bin| (bin, weight(bin))).filter(|(_, w)| *w > 0.0).collect()
}

/// What of a spectrum's power passes a filter.
fn energy(filter: &[(usize, f64)], spectrum: &[Complex<f64>]) -> f64 {
    filter.iter().map(|(bin, weight)| weight * spectrum[*bin].norm_sqr()).sum()
}

impl Mfcc {
    /// Features [frames, 26] of an utterance, each coefficient with mean 0 and variance 1 over it.
    pub fn features(&self, samples: &[i16]) -> Vec<f32> {
        let count = frames(samples.len());
        let cepstra: Vec<Vec<f64>> = (0..count).map(|t| self.cepstrum(samples, t * HOP)).collect();
        let mut features: Vec<Vec<f64>> = (0..count)
            .map(|t| {
                let delta = |k: usize| delta(&cepstra, t, k);
                cepstra[t].iter().copied().chain((0..CEPSTRA).map(delta)).collect()
            })
            .collect();
        for k in 0..COEFFICIENTS {
            let mean = features.iter().map(|f| f[k]).sum::<f64>() / count.max(1) as f64;
            let square = features.iter().map(|f| (f[k] - mean).powi(2)).sum::<f64>();
            // Digital silence has no variance: it stays 0.
            let deviation = (square / count.max(1) as f64).sqrt().max(1e-8);
            features.iter_mut().for_each(|f| f[k] = (f[k] - mean) / deviation);
        }
        features.into_iter().flatten().map(|x| x as f32).collect()
    }

    fn cepstrum(&self, samples: &[i16], start: usize) -> Vec<f64> {
        let at = |i: usize| f64::from(samples[i]) / 32768.0;
        let mut buffer = vec![Complex::new(0.0, 0.0); FFT];
        for (i, w) in self.window.iter().enumerate() {
            let n = start + i;
            let before = if n == 0 { 0.0 } else { at(n - 1) };
            buffer[i].re = w * (at(n) - PRE_EMPHASIS * before);
        }
        self.fft.process(&mut buffer);
        // The floor is far below one quantisation step.
        let log = |filter: &Vec<_>| energy(filter, &buffer).max(1e-12).ln();
        let logs: Vec<f64> = self.filters.iter().map(log).collect();
        self.dct.iter().map(|row| row.iter().zip(&logs).map(|(d, l)| d * l).sum()).collect()
    }
}

/// The slope of a coefficient by regression over two frames to each side, the ends repeated.
fn delta(cepstra: &[Vec<f64>], t: usize, k: usize) -> f64 {
    let at = |i: isize| cepstra[i.clamp(0, cepstra.len() as isize - 1) as usize][k];
    let t = t as isize;
    let slope = |n: isize| n as f64 * (at(t + n) - at(t - n));
    (slope(1) + slope(2)) / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_as_windows_fit() {
        assert_eq!((frames(399), frames(400), frames(559), frames(560)), (0, 1, 1, 2));
    }

    #[test]
    fn a_tone_is_loudest_in_the_filter_around_it() {
        let mfcc = Mfcc::default();
        let tone = |hz: f64| -> Vec<i16> {
            let value =
                |i: usize| (8000.0 * (2.0 * PI * hz * i as f64 / f64::from(RATE)).sin()) as i16;
            (0..WINDOW).map(value).collect()
        };
        // The full DCT is orthonormal, so the log energies cannot be had back from 13 of 26: look at them.
        for hz in [300.0, 1000.0, 3000.0] {
            let samples = tone(hz);
            let mut buffer: Vec<_> =
                samples.iter().map(|&s| Complex::new(f64::from(s), 0.0)).collect();
            buffer.resize(FFT, Complex::new(0.0, 0.0));
            mfcc.fft.process(&mut buffer);
            let energies: Vec<f64> = mfcc.filters.iter().map(|f| energy(f, &buffer)).collect();
            let loudest =
                (0..FILTERS).max_by(|a, b| energies[*a].total_cmp(&energies[*b])).unwrap();
            let weight_at = |f: &Vec<(usize, f64)>| {
                let bin = (hz * FFT as f64 / f64::from(RATE)).round() as usize;
                f.iter().find(|(b, _)| *b == bin).map_or(0.0, |(_, w)| *w)
            };
            assert!(weight_at(&mfcc.filters[loudest]) >= 0.4, "{hz} Hz in filter {loudest}");
        }
    }

    #[test]
    fn the_dct_is_orthonormal() {
        let mfcc = Mfcc::default();
        for a in 0..CEPSTRA {
            for b in 0..CEPSTRA {
                let dot: f64 = mfcc.dct[a].iter().zip(&mfcc.dct[b]).map(|(x, y)| x * y).sum();
                assert!((dot - f64::from(u8::from(a == b))).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_delta_of_a_ramp_is_its_slope() {
        let ramp: Vec<Vec<f64>> = (0..9).map(|t| vec![3.0 * t as f64]).collect();
        assert!((delta(&ramp, 4, 0) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn features_are_standardised_over_the_utterance() {
        let samples: Vec<i16> = (0..8000).map(|i: i32| ((i * i) % 5000 - 2500) as i16).collect();
        let features = Mfcc::default().features(&samples);
        let count = features.len() / COEFFICIENTS;
        for k in 0..COEFFICIENTS {
            let values: Vec<f64> =
                (0..count).map(|t| f64::from(features[t * COEFFICIENTS + k])).collect();
            let mean = values.iter().sum::<f64>() / count as f64;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count as f64;
            assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4, "{k}: {mean} {variance}");
        }
    }
}
