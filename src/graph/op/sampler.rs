//! What tests and verification feed an op.

use crate::host::parallel::*;
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};

/// What values a test or verification feeds an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Uniform in [-1, 1).
    Uniform,
    /// Uniform around 1000: cancellation.
    Offset,
    /// Few distinct values: ties.
    Ties,
    /// All zeros.
    Zeros,
    /// About 1e-38: below it f32 is denormal.
    Tiny,
    /// Up to +-80: where exp overflows.
    Extreme,
}

impl Distribution {
    /// Every distribution.
    pub const ALL: [Self; 6] =
        [Self::Uniform, Self::Offset, Self::Ties, Self::Zeros, Self::Tiny, Self::Extreme];

    /// All but denormal values: a device may flush these, their sums and products to 0, and then finds equal
    /// what the reference tells apart.
    pub const WITHOUT_TINY: &'static [Self] =
        &[Self::Uniform, Self::Offset, Self::Ties, Self::Zeros, Self::Extreme];

    /// All, or [`Self::WITHOUT_TINY`] where a problem is `sensitive` to denormal values.
    pub fn without_tiny_if(sensitive: bool) -> &'static [Self] {
        if sensitive { Self::WITHOUT_TINY } else { &Self::ALL }
    }

    /// One f32 value.
    pub fn draw(self, rng: &mut Rng) -> f64 {
        self.of(rng.uniform())
    }

    /// The f32 value that a draw from [0, 1) stands for.
    fn of(self, uniform: f64) -> f64 {
        let u = 2.0 * uniform - 1.0;
        let value = match self {
            Self::Uniform => u,
            Self::Offset => 1000.0 + u,
            Self::Ties => (u * 2.0).round() / 2.0,
            Self::Zeros => 0.0,
            Self::Tiny => u * 4e-38,
            Self::Extreme => 80.0 * u,
        };
        f64::from(value as f32)
    }

    /// A tensor of values; integers are below `limit`.
    pub fn array(self, spec: &TensorSpec, limit: usize, rng: &mut Rng) -> Array {
        let data = match spec.dtype {
            dtype if dtype.is_float() => {
                let mut data = rng.uniforms(spec.len());
                data.par_iter_mut().for_each(|value| *value = dtype.rounded(self.of(*value)));
                data
            }
            _ => (0..spec.len()).map(|_| rng.below(limit) as f64).collect(),
        };
        Array::new(spec.clone(), data)
    }
}

/// Where [`super::Problem::sample`] takes its values from.
#[derive(Debug, Clone)]
pub struct Sampler {
    /// How they are distributed.
    pub distribution: Distribution,
    /// The same numbers for the same seed.
    pub rng: Rng,
}

impl Sampler {
    /// Values of a distribution, by a seed.
    pub fn new(distribution: Distribution, seed: u64) -> Self {
        Self { distribution, rng: Rng::new(seed) }
    }

    /// A tensor of values; integers are below `limit`.
    pub fn array(&mut self, spec: &TensorSpec, limit: usize) -> Array {
        self.distribution.array(spec, limit, &mut self.rng)
    }

    /// One for each of `specs`.
    pub fn arrays(&mut self, specs: &[TensorSpec], limit: usize) -> Vec<Array> {
        specs.iter().map(|spec| self.array(spec, limit)).collect()
    }
}
