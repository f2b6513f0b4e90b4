//! State that follows other values: running statistics, and the target network's copies.

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

/// target = (1 - rate) target + rate source, in place, at every `period`-th step. Inputs: clock, source
/// `[n]`, target `[n]`, n a multiple of 64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ema {
    /// Share of the source.
    pub rate: f32,
    /// Steps from one update to the next; the first is the `period`-th.
    pub period: u32,
}

impl OldOp for Ema {
    fn name(&self) -> &'static str {
        "ema"
    }

    fn class(&self) -> Class {
        Class::Optimisation
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let target = &inputs[2];
        if inputs[0] != TensorSpec::u32([4])
            || inputs[1] != *target
            || target.shape.rank() != 1
            || !target.len().is_multiple_of(64)
        {
            return Err(format!(
                "takes a clock and two flat tensors of one length, a multiple of 64: {inputs:?}"
            ));
        }
        Ok(vec![target.clone()])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        // Steps at which nothing is due cost nothing.
        let n = inputs[2].len() as u64 / u64::from(self.period);
        Cost { flops: 3 * n, bytes: 12 * n }
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("ema", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let n = io.inputs[2].len();
        // 64 elements are 256 bytes, the alignment of binding offsets.
        let most = (io.caps.max_binding / 4) as usize / 64 * 64;
        let rest = (1.0 - f64::from(self.rate)) as f32;
        let chunk = |first: usize| {
            let len = most.min(n - first);
            let groups = len / 4;
            Dispatch {
                kernel: Kernel::of("ema", variant),
                bindings: vec![input(0), input(1).range(first, len), output(0).range(first, len)],
                params: unnamed(vec![
                    groups as u32,
                    self.period,
                    self.rate.to_bits(),
                    rest.to_bits(),
                ]),
                grid: grid(groups.div_ceil(64), io.caps),
            }
        };
        Lowered { dispatches: (0..n).step_by(most).map(chunk).collect(), scratch: vec![] }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut target = inputs[2].clone();
        let rate = f64::from(self.rate);
        if (inputs[0].data[0] as u64 + 1).is_multiple_of(u64::from(self.period)) {
            for (t, s) in target.data.iter_mut().zip(&inputs[1].data) {
                *t = (1.0 - rate) * *t + rate * s;
            }
        }
        vec![target]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(2)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 2)]
    }

    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let draw = |spec: &TensorSpec| distribution.array(spec, 1000, rng);
        let mut arrays: Vec<_> = inputs.iter().map(draw).collect();
        // A step at which it is due, or the one after.
        let due = f64::from(self.period - 1);
        arrays[0].data[0] = due + f64::from(u8::from(distribution == Distribution::Ties));
        arrays
    }
}

impl Builder {
    /// Moves the flat state `target` towards `source`: see [`Ema`].
    pub fn ema<'g>(&'g self, target: Tensor<'g>, source: Tensor<'g>, ema: Ema) {
        self.apply1(ema, &[self.clock(), source, target]);
    }
}

/// Cases of [`Ema`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "ema"
    }

    fn cases(&self) -> Vec<Case> {
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
}
