//! The gradient of batch normalisation.

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Sampler, Storage, Tolerance};
use crate::kernel::{Caps, Lowered, Variant, input, output, scratch};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::sums::{Channels, HELD, Pass};
use super::{moments, spread};

/// The gradient of [`BatchNorm`](super::BatchNorm): x, scale, mean, variance (unbiased), dy to dx, dscale, dshift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormGrad {
    /// Added to the variance.
    pub epsilon: f32,
}

impl Op for BatchNormGrad {
    fn kind(&self) -> Kind {
        Kind::new("batch_norm_grad", Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (x, dy) = (&inputs[0], &inputs[4]);
        let channels = Channels::of(x, &inputs[1..4])?;
        if !dy.is_like(x) {
            return Err(format!("{dy} is not {x}"));
        }
        let outputs = [0, 1, 1].map(|at: usize| inputs[at].clone());
        let tolerance = Tolerance::sum(channels.rows.max(64));
        // Tiny is left out as well: a sum over thousands of values that a device may flush to 0.
        let facts = Facts::moving(11 * channels.elements() as u64, inputs, outputs, tolerance)
            .drawn_from(&[
                Distribution::Uniform,
                Distribution::Ties,
                Distribution::Zeros,
                Distribution::Extreme,
            ]);
        let (epsilon, inputs) = (self.epsilon, inputs.to_vec());
        Ok(Box::new(BatchNormGradProblem { epsilon, channels, inputs, facts }))
    }
}

/// [`BatchNormGrad`] at given sizes.
#[derive(Debug)]
struct BatchNormGradProblem {
    epsilon: f32,
    channels: Channels,
    inputs: Vec<TensorSpec>,
    facts: Facts,
}

impl Problem for BatchNormGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.channels.variants(caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let [x, scale, mean, variance, dy] = [0, 1, 2, 3, 4].map(input);
        let pass = Pass { variant, grad: true, epsilon: self.epsilon, caps };
        if variant.name == HELD {
            let held = self
                .channels
                .pass("held_grad", &pass)
                .bind("x", x)
                .bind("scale", scale)
                .bind("mean", mean)
                .bind("variance", variance)
                .bind("dy", dy)
                .bind("dx", output(0))
                .bind("dscale", output(1))
                .bind("dshift", output(2));
            return Lowered::one(held);
        }
        let sums = self
            .channels
            .pass("sums", &pass)
            .bind("x", x)
            .bind("mean", mean)
            .bind("variance", variance)
            .bind("dy", dy)
            .bind("parts", scratch(0));
        let grad = self
            .channels
            .pass("grad", &pass)
            .bind("x", x)
            .bind("scale", scale)
            .bind("dy", dy)
            .bind("parts", scratch(0).read())
            .bind("dx", output(0))
            .bind("dscale", output(1))
            .bind("dshift", output(2));
        Lowered { dispatches: vec![sums, grad], scratch: vec![self.channels.parts(&pass)] }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, scale, mean, variance, dy] = [0, 1, 2, 3, 4].map(|at: usize| inputs[at]);
        let (n, channels) = (self.channels.rows as f64, self.channels.channels);
        let biased = variance.data.iter().map(|variance| variance * (n - 1.0) / n);
        let factors: Vec<f64> =
            biased.map(|biased| 1.0 / (biased + f64::from(self.epsilon)).sqrt()).collect();
        let hat = |i: usize| (x.data[i] - mean.data[i % channels]) * factors[i % channels];
        let (mut dscale, mut dshift) = (vec![0.0; channels], vec![0.0; channels]);
        for (i, d) in dy.data.iter().enumerate() {
            dscale[i % channels] += d * hat(i);
            dshift[i % channels] += d;
        }
        let dx = |(i, d): (usize, &f64)| {
            let c = i % channels;
            scale.data[c] * factors[c] * (d - (dshift[c] + hat(i) * dscale[c]) / n)
        };
        let dx = dy.data.iter().enumerate().map(dx).collect();
        vec![
            Array::new(x.spec.clone(), dx),
            Array::f32([channels], dscale),
            Array::f32([channels], dshift),
        ]
    }

    /// The statistics are those of x.
    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sampler.arrays(inputs, 4);
        spread(&mut arrays[0]);
        let n = self.channels.rows as f64;
        let (mean, squares) = moments(&arrays[0]);
        arrays[2].data = mean;
        arrays[3].data = squares.iter().map(|s| s / (n - 1.0).max(1.0)).collect();
        arrays.iter().map(Array::rounded).collect()
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.channels.fewer_rows(&self.inputs)
    }
}
