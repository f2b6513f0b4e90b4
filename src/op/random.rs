//! Random tensors: uniform, normal, and the masks of dropout.

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::random::{Stream, drop_threshold, stream_id};
use crate::tensor::{Array, Shape, TensorSpec};
use crate::terms::Class;

use super::Case;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Draw {
    /// Uniform in [0, 1).
    Uniform,
    /// Standard normal.
    Normal,
    /// 1 where dropout with this probability keeps an element, else 0.
    Mask(f32),
}

/// A tensor of draws from one stream at the clock's step. Its input is the clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Random {
    /// What is drawn.
    pub draw: Draw,
    /// How many.
    pub shape: Shape,
    /// Which stream.
    pub stream: u32,
}

impl Op for Random {
    fn kind(&self) -> Kind {
        let name = match self.draw {
            Draw::Uniform => "random_uniform",
            Draw::Normal => "random_normal",
            Draw::Mask(_) => "random_mask",
        };
        Kind::new(name, Class::Random)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        if inputs[0] != TensorSpec::u32([4]) {
            return Err(format!("{} is not a clock", inputs[0]));
        }
        let y = TensorSpec::f32(self.shape.clone());
        // Integer rounds are not counted as floating-point work.
        let (draw, stream, len) = (self.draw, self.stream, y.len());
        let tolerance = match draw {
            Draw::Normal => Tolerance::sum(4),
            Draw::Uniform | Draw::Mask(_) => Tolerance::EXACT,
        };
        // The only input is the clock.
        let facts = Facts::moving(0, inputs, [y], tolerance).drawn_from(&[Distribution::Uniform]);
        Ok(Box::new(Draws { draw, stream, len, facts }))
    }
}

#[derive(Debug)]
struct Draws {
    draw: Draw,
    stream: u32,
    len: usize,
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
        let (kind, threshold) = match self.draw {
            Draw::Uniform => (0, 0),
            Draw::Normal => (1, 0),
            Draw::Mask(rate) => (2, drop_threshold(rate)),
        };
        let kernel = Kernel::of("random", variant).with_consts(&[("KIND", kind)]);
        Lowered::one(
            Dispatch::new(kernel, grid(self.len.div_ceil(4 * 64), caps))
                .bind("clock", input(0))
                .bind("y", output(0))
                .param("len", self.len)
                .param("stream", self.stream)
                .param("threshold", threshold),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let stream = Stream::at(&inputs[0].data, self.stream);
        let value = |i: usize| match self.draw {
            Draw::Uniform => stream.uniform(i),
            Draw::Normal => stream.normal(i),
            Draw::Mask(rate) => f64::from(u8::from(stream.keeps(i, rate))),
        };
        let data = (0..self.len).map(value).collect();
        self.facts.result(data)
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        vec![Distribution::Uniform.array(&inputs[0], 1 << 31, &mut sampler.rng)]
    }
}

impl Builder {
    fn random(&self, name: &str, shape: impl Into<Shape>, draw: Draw) -> Tensor<'_> {
        let scope = self.scope();
        let full = if scope.is_empty() { name.to_string() } else { format!("{scope}.{name}") };
        let op = Random { draw, shape: shape.into(), stream: stream_id(&full) };
        let clock = self.clock();
        self.scoped(name, || self.apply1(op, &[clock]))
    }

    /// Uniform draws in [0, 1) from the stream `scope.name`.
    pub fn uniform(&self, name: &str, shape: impl Into<Shape>) -> Tensor<'_> {
        self.random(name, shape, Draw::Uniform)
    }

    /// Standard normal draws from the stream `scope.name`.
    pub fn normal(&self, name: &str, shape: impl Into<Shape>) -> Tensor<'_> {
        self.random(name, shape, Draw::Normal)
    }

    /// What dropout under this name keeps: 1, or 0 with probability `rate`.
    pub fn dropout_mask(&self, name: &str, shape: impl Into<Shape>, rate: f32) -> Tensor<'_> {
        self.random(name, shape, Draw::Mask(rate))
    }
}

/// Awkward cases of [`Random`].
pub(super) fn cases() -> Vec<Case> {
    let draws = [("uniform", Draw::Uniform), ("normal", Draw::Normal), ("mask", Draw::Mask(0.3))];
    let lengths = [1, 5, 257, 100_003];
    let draws_at_lengths = draws.iter().flat_map(|d| lengths.map(|n| (*d, n)));
    let case = |((name, draw), n): ((&str, Draw), usize)| {
        let op = Random { draw, shape: [n].into(), stream: 77 };
        Case::new(format!("{name}_{n}"), op, [TensorSpec::u32([4])])
    };
    draws_at_lengths.map(case).collect()
}
