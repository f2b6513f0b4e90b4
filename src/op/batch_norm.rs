//! Batch normalisation in training (Ioffe & Szegedy 2015): by the statistics of the batch itself.

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::chain::{Chain, Epilogue};
use crate::graph::op::{Backward, Facts, Kind, Op, Problem, Sampler, Storage, Tolerance};
use crate::kernel::{Caps, Lowered, Variant, input, output, scratch};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

mod cases;
mod grad;
mod sums;

pub(super) use cases::cases;
pub use grad::BatchNormGrad;
use sums::{Channels, HELD, Pass};

/// x [.., C], scale `[C]`, shift `[C]` to y [.., C], mean `[C]`, variance `[C]`: y = (x - mean) / sqrt(biased
/// variance + epsilon) * scale + shift over all N rows. The variance that is given out is the unbiased one,
/// of N - 1 (of 1 where there is one row).
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// Applied to each value of y as it is stored; its other inputs follow the shift.
    pub epilogue: Option<Chain>,
}

/// Mean and sum of squared distances of each channel.
fn moments(x: &Array) -> (Vec<f64>, Vec<f64>) {
    let (n, channels) = (x.spec.shape.rows() as f64, x.spec.shape.last());
    let mut mean = vec![0.0; channels];
    for row in x.data.chunks(channels) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n);
    }
    let mut squares = vec![0.0; channels];
    for row in x.data.chunks(channels) {
        for ((s, v), m) in squares.iter_mut().zip(row).zip(&mean) {
            *s += (v - m) * (v - m);
        }
    }
    (mean, squares)
}

/// Two rows, standardised, are +-1 whatever they were, and their gradient nearly vanishes: values are small
/// then, so that epsilon counts.
fn spread(x: &mut Array) {
    let most = x.data.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    if x.spec.shape.rows() == 2 && most > 0.0 {
        x.data.iter_mut().for_each(|v| *v = f64::from((*v * 0.004 / most) as f32));
    }
}

impl Op for BatchNorm {
    fn kind(&self) -> Kind {
        Kind::new("batch_norm", Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let x = &inputs[0];
        let channels = Channels::of(x, &inputs[1..3])?;
        let epilogue = Epilogue::new(self.epilogue.as_ref(), x, inputs, 3)?;
        // Two passes' worth of arithmetic; x once in, y once out.
        let flops = channels.elements() as u64 * (7 + epilogue.flops());
        let tolerance = Tolerance::sum(channels.rows.max(16) + 16 * epilogue.depth());
        // Of values far from zero as well: a mean of 1000 is known to 6e-5 in f32, but y comes of distances from a row.
        let facts = Facts::moving(flops, inputs, inputs[..3].to_vec(), tolerance);
        let (epsilon, inputs) = (self.epsilon, inputs.to_vec());
        Ok(Box::new(BatchNormProblem { epsilon, channels, epilogue, inputs, facts }))
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        // Epilogues are made after differentiation.
        if self.epilogue.is_some() {
            return vec![None; x.len()];
        }
        let mut grads = vec![None; 3];
        if let Some(dy) = dy[0] {
            let epsilon = self.epsilon;
            let operands = [x[0], x[1], y[1], y[2], dy];
            let gradients = dy.graph().apply(BatchNormGrad { epsilon }, &operands);
            grads = gradients[..3].iter().copied().map(Some).collect();
        }
        // In models the statistics only feed running ones, and these have no gradient.
        let n = x[0].spec().shape.rows() as f32;
        let shape = x[0].spec().shape;
        let mut add = |dx: Tensor<'g>| grads[0] = Some(grads[0].map_or(dx, |sum| sum + dx));
        if let Some(mean) = dy[1] {
            add(mean.scale(1.0 / n).broadcast_to(&shape));
        }
        if let Some(variance) = dy[2] {
            add(((x[0] - y[1]) * variance).scale(2.0 / (n - 1.0).max(1.0)));
        }
        grads
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        // Seven bindings are taken by then, of the eight that every device has.
        let epilogue = chain.unless_random()?.behind(self.epilogue.as_ref());
        (epilogue.inputs <= 2)
            .then(|| Arc::new(Self { epilogue: Some(epilogue), ..self.clone() }) as Arc<dyn Op>)
    }

    fn epilogue(&self) -> Option<&Chain> {
        self.epilogue.as_ref()
    }
}

/// [`BatchNorm`] at given sizes.
#[derive(Debug)]
struct BatchNormProblem {
    epsilon: f32,
    channels: Channels,
    epilogue: Epilogue,
    inputs: Vec<TensorSpec>,
    facts: Facts,
}

impl Problem for BatchNormProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.channels.variants(caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let pass = Pass { variant, grad: false, epsilon: self.epsilon, caps };
        if variant.name == HELD {
            let held = self
                .channels
                .pass("held", &pass)
                .bind("x", input(0))
                .bind("scale", input(1))
                .bind("shift", input(2))
                .bind("y", output(0))
                .bind("mean", output(1))
                .bind("variance", output(2));
            return Lowered::one(self.epilogue.attach_wide(held, self.channels.width));
        }
        let sums = self.channels.pass("sums", &pass).bind("x", input(0)).bind("parts", scratch(0));
        let normalise = self
            .channels
            .pass("normalise", &pass)
            .bind("x", input(0))
            .bind("scale", input(1))
            .bind("shift", input(2))
            .bind("parts", scratch(0).read())
            .bind("y", output(0))
            .bind("mean", output(1))
            .bind("variance", output(2));
        let normalise = self.epilogue.attach_wide(normalise, self.channels.width);
        Lowered { dispatches: vec![sums, normalise], scratch: vec![self.channels.parts(&pass)] }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (x, scale, shift) = (inputs[0], inputs[1], inputs[2]);
        let (n, channels) = (self.channels.rows as f64, self.channels.channels);
        let (mean, squares) = moments(x);
        let normalise = |(i, v): (usize, &f64)| {
            let c = i % channels;
            let deviation = (squares[c] / n + f64::from(self.epsilon)).sqrt();
            (v - mean[c]) / deviation * scale.data[c] + shift.data[c]
        };
        let y = x.data.iter().enumerate().map(normalise).collect();
        let y = self.epilogue.apply(Array::new(x.spec.clone(), y), inputs);
        let variance = squares.iter().map(|s| s / (n - 1.0).max(1.0)).collect();
        vec![y, Array::f32([channels], mean), Array::f32([channels], variance)]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sampler.arrays(inputs, 4);
        spread(&mut arrays[0]);
        arrays
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.channels.fewer_rows(&self.inputs)
    }
}

impl<'g> Tensor<'g> {
    /// y, mean and unbiased variance of batch norm over the last axis: see [`BatchNorm`].
    pub fn batch_norm(self, scale: Tensor<'g>, shift: Tensor<'g>, epsilon: f32) -> [Tensor<'g>; 3] {
        let op = BatchNorm { epsilon, epilogue: None };
        let y = self.graph().apply(op, &[self, scale, shift]);
        [y[0], y[1], y[2]]
    }
}
