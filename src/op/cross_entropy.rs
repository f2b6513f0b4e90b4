//! Cross-entropy of a softmax against one class per row, fused: the probabilities are never stored.

use crate::graph::Tensor;
use crate::graph::by_rows::{ByRows, Joined};
use crate::graph::op::{Backward, Facts, Kind, Op, Problem, Sampler};
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{MANY_ROWS, Rows, RowsProblem, SHAPES, outer, size};
use super::softmax::{self, log_sum_exp};

/// loss = `-log softmax(logits)[label]`: logits [.., C] and labels u32 [..], each below C, to loss [..].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropy;

/// The gradient of [`CrossEntropy`]: logits [.., C], labels [..] and dloss [..] to
/// (softmax(logits) - onehot(label)) dloss. It takes the row's sum again instead of a stored one: the
/// logits must cross the memory bus anyway, and log(sum) + max as one f32 would cost digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropyGrad {
    /// Makes the losses as well, as a second output.
    pub loss: bool,
}

const GRAD_FINISH: &str = "@group(0) @binding(2) var<storage, read> label: array<u32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
struct Row { factor: f32, dloss: f32, label: u32 }
fn prepare(sum: f32, row: u32) -> Row { return Row(dloss[row] / sum, dloss[row], label[row]); }
fn finish(value: T, own: Row, vector: u32) -> T {
    return value * own.factor - select(T(0.0), T(own.dloss), elements(vector) == U(own.label));
}
";

/// The losses as well: the logits once more value by value for the label's.
const LOSS: &str = "@group(0) @binding(4) var<storage, read> logits: array<f32>;
@group(0) @binding(5) var<storage, read_write> loss: array<f32>;
fn note(sum: f32, highest: f32, row: u32) {
    let chosen = label[row];
    var logit = LOWEST;
    if chosen < params.length * WIDTH { logit = logits[row * params.length * WIDTH + chosen]; }
    loss[row] = log(sum) - (logit - highest);
}
";

/// Rows of logits, with labels and more values a row.
fn rows_of(inputs: &[TensorSpec]) -> Result<Rows, String> {
    let logits = &inputs[0];
    let rows = Rows::of(logits)?;
    let per_row = outer(logits);
    if inputs[1] != TensorSpec::u32(per_row) {
        return Err(format!("{logits} needs labels u32{per_row:?}, not {}", inputs[1]));
    }
    match inputs.get(2).filter(|dloss| **dloss != TensorSpec::f32(per_row)) {
        Some(dloss) => Err(format!("{logits} needs a gradient f32{per_row:?}, not {dloss}")),
        None => Ok(rows),
    }
}

/// Labels that are classes, the first row's its least likely one: the bound is a share of the losses' root
/// mean square, and where every label is certain all that is left of a loss is the rounding of 1.
fn sample(inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
    let classes = inputs[0].shape.last();
    let mut arrays = sampler.arrays(inputs, classes);
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

impl Op for CrossEntropy {
    fn kind(&self) -> Kind {
        Kind::new("cross_entropy", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let rows = rows_of(inputs)?;
        let losses = TensorSpec::f32(outer(&inputs[0]));
        // Difference, exp and sum of each element.
        Ok(RowsProblem::new(*self, rows, inputs, losses, 3, softmax::tolerance(rows.columns)))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::of_rows(inputs)
    }

    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let grad = |dy| x[0].graph().apply1(CrossEntropyGrad { loss: false }, &[x[0], x[1], dy]);
        vec![dy[0].map(grad), None]
    }
}

impl Problem for RowsProblem<CrossEntropy> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.rows.variants(caps, |_| [])
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let kernel = self.rows.kernel("cross_entropy/rows", variant);
        let dispatch = self.rows.dispatch(kernel, variant, caps);
        // Once as vectors, and once value by value for the label's.
        let dispatch = dispatch.bind("x", input(0)).bind("logits", input(0));
        Lowered::one(dispatch.bind("label", input(1)).bind("loss", output(0)))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[0].data.chunks(self.rows.columns);
        let loss = |(row, &label): (&[f64], &f64)| log_sum_exp(row) - logit(row, label);
        let data = rows.zip(&inputs[1].data).map(loss).collect();
        self.facts.result(data)
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample(inputs, sampler)
    }
}

