//! Softmax and log-softmax over the last axis, with their gradients.

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Problem, Sampler, Storage, Tolerance,
};
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{Layout, MANY_ROWS, Rows, RowsProblem, SHAPES, size};

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
    let keep = |layout: Layout| {
        let each = rows.vectors().div_ceil(layout.lanes_per_row);
        let kept = each.next_power_of_two().min(layout.most_kept());
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

/// ln of the sum of the terms' exponentials, in f64; of nothing but zeros, minus infinity.
pub(crate) fn log_sum_exp(terms: &[f64]) -> f64 {
    let highest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if highest == f64::NEG_INFINITY {
        return highest;
    }
    highest + terms.iter().map(|x| (x - highest).exp()).sum::<f64>().ln()
}

/// Rows of inputs that are all alike.
fn rows_of(inputs: &[TensorSpec]) -> Result<Rows, String> {
    let first = &inputs[0];
    let rows = Rows::of(first)?;
    match inputs.iter().find(|spec| !spec.is_like(first)) {
        Some(other) => Err(format!("takes two of the same shape, not {first} and {other}")),
        None => Ok(rows),
    }
}

impl Softmax {
    fn in_f64(self, x: &Array) -> Array {
        let row = |row: &[f64]| {
            let lse = log_sum_exp(row);
            let value = |x: &f64| if self.log { x - lse } else { (x - lse).exp() };
            row.iter().map(value).collect::<Vec<_>>()
        };
        let rows = x.data.chunks(x.spec.shape.last());
        Array::new(x.spec.clone(), rows.flat_map(row).collect())
    }
}

impl Op for Softmax {
    fn kind(&self) -> Kind {
        Kind::new(if self.log { "log_softmax" } else { "softmax" }, Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let rows = rows_of(inputs)?;
        // Difference, exp, sum and scale of each element.
        Ok(RowsProblem::new(*self, rows, inputs, inputs[0].clone(), 4, tolerance(rows.columns)))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::of_rows(inputs)
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let op = SoftmaxGrad { log: self.log };
        vec![dy[0].map(|dy| x[0].graph().apply1(op, &[y[0], dy]))]
    }
}

impl Problem for RowsProblem<Softmax> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        variants(self.rows, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let log = self.op.log;
        let mut kernel =
            self.rows.kernel("softmax/rows", variant).with_text("LOG", log.to_string());
        if log {
            kernel = kernel.with_hook("finish", LOG_FINISH);
        }
        let dispatch = self.rows.dispatch(kernel, variant, caps);
        Lowered::one(dispatch.bind("x", input(0)).bind("y", output(0)))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![self.op.in_f64(inputs[0])]
    }
}

impl Op for SoftmaxGrad {
    fn kind(&self) -> Kind {
        Kind::new(if self.log { "log_softmax_grad" } else { "softmax_grad" }, Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let rows = rows_of(inputs)?;
        // Product, sum, difference and product of each element.
        Ok(RowsProblem::new(*self, rows, inputs, inputs[0].clone(), 4, tolerance(rows.columns)))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::of_rows(inputs)
    }
}

impl Problem for RowsProblem<SoftmaxGrad> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        variants(self.rows, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let kernel =
            self.rows.kernel("softmax/grad", variant).with_text("LOG", self.op.log.to_string());
        let dispatch = self.rows.dispatch(kernel, variant, caps);
        Lowered::one(dispatch.bind("y", input(0)).bind("dy", input(1)).bind("dx", output(0)))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (log, columns) = (self.op.log, self.rows.columns);
        let row = |(y, dy): (&[f64], &[f64])| {
            let pairs = y.iter().zip(dy);
            let sum: f64 = pairs.clone().map(|(y, dy)| if log { *dy } else { dy * y }).sum();
            let value = |(y, dy): (&f64, &f64)| match log {
                true => dy - y.exp() * sum,
                false => y * (dy - sum),
            };
            pairs.map(value).collect::<Vec<_>>()
        };
        let rows = inputs[0].data.chunks(columns).zip(inputs[1].data.chunks(columns));
        vec![Array::new(self.facts.spec().clone(), rows.flat_map(row).collect())]
    }

    /// y as a softmax makes it of logits from the distribution. Softmax's dy - sum of dy y cancels, whatever
    /// the kernel does, where all dy are about 1000 and where a row is saturated, and the bound is a share
    /// of what is left: there both stay moderate.
    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let log = self.op.log;
        let moderate = |extreme: Distribution| match sampler.distribution {
            drawn if drawn == extreme && !log => Distribution::Uniform,
            other => other,
        };
        let x = moderate(Distribution::Extreme).array(&inputs[0], 1, &mut sampler.rng);
        let dy = moderate(Distribution::Offset).array(&inputs[1], 1, &mut sampler.rng);
        vec![Softmax { log }.in_f64(&x), dy]
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

/// Awkward cases of [`Softmax`] and [`SoftmaxGrad`].
pub(super) fn cases() -> Vec<Case> {
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
            let y = Softmax { log }.in_f64(&x);
            let close = |(y, wanted): (&f64, f64)| (y - wanted).abs() < 1e-6;
            assert!(y.data.iter().zip(wanted).all(close), "{y:?}");
        }
    }
}
