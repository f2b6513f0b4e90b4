//! Classes drawn from the log-uniform distribution, which approximates how often the words of a vocabulary
//! sorted by frequency occur (Zipf).

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::graph::{Builder, Init, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::random::{Stream, stream_id};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Inputs: the clock, and for each class c of V the probability of those up to it, f32 `[V]`. Output: u32
/// `[count]`, drawn with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogUniform {
    /// Draws.
    pub count: usize,
    /// Which stream.
    pub stream: u32,
}

/// ln((c + 2) / (c + 1)) / ln(V + 1), the probability of class c.
pub fn probability(class: usize, classes: usize) -> f64 {
    (1.0 / (class as f64 + 1.0)).ln_1p() / (classes as f64 + 1.0).ln()
}

/// The probability of the classes up to each.
fn limits(classes: usize) -> Vec<f32> {
    let up_to = |c: usize| ((c as f64 + 2.0).ln() / (classes as f64 + 1.0).ln()) as f32;
    (0..classes).map(up_to).collect()
}

impl Op for LogUniform {
    fn kind(&self) -> Kind {
        Kind::new("log_uniform", Class::Random)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let classes = inputs[1].len();
        if inputs[0] != TensorSpec::u32([4]) || inputs[1] != TensorSpec::f32([classes]) {
            return Err(format!("takes a clock and f32 [V], not {} and {}", inputs[0], inputs[1]));
        }
        let drawn = TensorSpec::u32([self.count]);
        let facts = Facts::moving(0, inputs, [drawn], Tolerance::EXACT)
            .drawn_from(&[Distribution::Uniform]);
        Ok(Box::new(Draws { op: *self, classes, facts }))
    }
}

#[derive(Debug)]
struct Draws {
    op: LogUniform,
    classes: usize,
    facts: Facts,
}

impl Problem for Draws {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("draw", [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let LogUniform { count, stream } = self.op;
        let classes = [("CLASSES", self.classes as u32)];
        let kernel = Kernel::of("log_uniform", variant).with_consts(&classes);
        Lowered::one(
            Dispatch::new(kernel, grid(count.div_ceil(4 * 64), caps))
                .bind("clock", input(0))
                .bind("limits", input(1))
                .bind("ids", output(0))
                .param("total", count)
                .param("stream", stream),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let stream = Stream::at(&inputs[0].data, self.op.stream);
        let class = |i: usize| {
            let u = stream.uniform(i);
            inputs[1].data.partition_point(|limit| *limit <= u).min(self.classes - 1) as f64
        };
        let ids = (0..self.op.count).map(class).collect();
        self.facts.result(ids)
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let limits = limits(self.classes).into_iter().map(f64::from).collect();
        vec![
            Distribution::Uniform.array(&inputs[0], 1 << 31, &mut sampler.rng),
            Array::new(inputs[1].clone(), limits),
        ]
    }
}

impl Builder {
    /// `count` classes below `classes` from the stream `name`, drawn with replacement by the log-uniform law:
    /// u32 `[count]`.
    pub fn log_uniform(&self, name: &str, count: usize, classes: usize) -> Tensor<'_> {
        let stream = stream_id(name);
        let clock = self.clock();
        self.scoped(name, || {
            let spec = TensorSpec::f32([classes]);
            let limits = Init::Values(std::sync::Arc::new(limits(classes)));
            let limits = self.variable("limits", spec, limits);
            self.apply1(LogUniform { count, stream }, &[clock, limits])
        })
    }
}

/// Awkward cases of [`LogUniform`].
pub(super) fn cases() -> Vec<Case> {
    let case = |(count, classes): (usize, usize)| {
        let inputs = [TensorSpec::u32([4]), TensorSpec::f32([classes])];
        Case::new(format!("k{count}_v{classes}"), LogUniform { count, stream: 77 }, inputs)
    };
    [(1, 1), (5, 2), (32, 200), (512, 40_000), (4099, 1009)].map(case).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_drawn_as_often_as_the_law_says() {
        let specs = [TensorSpec::u32([4]), TensorSpec::f32([50])];
        let problem = LogUniform { count: 200_000, stream: 3 }.problem(&specs).unwrap();
        let inputs = problem.sample(&specs, &mut Sampler::new(Distribution::Uniform, 5));
        let drawn = problem.reference(&[&inputs[0], &inputs[1]]).remove(0);
        let whole: f64 = (0..50).map(|c| probability(c, 50)).sum();
        assert!((whole - 1.0).abs() < 1e-12);
        for c in 0..50 {
            let times = drawn.data.iter().filter(|x| **x == c as f64).count() as f64;
            let wanted = 200_000.0 * probability(c, 50);
            assert!(
                (times - wanted).abs() < 5.0 * wanted.sqrt(),
                "class {c}: {times}, not {wanted}"
            );
        }
    }
}