impl Op for CrossEntropyGrad {
    fn kind(&self) -> Kind {
        Kind::new("cross_entropy_grad", Class::Reduction)
    }

    fn kinds(&self) -> Vec<Kind> {
        self.loss.then(|| CrossEntropy.kind()).into_iter().chain([self.kind()]).collect()
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let rows = rows_of(inputs)?;
        // p - 1 cancels at the label's place, beside a root mean square that is smaller than p by the square
        // root of the columns: what the sum's bound already allows.
        let tolerance = softmax::tolerance(rows.columns);
        // Difference, exp, sum, scale and the class's difference.
        let mut problem = RowsProblem::new(*self, rows, inputs, inputs[0].clone(), 5, tolerance);
        if self.loss {
            let losses = TensorSpec::f32(outer(&inputs[0]));
            problem.facts.cost.bytes += losses.bytes();
            problem.facts.outputs.push(losses.into());
        }
        Ok(problem)
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        let rows = ByRows::of_rows(inputs)?;
        Some(ByRows { outputs: vec![Joined::Rows; 1 + usize::from(self.loss)], ..rows })
    }
}

impl Problem for RowsProblem<CrossEntropyGrad> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        softmax::variants(self.rows, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let kernel = self.rows.kernel("softmax/rows", variant).with_hook("finish", GRAD_FINISH);
        let dispatch = self.rows.dispatch(kernel, variant, caps);
        let dispatch = dispatch.bind("x", input(0)).bind("y", output(0));
        let mut dispatch = dispatch.bind("label", input(1)).bind("dloss", input(2));
        if self.op.loss {
            dispatch.kernel = dispatch.kernel.with_hook("note", LOSS);
            dispatch = dispatch.bind("logits", input(0)).bind("loss", output(1));
        }
        Lowered::one(dispatch)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[0].data.chunks(self.rows.columns).enumerate();
        let data = rows.flat_map(|(r, row)| {
            let (label, dloss) = (inputs[1].data[r], inputs[2].data[r]);
            let lse = log_sum_exp(row);
            let gradient = move |(c, x): (usize, &f64)| {
                let onehot = if c as f64 == label { 1.0 } else { 0.0 };
                ((x - lse).exp() - onehot) * dloss
            };
            row.iter().enumerate().map(gradient)
        });
        let gradient = Array::new(self.facts.spec().clone(), data.collect());
        let losses = self.facts.outputs.get(1).map(|losses| {
            let rows = inputs[0].data.chunks(self.rows.columns).zip(&inputs[1].data);
            let data = rows.map(|(row, &label)| log_sum_exp(row) - logit(row, label)).collect();
            Array::new(losses.spec.clone(), data)
        });
        std::iter::once(gradient).chain(losses).collect()
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample(inputs, sampler)
    }
}

impl<'g> Tensor<'g> {
    /// `-log softmax(self)[label]` of each row: logits [.., C] and labels u32 [..] below C to [..]. The mean
    /// over the batch is taken outside.
    pub fn cross_entropy(self, labels: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(CrossEntropy, &[self, labels])
    }
}

/// Awkward cases of [`CrossEntropy`] and [`CrossEntropyGrad`].
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dims in SHAPES {
        let rows = &dims[..dims.len() - 1];
        let specs = [TensorSpec::f32(*dims), TensorSpec::u32(rows), TensorSpec::f32(rows)];
        let name = size(dims);
        cases.push(Case::new(name.clone(), CrossEntropy, &specs[..2]));
        for loss in [false, true] {
            let name = if loss { format!("{name}_both") } else { format!("{name}_grad") };
            cases.push(Case::new(name, CrossEntropyGrad { loss }, &specs[..]));
        }
    }
    let rows = &MANY_ROWS[..1];
    let many = [TensorSpec::f32(MANY_ROWS), TensorSpec::u32(rows)];
    cases.push(Case::new(size(MANY_ROWS), CrossEntropy, many));
    cases
}
