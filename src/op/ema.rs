//! State that tracks other values: running statistics, and the copies of the target network.

use crate::graph::op::{Cost, Distribution, Facts, Kind, Op, Output, Problem, Sampler, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::optimizer::{each, rest};

/// target = (1 - rate) target + rate source, in place, at every `period`-th step. Inputs: clock, source
/// `[n]`, target `[n]`, n a multiple of 64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ema {
    /// Share of the source.
    pub rate: f32,
    /// Steps from one update to the next; the first is the `period`-th.
    pub period: u32,
}

impl Op for Ema {
    fn kind(&self) -> Kind {
        Kind::new("ema", Class::Optimisation)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let target = &inputs[2];
        let n = target.len();
        if inputs[0] != TensorSpec::u32([4])
            || inputs[1] != *target
            || target.shape.rank() != 1
            || !n.is_multiple_of(64)
        {
            return Err(format!(
                "takes a clock and two flat tensors of one length, a multiple of 64: {inputs:?}"
            ));
        }
        // Steps at which nothing is due cost nothing.
        let due = n as u64 / u64::from(self.period);
        let cost = Cost { flops: 3 * due, bytes: 12 * due };
        let outputs = [Output::in_place(target.clone(), 2)];
        let facts = Facts::new(outputs, cost, Tolerance::sum(2));
        Ok(Box::new(Following { ema: *self, n, facts }))
    }
}

/// The update of `n` values.
#[derive(Debug)]
struct Following {
    ema: Ema,
    n: usize,
    facts: Facts,
}

impl Problem for Following {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        each(caps).iter().map(|&each| Variant::new("ema", [("EACH", each)])).collect()
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let most = caps.most_elements(DType::F32);
        let Ema { rate, period } = self.ema;
        let chunk = |first: usize| {
            let len = most.min(self.n - first);
            let invocations = (len / 4).div_ceil(variant.get("EACH") as usize);
            Dispatch::new(Kernel::of("ema", variant), grid(invocations.div_ceil(64), caps))
                .bind("clock", input(0))
                .bind("source", input(1).range(first, len))
                .bind("into", output(0).range(first, len))
                .param("groups", len / 4)
                .param("period", period)
                .param("rate", rate)
                .param("rest", rest(rate))
        };
        Lowered { dispatches: (0..self.n).step_by(most).map(chunk).collect(), scratch: vec![] }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut target = inputs[2].clone();
        let rate = f64::from(self.ema.rate);
        if (inputs[0].data[0] as u64 + 1).is_multiple_of(u64::from(self.ema.period)) {
            for (t, s) in target.data.iter_mut().zip(&inputs[1].data) {
                *t = (1.0 - rate) * *t + rate * s;
            }
        }
        vec![target]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sampler.arrays(inputs, 1000);
        // A step at which it is due, or the one after.
        let due = f64::from(self.ema.period - 1);
        arrays[0].data[0] = due + f64::from(u8::from(sampler.distribution == Distribution::Ties));
        arrays
    }
}

impl Builder {
    /// Moves the flat state `target` towards `source`: see [`Ema`].
    pub fn ema<'g>(&'g self, target: Tensor<'g>, source: Tensor<'g>, ema: Ema) {
        self.apply1(ema, &[self.clock(), source, target]);
    }
}

/// Awkward cases of [`Ema`].
pub(super) fn cases() -> Vec<Case> {
    let case = |(name, rate, period, n): (&str, f32, u32, usize)| {
        let flat = TensorSpec::f32([n]);
        let inputs = [TensorSpec::u32([4]), flat.clone(), flat];
        Case::new(format!("{name}_{n}"), Ema { rate, period }, inputs)
    };
    let cases = [
        ("average", 0.1, 1, 64),
        ("average", 0.1, 1, 4160),
        ("copy", 1.0, 10_000, 64),
        ("copy", 1.0, 3, 100_032),
    ];
    cases.map(case).into()
}
