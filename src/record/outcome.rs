//! What a run computed, in a few numbers that two devices can be held against each other by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the first steps from the seed gave, in a few numbers that two devices can be held against each other by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Steps from the seed, all on the first batch.
    pub steps: usize,
    /// Loss of the last of them, in training.
    pub loss: Option<f64>,
    /// The parameters after them in training, the outputs in inference.
    pub tensors: Vec<Sketch>,
}

/// A tensor in two numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sketch {
    /// Of the parameter or output.
    pub name: String,
    /// Root mean square; nothing where a value is not finite.
    pub rms: Option<f64>,
    /// Sum of the values under pseudo-random signs over the square root of their number: two tensors that differ
    /// anywhere by an rms of d differ here by about d. Nothing as for `rms`.
    pub projection: Option<f64>,
}

impl Sketch {
    /// Of a tensor's values.
    pub fn of(name: &str, values: &[f64]) -> Self {
        let root = (values.len().max(1) as f64).sqrt();
        let norm = values.iter().map(|x| x * x).sum::<f64>().sqrt();
        let signed = values.iter().enumerate().map(|(i, x)| if sign(i) { *x } else { -x });
        let finite = |x: f64| x.is_finite().then_some(x);
        let projection = signed.sum::<f64>() / root;
        Self { name: name.into(), rms: finite(norm / root), projection: finite(projection) }
    }

    /// By how much two sketches of the same tensor are apart, as a share of its rms; nothing where a value of one
    /// is not finite.
    pub fn apart(&self, other: &Self) -> Option<f64> {
        let (rms, rms_other) = (self.rms?, other.rms?);
        let most = (rms - rms_other).abs().max((self.projection? - other.projection?).abs());
        // Zeros on both sides are the same.
        Some(if most == 0.0 { 0.0 } else { most / rms.max(rms_other) })
    }
}

/// A coin for each place, the same everywhere: the top bit of Steele, Lea and Flood's mix of 2014.
fn sign(i: usize) -> bool {
    let mut z = (i as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) >> 63 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_shows_what_differs_and_about_how_much() {
        let values: Vec<f64> = (0..10_000).map(|i| (f64::from(i) * 0.7).sin()).collect();
        let sketch = Sketch::of("w", &values);
        assert!((sketch.rms.unwrap() - 0.5f64.sqrt()).abs() < 1e-3);
        assert_eq!(sketch.apart(&sketch), Some(0.0));
        // Each value off by a thousandth either way: an rms difference of 1e-3.
        let noise = |i: usize| if (i * 7919) % 13 < 6 { 1e-3 } else { -1e-3 };
        let near: Vec<f64> = values.iter().enumerate().map(|(i, x)| x + noise(i)).collect();
        let apart = sketch.apart(&Sketch::of("w", &near)).unwrap();
        assert!((1e-5..1e-2).contains(&apart), "{apart}");
        // Two values exchanged leave the rms and are seen all the same.
        let mut exchanged = values.clone();
        exchanged.swap(10, 4_001);
        assert!(sketch.apart(&Sketch::of("w", &exchanged)).unwrap() > 1e-6);
        assert_eq!(Sketch::of("w", &[1.0, f64::NAN]).apart(&sketch), None);
        assert_eq!(Sketch::of("w", &[0.0; 3]).apart(&Sketch::of("w", &[0.0; 3])), Some(0.0));
    }
}
