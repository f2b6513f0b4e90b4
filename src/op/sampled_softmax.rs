//! Cross-entropy against a few sampled classes instead of all (Jean 2015, section 3).

use crate::graph::Tensor;
use crate::graph::op::{Backward, Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::log_uniform::probability;
use super::softmax::log_sum_exp;

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

impl SampledSoftmax {
    fn sampled(self, inputs: &[TensorSpec], backward: bool) -> Result<Box<dyn Problem>, String> {
        match *inputs[0].dims() {
            [rows, samples]
                if inputs[0].dtype == DType::F32
                    && inputs[1] == TensorSpec::f32([samples])
                    && inputs[2] == TensorSpec::f32([rows])
                    && inputs[3] == TensorSpec::u32([rows])
                    && inputs[4] == TensorSpec::u32([samples])
                    && inputs[5..].iter().all(|dloss| *dloss == inputs[2]) =>
            {
                let loss = TensorSpec::f32([rows]);
                let specs = if backward { vec![inputs[0].clone(), loss] } else { vec![loss] };
                let flops = (if backward { 8 } else { 5 }) * (rows * samples) as u64;
                let steps = if backward { 64 } else { 16 };
                let tolerance = Tolerance::sum(steps * samples.max(16));
                let facts = Facts::moving(flops, inputs, specs, tolerance).drawn_from(&[
                    Distribution::Uniform,
                    Distribution::Ties,
                    Distribution::Zeros,
                    Distribution::Extreme,
                ]);
                let classes = self.classes;
                Ok(Box::new(Sampled { backward, classes, rows, samples, facts }))
            }
            _ => Err(format!("takes [N, K], [K], [N], u32 [N] and u32 [K], not {inputs:?}")),
        }
    }
}

impl Op for SampledSoftmax {
    fn kind(&self) -> Kind {
        Kind::new("sampled_softmax", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        self.sampled(inputs, false)
    }

    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let Some(dloss) = dy[0] else {
            return vec![None; x.len()];
        };
        let inputs = [x, &[dloss]].concat();
        let d = dloss.graph().apply(SampledSoftmaxGrad(*self), &inputs);
        vec![Some(d[0]), Some(d[0].sum(0)), Some(d[1]), None, None]
    }
}

impl Op for SampledSoftmaxGrad {
    fn kind(&self) -> Kind {
        Kind::new("sampled_softmax_grad", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        self.0.sampled(inputs, true)
    }
}

/// The loss of `rows` against `samples`, or its gradient.
#[derive(Debug)]
struct Sampled {
    backward: bool,
    classes: usize,
    rows: usize,
    samples: usize,
    facts: Facts,
}

impl Sampled {
    /// A row's logit of its own class, and those of the samples, `None` where one is left out.
    fn logits(&self, inputs: &[&Array], row: usize) -> (f64, Vec<Option<f64>>) {
        let expected =
            |class: f64| (self.samples as f64 * probability(class as usize, self.classes)).ln();
        let label = inputs[3].data[row];
        let logit = |k: usize| {
            let class = inputs[4].data[k];
            let value = inputs[0].data[row * self.samples + k] + inputs[1].data[k];
            (class != label).then(|| value - expected(class))
        };
        let logit_true = inputs[2].data[row] - expected(label);
        (logit_true, (0..self.samples).map(logit).collect())
    }
}

impl Problem for Sampled {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let name = if self.backward { "backward" } else { "forward" };
        let lanes = if caps.software { [8, 64] } else { [64, 8] };
        lanes.map(|lanes| Variant::new(name, [("LANES", lanes)])).into()
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let number = |x: f64| format!("{:.9}", x as f32);
        let kernel = Kernel::of("sampled_softmax", variant)
            .with_consts(&[("K", self.samples as u32), ("WORKGROUP", variant.get("LANES"))])
            .with_text("LOG_CLASSES", number((self.classes as f64 + 1.0).ln()))
            .with_text("LOG_SAMPLES", number((self.samples as f64).ln()));
        let dispatch = Dispatch::new(kernel, grid(self.rows, caps))
            .bind("products", input(0))
            .bind("bias", input(1))
            .bind("own", input(2))
            .bind("labels", input(3))
            .bind("sampled", input(4))
            .param("rows", self.rows);
        Lowered::one(match self.backward {
            true => dispatch
                .bind("d_loss", input(5))
                .bind("d_products", output(0))
                .bind("d_own", output(1)),
            false => dispatch.bind("loss", output(0)),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (mut loss, mut dproducts, mut dlogits) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..self.rows {
            let (logit_true, samples) = self.logits(inputs, row);
            let logits: Vec<f64> = samples.iter().flatten().copied().chain([logit_true]).collect();
            let log_sum = log_sum_exp(&logits);
            if self.backward {
                let dloss = inputs[5].data[row];
                let share = |x: &Option<f64>| x.map_or(0.0, |x| dloss * (x - log_sum).exp());
                dproducts.extend(samples.iter().map(share));
                dlogits.push(dloss * ((logit_true - log_sum).exp() - 1.0));
            } else {
                loss.push(log_sum - logit_true);
            }
        }
        let data = if self.backward { vec![dproducts, dlogits] } else { vec![loss] };
        let specs = self.facts.outputs.iter().map(|output| output.spec.clone());
        specs.zip(data).map(|(spec, data)| Array::new(spec, data)).collect()
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        // Few classes, so that hits happen.
        let limit = self.classes.min(2 * self.samples + 1);
        sampler.arrays(inputs, limit)
    }
}

impl<'g> Tensor<'g> {
    /// The loss `[N]` of rows against K sampled of `classes` classes: `self` are the rows' products with the
    /// samples' weights [N, K], `logit_true` the logits of the rows' own classes (Jean 2015, section 3).
    pub fn sampled_softmax(
        self,
        bias: Tensor<'g>,
        logit_true: Tensor<'g>,
        labels: Tensor<'g>,
        sampled: Tensor<'g>,
        classes: usize,
    ) -> Tensor<'g> {
        let inputs = [self, bias, logit_true, labels, sampled];
        self.graph().apply1(SampledSoftmax { classes }, &inputs)
    }
}

/// Awkward cases of [`SampledSoftmax`] and [`SampledSoftmaxGrad`].
pub(super) fn cases() -> Vec<Case> {
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
