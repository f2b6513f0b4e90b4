//! Local response normalisation across channels (Krizhevsky 2012, section 3.3).

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

/// y = x / d^(3/4), d = k + alpha * the sum of x^2 over the `2 half + 1` neighbouring channels, over the
/// last axis of x [.., C]. The window is cut at the first and the last channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lrn {
    /// Neighbours on each side, 2 at most.
    pub half: usize,
    /// Added to the sum.
    pub k: f32,
    /// Weight of the sum.
    pub alpha: f32,
}

/// Its gradient: x, dy to dx.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LrnGrad(pub Lrn);

impl Lrn {
    fn check(&self, x: &TensorSpec) -> Result<(), String> {
        if self.half > 2 || x.shape.rank() == 0 || x.shape.is_empty() {
            return Err(format!("{} neighbours in {x}", self.half));
        }
        Ok(())
    }

    fn dispatch(&self, variant: &Variant, io: &Io) -> Dispatch {
        let (pixels, channels) = (io.inputs[0].shape.rows(), io.inputs[0].shape.last());
        let blocks = pixels * channels.div_ceil(4);
        Dispatch {
            kernel: Kernel::new(format!("lrn/{}", variant.name))
                .with_consts(&[("HALF", self.half as u32)])
                .with_text("WIDE", channels.is_multiple_of(4).to_string()),
            bindings: (0..io.inputs.len()).map(input).chain([output(0)]).collect(),
            params: unnamed(vec![
                pixels as u32,
                channels as u32,
                self.k.to_bits(),
                self.alpha.to_bits(),
            ]),
            grid: grid(blocks.div_ceil(64), io.caps),
        }
    }

    /// d of each channel of a row, and the neighbours of channel c.
    fn divisors(&self, row: &[f64]) -> Vec<f64> {
        let sum = |c: usize| row[self.near(c, row.len())].iter().map(|x| x * x).sum::<f64>();
        let of = |c| f64::from(self.k) + f64::from(self.alpha) * sum(c);
        (0..row.len()).map(of).collect()
    }

    fn near(&self, c: usize, channels: usize) -> std::ops::Range<usize> {
        c.saturating_sub(self.half)..(c + self.half + 1).min(channels)
    }
}

impl OldOp for Lrn {
    fn name(&self) -> &'static str {
        "lrn"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        self.check(&inputs[0])?;
        Ok(inputs[..1].to_vec())
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let each = 2 * (2 * self.half + 1) + 6;
        Cost::new((inputs[0].len() * each) as u64, inputs, &inputs[..1])
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("forward", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        Lowered::one(self.dispatch(variant, io))
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        vec![dy[0].map(|dy| dy.graph().apply1(LrnGrad(*self), &[x[0], dy]))]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[0].data.chunks(inputs[0].spec.shape.last());
        let normalise = |row: &[f64]| {
            let divided = row.iter().zip(self.divisors(row));
            divided.map(|(x, d)| x * d.powf(-0.75)).collect::<Vec<_>>()
        };
        let y = rows.flat_map(normalise).collect();
        vec![Array::new(inputs[0].spec.clone(), y)]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(2 * self.half + 1)
    }
}

impl OldOp for LrnGrad {
    fn name(&self) -> &'static str {
        "lrn_grad"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        self.0.check(&inputs[0])?;
        if inputs[0] != inputs[1] {
            return Err(format!("{} and {} differ", inputs[0], inputs[1]));
        }
        Ok(inputs[..1].to_vec())
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let each = 3 * (2 * self.0.half + 1) + 13;
        Cost::new((inputs[0].len() * each) as u64, inputs, &inputs[..1])
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("grad", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        Lowered::one(self.0.dispatch(variant, io))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let channels = inputs[0].spec.shape.last();
        let rows = inputs[0].data.chunks(channels);
        let mut dx = Vec::with_capacity(inputs[0].data.len());
        for (x, dy) in rows.zip(inputs[1].data.chunks(channels)) {
            let d = self.0.divisors(x);
            for c in 0..channels {
                let near = self.0.near(c, channels);
                let sum: f64 = near.map(|j| dy[j] * x[j] * d[j].powf(-1.75)).sum();
                dx.push(dy[c] * d[c].powf(-0.75) - 1.5 * f64::from(self.0.alpha) * x[c] * sum);
            }
        }
        vec![Array::new(inputs[0].spec.clone(), dx)]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(4 * (2 * self.0.half + 1))
    }
}

impl<'g> Tensor<'g> {
    /// Local response normalisation over the last axis.
    pub fn lrn(self, lrn: Lrn) -> Tensor<'g> {
        self.graph().apply1(lrn, &[self])
    }
}

/// Cases of [`Lrn`] and [`LrnGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "lrn"
    }

    fn cases(&self) -> Vec<Case> {
        let lrn = |half: usize, alpha: f32| Lrn { half, k: 2.0, alpha };
        let sizes: [(&[usize], Lrn); 7] = [
            (&[1, 1], lrn(2, 1e-4)),
            (&[3, 5], lrn(2, 0.5)),
            (&[2, 3, 7], lrn(1, 0.5)),
            (&[2, 2, 3, 12], lrn(2, 0.5)),
            (&[5, 4], lrn(0, 0.5)),
            (&[4, 27, 27, 96], lrn(2, 1e-4)),
            (&[1_100_000, 4], lrn(2, 1e-4)),
        ];
        let mut cases = Vec::new();
        for (dims, lrn) in sizes {
            let x = TensorSpec::f32(dims);
            let name = format!("{}_half{}", super::rows::size(dims), lrn.half);
            cases.push(Case::new(format!("{name}_dx"), LrnGrad(lrn), [x.clone(), x.clone()]));
            cases.push(Case::new(name, lrn, [x]));
        }
        cases
    }
}
