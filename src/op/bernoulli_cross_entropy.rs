//! Cross-entropy of independent Bernoulli variables given by their logits, summed over each row (Kingma &
//! Welling 2014, appendix C.1).

use crate::graph::Tensor;
use crate::graph::chain::{Chain, Function};
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Lowered, Variant};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::reduce::pass::{self, Fold, Problem};
use super::rows::{Rows, SHAPES, check, fewer_rows, outer, size};

/// loss = sum over n of max(x, 0) - x t + log(1 + exp(-|x|)), which is -t log p - (1 - t) log(1 - p) for
/// p = sigmoid(x), without overflow: logits x [.., N] and targets t [.., N] in [0, 1] to [..].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BernoulliCrossEntropy;

/// The gradient of [`BernoulliCrossEntropy`] with respect to the logits: x [.., N], t [.., N] and
/// dloss [.., 1] to (sigmoid(x) - t) dloss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BernoulliCrossEntropyGrad;

/// The row sum's kernel with this in place of its load. Below 0.01 the series of log(1 + e) is exact to
/// 2 ulp, where 1 + e would have lost e's digits.
const LOAD: &str = "@group(0) @binding(1) var<storage, read> logits: array<T>;
@group(0) @binding(2) var<storage, read> targets: array<T>;
fn load(i: u32) -> T {
    let x = logits[i];
    let e = exp(-abs(x));
    let series = e * (T(1.0) - e * (T(0.5) - e * T(1.0 / 3.0)));
    let log1p = select(log(T(1.0) + e), series, e < T(0.01));
    return max(x, T(0.0)) - x * targets[i] + log1p;
}
";

fn problem(logits: &TensorSpec) -> Problem {
    let Rows { rows, columns } = Rows::of(&logits.shape);
    Problem { outer: rows, length: columns, inner: 1 }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Targets in [0, 1], some of them 0 and 1; all else from `distribution`.
fn sample(inputs: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
    let mut arrays: Vec<_> = inputs.iter().map(|spec| distribution.array(spec, 1, rng)).collect();
    for t in &mut arrays[1].data {
        *t = f64::from((1.5 * rng.uniform() - 0.25).clamp(0.0, 1.0) as f32);
    }
    arrays
}

impl OldOp for BernoulliCrossEntropy {
    fn name(&self) -> &'static str {
        "bernoulli_cross_entropy"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let (logits, targets) = (&inputs[0], &inputs[1]);
        check(logits)?;
        if logits != targets {
            return Err(format!("logits {logits} and targets {targets} differ"));
        }
        Ok(vec![TensorSpec::f32(outer(logits))])
    }

    /// max, two products, exp, log and three sums of each element.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(8 * inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        pass::variants(problem(&inputs[0]), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let fold = Fold { max: false, scale: 1.0, load: Some((LOAD, 2)) };
        pass::lower(problem(&io.inputs[0]), fold, variant, io.caps)
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let Some(dy) = dy[0] else {
            return vec![None, None];
        };
        let (logits, targets) = (x[0], x[1]);
        let dy = dy.reshape([dy.spec().dims(), &[1]].concat());
        let dx = logits.graph().apply1(BernoulliCrossEntropyGrad, &[logits, targets, dy]);
        vec![Some(dx), Some(-(logits * dy))]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let columns = inputs[0].spec.shape.last();
        let term = |(x, t): (&f64, &f64)| x.max(0.0) - x * t + (-x.abs()).exp().ln_1p();
        let rows = inputs[0].data.chunks(columns).zip(inputs[1].data.chunks(columns));
        let data = rows.map(|(x, t)| x.iter().zip(t).map(term).sum()).collect();
        vec![Array::f32(outer(&inputs[0].spec), data)]
    }

    /// The sum's bound, and that of a term: exp may be 3 + 2|x| ulp off, which its own value below 1 makes
    /// 4 at most, and log 2^-21, 4 ulp of 1; a term is about log 2 or more, and all may err alike.
    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        let sum = Tolerance::sum(inputs[0].shape.last());
        Tolerance(sum.0 + (4.0 + 4.0) / 0.5 * f64::from(f32::EPSILON))
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        sample(i, distribution, rng)
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        fewer_rows(inputs)
    }
}

impl BernoulliCrossEntropyGrad {
    /// The elementwise chain it runs as.
    fn chain() -> Chain {
        let difference = Chain::one(Function::Sub).after(&Chain::one(Function::Sigmoid), 0);
        Chain::one(Function::Mul).after(&difference, 0)
    }
}

impl OldOp for BernoulliCrossEntropyGrad {
    fn name(&self) -> &'static str {
        "bernoulli_cross_entropy_grad"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        Self::chain().output(inputs)
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Self::chain().cost(inputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        Self::chain().variants(inputs, caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        Self::chain().lower(variant, io)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let columns = inputs[0].spec.shape.last();
        let pairs = inputs[0].data.iter().zip(&inputs[1].data);
        let one =
            |(i, (&x, t)): (usize, (&f64, &f64))| (logistic(x) - t) * inputs[2].data[i / columns];
        let data = pairs.enumerate().map(one).collect();
        vec![Array::new(inputs[0].spec.clone(), data)]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Self::chain().tolerance(inputs)
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        sample(i, distribution, rng)
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        fewer_rows(inputs)
    }
}

impl<'g> Tensor<'g> {
    /// The cross-entropy of targets [.., N] in [0, 1] under Bernoulli variables with logits `self` [.., N],
    /// summed over N: [..]. The mean over the batch is taken outside.
    pub fn bernoulli_cross_entropy(self, targets: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(BernoulliCrossEntropy, &[self, targets])
    }
}

/// Cases of [`BernoulliCrossEntropy`] and [`BernoulliCrossEntropyGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "bernoulli_cross_entropy"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for dims in SHAPES {
            let x = TensorSpec::f32(*dims);
            let per_row = [outer(&x), &[1]].concat();
            let specs = [x.clone(), x, TensorSpec::f32(per_row)];
            let name = size(dims);
            cases.push(Case::new(name.clone(), BernoulliCrossEntropy, &specs[..2]));
            cases.push(Case::new(name + "_grad", BernoulliCrossEntropyGrad, specs));
        }
        cases
    }
}
