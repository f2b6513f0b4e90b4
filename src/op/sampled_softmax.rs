//! Cross-entropy against a few sampled classes in the place of all (Jean 2015, section 3).

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::log_uniform::probability;

/// Inputs: products of each row with the sampled classes' weights [N, K], their biases `[K]`, each row's logit
/// of its own class `[N]`, labels u32 `[N]`, sampled u32 `[K]`. With P the log-uniform law, a logit is lessened by
/// ln(K P(class)), and a sample that is the row's own class is left out. Output: loss `[N]` =
/// ln(exp(t) + sum of exp(s)) - t.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampledSoftmax {
    /// V.
    pub classes: usize,
}

/// Its gradient: the same inputs and dloss `[N]` to dproducts [N, K] and that of the own logit `[N]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampledSoftmaxGrad(pub SampledSoftmax);

/// N and K.
fn size(inputs: &[TensorSpec]) -> Result<[usize; 2], String> {
    match *inputs[0].dims() {
        [n, k]
            if inputs[0].dtype == DType::F32
                && inputs[1] == TensorSpec::f32([k])
                && inputs[2] == TensorSpec::f32([n])
                && inputs[3] == TensorSpec::u32([n])
                && inputs[4] == TensorSpec::u32([k]) =>
        {
            Ok([n, k])
        }
        _ => Err(format!("takes [N, K], [K], [N], u32 [N] and u32 [K], not {inputs:?}")),
    }
}

fn variants(name: &'static str, caps: &Caps) -> Vec<Variant> {
    let by = |lanes: u32| Variant::new(name, [("LANES", lanes)]);
    if caps.software { vec![by(8), by(64)] } else { vec![by(64), by(8)] }
}

impl SampledSoftmax {
    fn dispatch(self, variant: &Variant, io: &Io, outputs: usize) -> Lowered {
        let Ok([n, k]) = size(io.inputs) else {
            return Lowered::default();
        };
        let number = |x: f64| format!("{:.9}", x as f32);
        Lowered::one(Dispatch {
            kernel: Kernel::of("sampled_softmax", variant)
                .with_consts(&[("K", k as u32)])
                .with_text("LOG_CLASSES", number((self.classes as f64 + 1.0).ln()))
                .with_text("LOG_SAMPLES", number((k as f64).ln())),
            bindings: (0..io.inputs.len()).map(input).chain((0..outputs).map(output)).collect(),
            params: unnamed(vec![n as u32]),
            grid: grid(n, io.caps),
        })
    }

    /// A row's own logit, and those of the samples, `None` where one is left out.
    fn logits(self, inputs: &[&Array], row: usize) -> (f64, Vec<Option<f64>>) {
        let samples = inputs[1].data.len();
        let expected =
            |class: f64| (samples as f64 * probability(class as usize, self.classes)).ln();
        let label = inputs[3].data[row];
        let logit = |k: usize| {
            let class = inputs[4].data[k];
            let value = inputs[0].data[row * samples + k] + inputs[1].data[k];
            (class != label).then(|| value - expected(class))
        };
        let own = inputs[2].data[row] - expected(label);
        (own, (0..samples).map(logit).collect())
    }

    /// ln of the sum of all exponentials.
    fn log_sum(own: f64, samples: &[Option<f64>]) -> f64 {
        let highest = samples.iter().flatten().copied().fold(own, f64::max);
        let sum: f64 = samples.iter().flatten().map(|x| (x - highest).exp()).sum();
        highest + (sum + (own - highest).exp()).ln()
    }

    fn sample(self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        // Few classes, so that hits happen.
        let limit = self.classes.min(2 * i[1].len() + 1);
        i.iter().map(|spec| distribution.array(spec, limit, rng)).collect()
    }
}

const DISTRIBUTIONS: &[Distribution] =
    &[Distribution::Uniform, Distribution::Ties, Distribution::Zeros, Distribution::Extreme];

impl OldOp for SampledSoftmax {
    fn name(&self) -> &'static str {
        "sampled_softmax"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let [n, _] = size(inputs)?;
        Ok(vec![TensorSpec::f32([n])])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(5 * inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, _inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants("forward", caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        self.dispatch(variant, io, 1)
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let Some(dloss) = dy[0] else {
            return vec![None; x.len()];
        };
        let inputs = [x, &[dloss]].concat();
        let made = dloss.graph().apply(SampledSoftmaxGrad(*self), &inputs);
        vec![Some(made[0]), Some(made[0].sum(0)), Some(made[1]), None, None]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[2].data.len();
        let loss = |row: usize| {
            let (own, samples) = self.logits(inputs, row);
            Self::log_sum(own, &samples) - own
        };
        vec![Array::f32([rows], (0..rows).map(loss).collect())]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(16 * inputs[1].len().max(16))
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        (*self).sample(i, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        DISTRIBUTIONS
    }
}

impl OldOp for SampledSoftmaxGrad {
    fn name(&self) -> &'static str {
        "sampled_softmax_grad"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let [n, _] = size(inputs)?;
        Ok(vec![inputs[0].clone(), TensorSpec::f32([n])])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(8 * inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, _inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants("backward", caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        self.0.dispatch(variant, io, 2)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[2].data.len();
        let (mut dproducts, mut down) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let (own, samples) = self.0.logits(inputs, row);
            let all = SampledSoftmax::log_sum(own, &samples);
            let dloss = inputs[5].data[row];
            let share = |x: &Option<f64>| x.map_or(0.0, |x| dloss * (x - all).exp());
            dproducts.extend(samples.iter().map(share));
            down.push(dloss * ((own - all).exp() - 1.0));
        }
        vec![Array::new(inputs[0].spec.clone(), dproducts), Array::f32([rows], down)]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(64 * inputs[1].len().max(16))
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        self.0.sample(i, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        DISTRIBUTIONS
    }
}

impl<'g> Tensor<'g> {
    /// The loss `[N]` of rows against K sampled of `classes` classes: `self` are the rows' products with the
    /// samples' weights [N, K], `own` the logits of the rows' own classes (Jean 2015, section 3).
    pub fn sampled_softmax(
        self,
        bias: Tensor<'g>,
        own: Tensor<'g>,
        labels: Tensor<'g>,
        sampled: Tensor<'g>,
        classes: usize,
    ) -> Tensor<'g> {
        let inputs = [self, bias, own, labels, sampled];
        self.graph().apply1(SampledSoftmax { classes }, &inputs)
    }
}

/// Cases of [`SampledSoftmax`] and [`SampledSoftmaxGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "sampled_softmax"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (n, k, classes) in
            [(1, 1, 2), (3, 5, 7), (40, 32, 200), (67, 129, 40_000), (50, 512, 40_000)]
        {
            let rows = TensorSpec::f32([n]);
            let inputs = [
                TensorSpec::f32([n, k]),
                TensorSpec::f32([k]),
                rows.clone(),
                TensorSpec::u32([n]),
                TensorSpec::u32([k]),
            ];
            let (name, op) = (format!("n{n}_k{k}_v{classes}"), SampledSoftmax { classes });
            cases.push(Case::new(&*name, op, inputs.clone()));
            let inputs = [&inputs[..], &[rows]].concat();
            cases.push(Case::new(format!("{name}_back"), SampledSoftmaxGrad(op), inputs));
        }
        cases
    }
}
