//! Softmax and log-softmax over the last axis, with their gradients.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Lowered, Variant, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{MANY_ROWS, Rows, SHAPES, Team, check, fewer_rows, size};

/// y = exp(x) / sum of exp(x), or its logarithm, along the last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax {
    /// The logarithm.
    pub log: bool,
}

/// The gradient of [`Softmax`] from its result y and the gradient dy, both [.., C].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftmaxGrad {
    /// Of the logarithm.
    pub log: bool,
}

/// Variants that keep a row in registers, as far as it fits.
pub(crate) fn variants(rows: Rows, caps: &Caps) -> Vec<Variant> {
    let keep = |team: Team| {
        let each = rows.vectors().div_ceil(team.team);
        let kept = each.next_power_of_two().min(team.most_kept());
        [("KEEP", kept as u32)]
    };
    rows.variants(caps, keep)
}

/// What d = x - max and the sum of exp(d) become, as `finish` in `shaders/softmax/rows.wgsl`.
const LOG_FINISH: &str = "struct Row { offset: f32 }
fn prepare(sum: f32, row: u32) -> Row { return Row(log(sum)); }
fn finish(value: T, own: Row, vector: u32) -> T { return value - own.offset; }
";

/// The error of a softmax or log-softmax over `columns`, or of what is made of one.
///
/// Vulkan lets exp(x) be 3 + 2|x| ulp off, and the rounding of x - max moves it by another |x| / 2. What
/// counts is that error times exp(x) itself beside the tensor's root mean square, which is at least
/// 1 / columns: the worst is an x of -ln(columns). The sum of exp has that error too, so twice. Vulkan's
/// log is 2^-21, 4 ulp of 1, off near 1, and a log-softmax over two or more is 0.69 at least.
pub(crate) fn tolerance(columns: usize) -> Tolerance {
    let worst = 3.0 + 2.5 * (columns.max(1) as f64).ln() + 4.0;
    Tolerance(Tolerance::sum(columns).0 + 2.0 * worst * f64::from(f32::EPSILON))
}

/// log of the sum of exp of a row.
pub(crate) fn log_sum_exp(row: &[f64]) -> f64 {
    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    highest + row.iter().map(|x| (x - highest).exp()).sum::<f64>().ln()
}

fn shape_rule(inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
    let first = &inputs[0];
    check(first)?;
    match inputs.iter().find(|spec| *spec != first) {
        Some(other) => Err(format!("takes two alike, not {first} and {other}")),
        None => Ok(vec![first.clone()]),
    }
}

impl OldOp for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        shape_rule(inputs)
    }

    /// Difference, exp, sum and scale of each element.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(4 * inputs[0].len() as u64, inputs, inputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants(Rows::of(&inputs[0].shape), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let rows = Rows::of(&io.inputs[0].shape);
        let mut kernel =
            rows.kernel("softmax/rows", variant).with_text("LOG", self.log.to_string());
        if self.log {
            kernel = kernel.with_hook("finish", LOG_FINISH);
        }
        Lowered::one(Dispatch {
            kernel,
            bindings: vec![input(0), output(0)],
            params: unnamed(rows.params()),
            grid: rows.grid(variant, io.caps),
        })
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let op = SoftmaxGrad { log: self.log };
        vec![dy[0].map(|dy| x[0].graph().apply1(op, &[y[0], dy]))]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[0].data.chunks(inputs[0].spec.shape.last());
        let value = |row: &[f64]| {
            let lse = log_sum_exp(row);
            let one = |x: &f64| if self.log { x - lse } else { (x - lse).exp() };
            row.iter().map(one).collect::<Vec<_>>()
        };
        vec![Array::new(inputs[0].spec.clone(), rows.flat_map(value).collect())]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        tolerance(inputs[0].shape.last())
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        fewer_rows(inputs)
    }
}

impl OldOp for SoftmaxGrad {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax_grad" } else { "softmax_grad" }
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        shape_rule(inputs)
    }

    /// Product, sum, difference and product of each element.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(4 * inputs[0].len() as u64, inputs, &inputs[..1])
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants(Rows::of(&inputs[0].shape), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let rows = Rows::of(&io.inputs[0].shape);
        let kernel = rows.kernel("softmax/grad", variant);
        Lowered::one(Dispatch {
            kernel: kernel.with_text("LOG", self.log.to_string()),
            bindings: vec![input(0), input(1), output(0)],
            params: unnamed(rows.params()),
            grid: rows.grid(variant, io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let columns = inputs[0].spec.shape.last();
        let rows = inputs[0].data.chunks(columns);
        let value = |(y, dy): (&[f64], &[f64])| {
            let pairs = || y.iter().zip(dy);
            let sum: f64 = pairs().map(|(y, dy)| if self.log { *dy } else { dy * y }).sum();
            let one = |(y, dy): (&f64, &f64)| match self.log {
                true => dy - y.exp() * sum,
                false => y * (dy - sum),
            };
            pairs().map(one).collect::<Vec<_>>()
        };
        let data = rows.zip(inputs[1].data.chunks(columns)).flat_map(value);
        vec![Array::new(inputs[0].spec.clone(), data.collect())]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        tolerance(inputs[0].shape.last())
    }

    /// y as a softmax makes it of logits from `distribution`. Softmax's dy - sum of dy y cancels, whatever
    /// the kernel does, where all dy are about 1000 and where a row is saturated, and the bound is a share
    /// of what is left: there both stay moderate.
    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let moderate = |extreme: Distribution| match distribution {
            found if found == extreme && !self.log => Distribution::Uniform,
            other => other,
        };
        let x = moderate(Distribution::Extreme).array(&inputs[0], 1, rng);
        let dy = moderate(Distribution::Offset).array(&inputs[1], 1, rng);
        let y = Softmax { log: self.log }.reference(&[&x]);
        y.into_iter().chain([dy]).collect()
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        fewer_rows(inputs)
    }
}

impl<'g> Tensor<'g> {
    /// exp(x) / sum of exp(x) along the last axis.
    pub fn softmax(self) -> Tensor<'g> {
        self.graph().apply1(Softmax { log: false }, &[self])
    }

    /// x - log of the sum of exp(x) along the last axis.
    pub fn log_softmax(self) -> Tensor<'g> {
        self.graph().apply1(Softmax { log: true }, &[self])
    }
}

/// Cases of [`Softmax`] and [`SoftmaxGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for log in [false, true] {
            let prefix = if log { "log_" } else { "" };
            for dims in SHAPES {
                let spec = || TensorSpec::f32(*dims);
                let name = format!("{prefix}{}", size(dims));
                cases.push(Case::new(name.clone(), Softmax { log }, [spec()]));
                cases.push(Case::new(name + "_grad", SoftmaxGrad { log }, [spec(), spec()]));
            }
        }
        let many = TensorSpec::f32(MANY_ROWS);
        cases.push(Case::new(size(MANY_ROWS), Softmax { log: true }, [many]));
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the ONNX operators Softmax and LogSoftmax.
    #[test]
    fn the_reference_gives_published_values() {
        let x = Array::f32([1, 3], vec![-1.0, 0.0, 1.0]);
        for (log, wanted) in [
            (false, [0.090_030_6, 0.244_728_48, 0.665_240_94]),
            (true, [-2.407_606_1, -1.407_606, -0.407_606_04]),
        ] {
            let y = Softmax { log }.reference(&[&x]);
            let close = |(y, wanted): (&f64, f64)| (y - wanted).abs() < 1e-6;
            assert!(y[0].data.iter().zip(wanted).all(close), "{y:?}");
        }
    }
}
