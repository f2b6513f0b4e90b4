//! Cross-entropy of a softmax against one class a row, fused: the probabilities are never stored.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Lowered, Variant, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{MANY_ROWS, Rows, SHAPES, check, fewer_rows, outer, size};
use super::softmax::{self, log_sum_exp};

/// loss = `-log softmax(logits)[label]`: logits [.., C] and labels u32 [..], each below C, to loss [..].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropy;

/// The gradient of [`CrossEntropy`]: logits [.., C], labels [..] and dloss [..] to
/// (softmax(logits) - onehot(label)) dloss. It takes the row's sum again instead of a stored one: the
/// logits must cross the memory bus anyway, and log(sum) + max as one f32 would cost digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropyGrad;

const GRAD_FINISH: &str = "@group(0) @binding(2) var<storage, read> label: array<u32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
struct Row { factor: f32, dloss: f32, label: u32 }
fn prepare(sum: f32, row: u32) -> Row { return Row(dloss[row] / sum, dloss[row], label[row]); }
fn finish(value: T, own: Row, vector: u32) -> T {
    return value * own.factor - select(T(0.0), T(own.dloss), elements(vector) == U(own.label));
}
";

/// The specs of logits, labels and more values a row, checked.
fn shape_rule(inputs: &[TensorSpec]) -> Result<(), String> {
    let logits = &inputs[0];
    check(logits)?;
    let rows = outer(logits);
    if inputs[1] != TensorSpec::u32(rows) {
        return Err(format!("{logits} needs labels u32{rows:?}, not {}", inputs[1]));
    }
    match inputs.get(2).filter(|dloss| **dloss != TensorSpec::f32(rows)) {
        Some(dloss) => Err(format!("{logits} needs a gradient f32{rows:?}, not {dloss}")),
        None => Ok(()),
    }
}

/// Labels that are classes, the first row's its least likely one: the bound is a share of the losses' root
/// mean square, and where every label is certain all that is left of a loss is the rounding of 1.
fn sample(inputs: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
    let classes = inputs[0].shape.last();
    let draw = |spec: &TensorSpec| distribution.array(spec, classes, rng);
    let mut arrays: Vec<_> = inputs.iter().map(draw).collect();
    let first = arrays[0].data[..classes].iter().enumerate();
    if let Some((least, _)) = first.min_by(|a, b| a.1.total_cmp(b.1)) {
        arrays[1].data[0] = least as f64;
    }
    arrays
}

/// What the kernels take for the logit of a label that is no class.
fn logit(row: &[f64], label: f64) -> f64 {
    row.get(label as usize).copied().unwrap_or(f64::from(f32::MIN))
}

impl OldOp for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        shape_rule(inputs)?;
        Ok(vec![TensorSpec::f32(inputs[1].shape.clone())])
    }

    /// Difference, exp and sum of each element.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(3 * inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        Rows::of(&inputs[0].shape).variants(caps, |_| [])
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let rows = Rows::of(&io.inputs[0].shape);
        Lowered::one(Dispatch {
            kernel: rows.kernel("cross_entropy/rows", variant),
            bindings: vec![input(0), input(0), input(1), output(0)],
            params: unnamed(rows.params()),
            grid: rows.grid(variant, io.caps),
        })
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let grad = |dy| x[0].graph().apply1(CrossEntropyGrad, &[x[0], x[1], dy]);
        vec![dy[0].map(grad), None]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[0].data.chunks(inputs[0].spec.shape.last());
        let loss = |(row, &label): (&[f64], &f64)| log_sum_exp(row) - logit(row, label);
        let data = rows.zip(&inputs[1].data).map(loss).collect();
        vec![Array::f32(inputs[1].spec.shape.clone(), data)]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        softmax::tolerance(inputs[0].shape.last())
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        sample(i, distribution, rng)
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        fewer_rows(inputs)
    }
}

impl OldOp for CrossEntropyGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        shape_rule(inputs)?;
        Ok(vec![inputs[0].clone()])
    }

    /// Difference, exp, sum, scale and the class's difference.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(5 * inputs[0].len() as u64, inputs, &inputs[..1])
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        softmax::variants(Rows::of(&inputs[0].shape), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let rows = Rows::of(&io.inputs[0].shape);
        Lowered::one(Dispatch {
            kernel: rows.kernel("softmax/rows", variant).with_hook("finish", GRAD_FINISH),
            bindings: vec![input(0), output(0), input(1), input(2)],
            params: unnamed(rows.params()),
            grid: rows.grid(variant, io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let columns = inputs[0].spec.shape.last();
        let rows = inputs[0].data.chunks(columns).enumerate();
        let data = rows.flat_map(|(r, row)| {
            let (label, dloss) = (inputs[1].data[r], inputs[2].data[r]);
            let lse = log_sum_exp(row);
            let one = move |(c, x): (usize, &f64)| {
                let onehot = if c as f64 == label { 1.0 } else { 0.0 };
                ((x - lse).exp() - onehot) * dloss
            };
            row.iter().enumerate().map(one)
        });
        vec![Array::new(inputs[0].spec.clone(), data.collect())]
    }

    /// p - 1 cancels at the label's place, beside a root mean square that is smaller than p by the square
    /// root of the columns: what the sum's bound already allows.
    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        softmax::tolerance(inputs[0].shape.last())
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        sample(i, distribution, rng)
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        fewer_rows(inputs)
    }
}

impl<'g> Tensor<'g> {
    /// `-log softmax(self)[label]` of each row: logits [.., C] and labels u32 [..] below C to [..]. The mean
    /// over the batch is taken outside.
    pub fn cross_entropy(self, labels: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(CrossEntropy, &[self, labels])
    }
}

/// Cases of [`CrossEntropy`] and [`CrossEntropyGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for dims in SHAPES {
            let rows = &dims[..dims.len() - 1];
            let specs = [TensorSpec::f32(*dims), TensorSpec::u32(rows), TensorSpec::f32(rows)];
            let name = size(dims);
            cases.push(Case::new(name.clone(), CrossEntropy, &specs[..2]));
            cases.push(Case::new(name + "_grad", CrossEntropyGrad, specs));
        }
        let rows = &MANY_ROWS[..1];
        let many = [TensorSpec::f32(MANY_ROWS), TensorSpec::u32(rows)];
        cases.push(Case::new(size(MANY_ROWS), CrossEntropy, many));
        cases
    }
}
