//! Cross-entropy of independent Bernoulli variables given by their logits, summed over each row (Kingma &
//! Welling 2014, appendix C.1).

use crate::graph::Tensor;
use crate::graph::chain::{Chain, Function};
use crate::graph::op::{Backward, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Lowered, Variant};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::map::ChainProblem;
use super::reduce::pass::{self, Extents, Fold, Load};
use super::rows::{Rows, RowsProblem, SHAPES, fewer_rows, outer, size};

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
const LOAD: Load<'_> = Load {
    text: "@group(0) @binding(1) var<storage, read> logits: array<T>;
@group(0) @binding(2) var<storage, read> targets: array<T>;
fn load(i: u32) -> T {
    let x = logits[i];
    let e = exp(-abs(x));
    let series = e * (T(1.0) - e * (T(0.5) - e * T(1.0 / 3.0)));
    let log1p = select(log(T(1.0) + e), series, e < T(0.01));
    return max(x, T(0.0)) - x * targets[i] + log1p;
}
",
    operands: &["logits", "targets"],
};

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Targets in [0, 1], some of them 0 and 1; all else from the distribution.
fn sample(inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
    let mut arrays = sampler.arrays(inputs, 1);
    for t in &mut arrays[1].data {
        *t = f64::from((1.5 * sampler.rng.uniform() - 0.25).clamp(0.0, 1.0) as f32);
    }
    arrays
}

impl Op for BernoulliCrossEntropy {
    fn kind(&self) -> Kind {
        Kind::new("bernoulli_cross_entropy", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (logits, targets) = (&inputs[0], &inputs[1]);
        let rows = Rows::of(logits)?;
        if logits != targets {
            return Err(format!("logits {logits} and targets {targets} differ"));
        }
        // The sum's bound, and that of a term: exp may be 3 + 2|x| ulp off, which its own value below 1
        // makes 4 at most, and log 2^-21, 4 ulp of 1; a term is about log 2 or more, and all may err alike.
        let sum = Tolerance::sum(rows.columns);
        let tolerance = Tolerance(sum.0 + (4.0 + 4.0) / 0.5 * f64::from(f32::EPSILON));
        // max, two products, exp, log and three sums of each element.
        let losses = TensorSpec::f32(outer(logits));
        Ok(RowsProblem::new(*self, rows, inputs, losses, 8, tolerance))
    }

    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let Some(dy) = dy[0] else {
            return vec![None, None];
        };
        let (logits, targets) = (x[0], x[1]);
        let dy = dy.reshape([dy.spec().dims(), &[1]].concat());
        let dx = logits.graph().apply1(BernoulliCrossEntropyGrad, &[logits, targets, dy]);
        vec![Some(dx), Some(-(logits * dy))]
    }
}

impl Problem for RowsProblem<BernoulliCrossEntropy> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        pass::variants(Extents::of(self.rows), caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let fold = Fold { max: false, scale: 1.0, load: Some(LOAD) };
        pass::lower(Extents::of(self.rows), fold, variant, caps)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let term = |(x, t): (&f64, &f64)| x.max(0.0) - x * t + (-x.abs()).exp().ln_1p();
        let [logits, targets] = [0, 1].map(|i: usize| inputs[i].data.chunks(self.rows.columns));
        let data = logits.zip(targets).map(|(x, t)| x.iter().zip(t).map(term).sum()).collect();
        self.facts.result(data)
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample(inputs, sampler)
    }
}

impl Op for BernoulliCrossEntropyGrad {
    fn kind(&self) -> Kind {
        Kind::new("bernoulli_cross_entropy_grad", Class::Reduction)
    }

    /// It runs as an elementwise chain.
    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let difference = Chain::one(Function::Sub).after(&Chain::one(Function::Sigmoid), 0);
        let chain = Chain::one(Function::Mul).after(&difference, 0);
        let (logits, targets, dloss) = (&inputs[0], &inputs[1], &inputs[2]);
        let columns = Rows::of(logits)?.columns;
        if targets != logits || *dloss != TensorSpec::f32([outer(logits), &[1]].concat()) {
            return Err(format!("{targets} and {dloss} do not fit logits {logits}"));
        }
        Ok(Box::new(GradProblem { columns, chain: ChainProblem::new(&chain, inputs)? }))
    }
}

/// [`BernoulliCrossEntropyGrad`] at given sizes.
#[derive(Debug)]
struct GradProblem {
    columns: usize,
    chain: ChainProblem,
}

impl Problem for GradProblem {
    fn facts(&self) -> &Facts {
        self.chain.facts()
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.chain.variants(caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        self.chain.lower(variant, caps)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let pairs = inputs[0].data.iter().zip(&inputs[1].data).enumerate();
        let dlogit = |(i, (&x, t)): (usize, (&f64, &f64))| {
            (logistic(x) - t) * inputs[2].data[i / self.columns]
        };
        let data = pairs.map(dlogit).collect();
        vec![Array::new(inputs[0].spec.clone(), data)]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample(inputs, sampler)
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        fewer_rows(&self.chain.inputs)
    }
}

impl<'g> Tensor<'g> {
    /// The cross-entropy of targets [.., N] in [0, 1] under Bernoulli variables with logits `self` [.., N],
    /// summed over N: [..]. The mean over the batch is taken outside.
    pub fn bernoulli_cross_entropy(self, targets: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(BernoulliCrossEntropy, &[self, targets])
    }
}

/// Awkward cases of [`BernoulliCrossEntropy`] and [`BernoulliCrossEntropyGrad`].
pub(super) fn cases() -> Vec<Case> {
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
