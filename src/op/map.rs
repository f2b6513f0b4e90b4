//! Elementwise arithmetic with numpy broadcasting: one function, or a fused chain of them.
//!
//! A chain is straight-line code over its inputs. As an op of its own it is `shaders/map/map.wgsl` with
//! the chain's text in its hook; as an epilogue it runs on another op's values as they are stored.

use crate::gpu::Caps;
use crate::graph::Tensor;
use crate::random::{Rng, Stream, drop_threshold};
use crate::tensor::{Array, DType, Shape, TensorSpec};

use super::{
    Case, Class, Cost, Dispatch, Distribution, Io, Kernel, Lowered, Op, Tolerance, Variant, grid,
    input, output,
};

mod function;
mod text;

pub use function::Function;
pub(crate) use text::{Place, epilogue as text_epilogue, epilogue_of as text_epilogue_of};

const WORKGROUP: usize = 64;

/// One step of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Instruction {
    /// What is computed.
    pub function: Function,
    /// Values it takes: below the number of inputs the input, from there on earlier results.
    pub arguments: Vec<usize>,
}

/// A chain of elementwise functions; the last result is the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Number of inputs.
    pub inputs: usize,
    /// The steps.
    pub code: Vec<Instruction>,
    /// A shape that the inputs are broadcast to beside each other.
    pub expand: Option<Shape>,
}

impl Map {
    /// A single function of as many inputs as it takes.
    pub fn one(function: Function) -> Self {
        let inputs = function.arity();
        let arguments = (0..inputs).collect();
        let code = vec![Instruction { function, arguments }];
        let expand = None;
        Self { inputs, code, expand }
    }

    /// This chain with its input `at` computed by `producer`: the producer's inputs stand where `at`
    /// stood. Inputs that occur twice are not merged.
    pub fn after(&self, producer: &Map, at: usize) -> Self {
        let inputs = self.inputs + producer.inputs - 1;
        let moved = |v: usize| {
            if v < producer.inputs { v + at } else { inputs + v - producer.inputs }
        };
        let done = inputs + producer.code.len();
        let own = |v: usize| {
            if v == at {
                done - 1
            } else if v < at {
                v
            } else if v < self.inputs {
                v + producer.inputs - 1
            } else {
                done + v - self.inputs
            }
        };
        let relabel = |i: &Instruction, f: &dyn Fn(usize) -> usize| Instruction {
            function: i.function,
            arguments: i.arguments.iter().map(|&v| f(v)).collect(),
        };
        let mut code: Vec<_> = producer.code.iter().map(|i| relabel(i, &moved)).collect();
        code.extend(self.code.iter().map(|i| relabel(i, &own)));
        let expand = self.expand.clone().or_else(|| producer.expand.clone());
        Self { inputs, code, expand }
    }

    /// This chain behind the epilogue that an op has already, over the op's value.
    pub fn behind(&self, epilogue: Option<&Map>) -> Self {
        epilogue.map_or_else(|| self.clone(), |before| self.after(before, 0))
    }

    /// The same chain with input `at` moved to the front.
    pub fn with_first(&self, at: usize) -> Self {
        let order = |v: usize| match v {
            v if v == at => 0,
            v if v < at => v + 1,
            v => v,
        };
        let step = |i: &Instruction| Instruction {
            function: i.function,
            arguments: i.arguments.iter().map(|&v| order(v)).collect(),
        };
        Self {
            inputs: self.inputs,
            code: self.code.iter().map(step).collect(),
            expand: self.expand.clone(),
        }
    }

    /// The inputs that are the clock of a random function, not values.
    pub fn is_clock(&self, input: usize) -> bool {
        self.code.iter().any(|i| {
            matches!(i.function, Function::Dropout { .. }) && i.arguments.get(1) == Some(&input)
        })
    }

    /// Whether it draws random numbers.
    pub fn is_random(&self) -> bool {
        (0..self.inputs).any(|input| self.is_clock(input))
    }

    /// The value at `element` of the output. `values[i]` is input i there; `clock` is what a random
    /// function reads.
    pub fn evaluate(&self, values: &[f64], clock: &[f64], element: usize) -> f64 {
        let mut results = values.to_vec();
        for step in &self.code {
            let arguments: Vec<f64> = step.arguments.iter().map(|&a| results[a]).collect();
            results.push(step.function.evaluate(&arguments, clock, element));
        }
        results.last().copied().unwrap_or(0.0)
    }

    /// The f64 reference over whole arrays; `inputs[0]` may be any producer's result.
    pub fn apply(&self, shape: &Shape, inputs: &[&Array]) -> Array {
        let clock = (0..self.inputs).find(|&i| self.is_clock(i));
        let clock = clock.map_or(&[][..], |i| &inputs[i].data);
        let strides: Vec<Vec<usize>> =
            inputs.iter().map(|a| broadcast_strides(&a.spec.shape, shape)).collect();
        let mut values = vec![0.0; self.inputs];
        let data = (0..shape.len()).map(|element| {
            for (i, array) in inputs.iter().enumerate() {
                if !self.is_clock(i) {
                    values[i] = array.data[offset(element, shape, &strides[i])];
                }
            }
            self.evaluate(&values, clock, element)
        });
        let data = data.collect();
        Array::f32(shape.clone(), data)
    }

    /// The output's shape.
    pub fn shape(&self, inputs: &[TensorSpec]) -> Result<Shape, String> {
        let mut shape = self.expand.clone().unwrap_or_default();
        for (i, spec) in inputs.iter().enumerate() {
            if self.is_clock(i) {
                if *spec != TensorSpec::u32([4]) {
                    return Err(format!("{spec} is not a clock"));
                }
                continue;
            }
            if spec.dtype != DType::F32 {
                return Err(format!("takes f32, not {spec}"));
            }
            shape = shape
                .broadcast(&spec.shape)
                .ok_or_else(|| format!("shapes do not broadcast: {shape} and {}", spec.shape))?;
        }
        Ok(shape)
    }

    /// Operations a computed element takes.
    pub fn flops(&self) -> u64 {
        self.code.iter().map(|i| i.function.flops()).sum()
    }

    /// Rounding steps, for tolerances.
    pub fn depth(&self) -> usize {
        self.code.len()
    }

    /// The chain's op types with their classes.
    pub fn types(&self) -> Vec<(&'static str, Class)> {
        let class = |f: &Function| match f {
            Function::Dropout { .. } => Class::Random,
            Function::Copy => Class::Movement,
            _ => Class::Elementwise,
        };
        let kind = |i: &Instruction| (i.function.name(), class(&i.function));
        self.code.iter().map(kind).collect()
    }
}

/// Strides, in elements, with which `from` is read while walking `to`; 0 along broadcast axes.
fn broadcast_strides(from: &Shape, to: &Shape) -> Vec<usize> {
    let mut strides = vec![0; to.rank()];
    let mut stride = 1;
    for (axis, &length) in from.dims().iter().enumerate().rev() {
        let target = axis + to.rank().saturating_sub(from.rank());
        if length != 1 && target < strides.len() {
            strides[target] = stride;
        }
        stride *= length;
    }
    strides
}

fn offset(mut element: usize, shape: &Shape, strides: &[usize]) -> usize {
    let mut at = 0;
    for (length, stride) in shape.dims().iter().zip(strides).rev() {
        at += element % length * stride;
        element /= length;
    }
    at
}

impl Op for Map {
    fn name(&self) -> &'static str {
        match &self.code[..] {
            [one] => one.function.name(),
            _ => "map",
        }
    }

    fn class(&self) -> Class {
        self.types().first().map_or(Class::Elementwise, |t| t.1)
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        self.shape(inputs).map(|s| vec![TensorSpec::f32(s)])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        let elements: usize = outputs.iter().map(TensorSpec::len).sum();
        Cost::new(self.flops() * elements as u64, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        let by = |width: u32| Variant::new("map", [("WIDTH", width)]);
        let shape = self.shape(inputs).unwrap_or_default();
        let wide = (0..self.inputs)
            .all(|i| self.is_clock(i) || Place::of(&inputs[i].shape, &shape).allows_vec4());
        if wide && shape.len().is_multiple_of(4) { vec![by(4), by(1)] } else { vec![by(1)] }
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let shape = &io.outputs[0].shape;
        let elements = shape.len() / width;
        let kernel = Kernel::new("map/map")
            .with_text("T", text::vector(width))
            .with_hook("apply", text::apply(self, io.inputs, shape, width));
        // The inputs' declarations are part of the hook and follow the output at binding 0.
        let bindings = std::iter::once(output(0)).chain((0..self.inputs).map(input));
        Lowered::one(Dispatch {
            kernel,
            bindings: bindings.collect(),
            params: vec![elements as u32],
            grid: grid(elements.div_ceil(WORKGROUP), io.caps),
        })
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let (Some(dy), [one]) = (dy[0], &self.code[..]) else {
            // Chains are made after differentiation.
            return vec![None; x.len()];
        };
        one.function
            .gradient(x, y[0], dy)
            .into_iter()
            .zip(x)
            .map(|(d, x)| d.map(|d| d.sum_to(&x.spec().shape)))
            .collect()
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let shape = self.shape(&specs).unwrap_or_default();
        vec![self.apply(&shape, inputs)]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(16 * self.depth())
    }

    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let positive = |i: usize| {
            self.code
                .iter()
                .any(|s| s.function.wants_positive() == s.arguments.iter().position(|&a| a == i))
        };
        inputs
            .iter()
            .enumerate()
            .map(|(i, spec)| {
                let mut array = distribution.array(spec, 4, rng);
                if spec.dtype == DType::F32 && positive(i) {
                    array.data.iter_mut().for_each(|x| *x = f64::from(x.abs() as f32 + 0.5));
                }
                array
            })
            .collect()
    }

    fn distributions(&self) -> &'static [Distribution] {
        // exp(1000) is infinite, and so are products of such values.
        &[
            Distribution::Uniform,
            Distribution::Ties,
            Distribution::Zeros,
            Distribution::Tiny,
            Distribution::Extreme,
        ]
    }

    fn types(&self) -> Vec<(&'static str, Class)> {
        Map::types(self)
    }
}

impl<'g> Tensor<'g> {
    fn map(self, function: Function, others: &[Tensor<'g>]) -> Tensor<'g> {
        let inputs: Vec<_> = std::iter::once(self).chain(others.iter().copied()).collect();
        self.graph().apply1(Map::one(function), &inputs)
    }

    /// The same values in memory of their own.
    pub fn copy(self) -> Tensor<'g> {
        self.map(Function::Copy, &[])
    }

    /// `self * factor`.
    pub fn scale(self, factor: f32) -> Tensor<'g> {
        self.map(Function::Scale(factor), &[])
    }

    /// `self + constant`.
    pub fn offset(self, constant: f32) -> Tensor<'g> {
        self.map(Function::Offset(constant), &[])
    }

    /// The same values repeated along axes of length 1, or along new leading axes.
    pub fn broadcast_to(self, shape: &crate::tensor::Shape) -> Tensor<'g> {
        if self.spec().shape == *shape {
            return self;
        }
        if let Some(same) = self.graph().repeated(self, shape) {
            return same;
        }
        let copy = Map { expand: Some(shape.clone()), ..Map::one(Function::Copy) };
        self.graph().apply1(copy, &[self])
    }

    /// e to the power of each value.
    pub fn exp(self) -> Tensor<'g> {
        self.map(Function::Exp, &[])
    }

    /// The square of each value.
    pub fn square(self) -> Tensor<'g> {
        self.map(Function::Square, &[])
    }

    /// Hyperbolic tangent.
    pub fn tanh(self) -> Tensor<'g> {
        self.map(Function::Tanh, &[])
    }

    /// Logistic function.
    pub fn sigmoid(self) -> Tensor<'g> {
        self.map(Function::Sigmoid, &[])
    }

    /// max(x, 0).
    pub fn relu(self) -> Tensor<'g> {
        self.map(Function::Relu, &[])
    }

    /// (x - mean) / sqrt(variance + epsilon).
    pub fn standardize(self, mean: Tensor<'g>, variance: Tensor<'g>, epsilon: f32) -> Tensor<'g> {
        self.map(Function::Standardize(epsilon), &[mean, variance])
    }

    /// x^2 / 2 where |x| <= 1, else |x| - 1/2 (Huber 1964).
    pub fn huber(self) -> Tensor<'g> {
        self.map(Function::Huber, &[])
    }

    /// min(max(x, 0), limit) (Hannun 2014, eq. 1).
    pub fn clipped_relu(self, limit: f32) -> Tensor<'g> {
        self.map(Function::ClippedRelu(limit), &[])
    }

    /// Inverted dropout: each element is dropped with probability `rate`, the others divided by
    /// 1 - rate. The mask is drawn from `stream` and drawn again in the backward pass.
    pub fn dropout(self, rate: f32, stream: u32) -> Tensor<'g> {
        let clock = self.graph().clock();
        self.map(Function::Dropout { rate, stream }, &[clock])
    }

    /// Any function of several tensors.
    pub(crate) fn map_with(self, function: Function, others: &[Tensor<'g>]) -> Tensor<'g> {
        self.map(function, others)
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl<'g> std::ops::$trait for Tensor<'g> {
            type Output = Tensor<'g>;
            fn $method(self, other: Self) -> Self {
                self.map(Function::$trait, &[other])
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl<'g> std::ops::Neg for Tensor<'g> {
    type Output = Tensor<'g>;
    fn neg(self) -> Self {
        self.scale(-1.0)
    }
}

/// Cases of elementwise functions.
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "map"
    }

    fn cases(&self) -> Vec<Case> {
        let f = |dims: &[usize]| TensorSpec::f32(dims);
        let mut cases: Vec<Case> = Function::EXAMPLES
            .iter()
            .map(|&function| {
                let map = Map::one(function);
                let specs: Vec<_> = (0..map.inputs)
                    .map(|i| if map.is_clock(i) { TensorSpec::u32([4]) } else { f(&[5, 12]) })
                    .collect();
                Case::new(format!("{}_5x12", function.name()), map, specs)
            })
            .collect();
        let add = || Map::one(Function::Add);
        let shapes: [(&str, &[usize], &[usize]); 9] = [
            ("one", &[1], &[1]),
            ("prime", &[101], &[101]),
            ("scalar", &[6, 8], &[]),
            ("row", &[6, 8], &[8]),
            ("row_odd", &[6, 7], &[7]),
            ("column", &[6, 8], &[6, 1]),
            ("middle", &[3, 5, 4], &[3, 1, 4]),
            ("outer", &[3, 1], &[1, 5]),
            ("long", &[70_000, 64], &[64]),
        ];
        for (name, a, b) in shapes {
            cases.push(Case::new(format!("add_{name}"), add(), [f(a), f(b)]));
        }
        let chain =
            Map::one(Function::Tanh).after(&add(), 0).after(&Map::one(Function::Scale(0.5)), 1);
        cases.push(Case::new("chain_tanh_add_scale", chain, [f(&[9, 8]), f(&[8])]));
        let dropout = Function::Dropout { rate: 0.5, stream: 9 };
        let clock = TensorSpec::u32([4]);
        cases.push(Case::new("dropout_odd", Map::one(dropout), [f(&[37]), clock]));
        cases
    }
}

/// The stream a random function reads: its clock is (step, seed low, seed high, unused).
pub(crate) fn stream(clock: &[f64], id: u32) -> Stream {
    Stream { seed: clock[1] as u64 | (clock[2] as u64) << 32, step: clock[0] as u32, id }
}

/// Whether dropout keeps an element, as 0 or 1 / (1 - rate).
fn dropout_factor(rate: f32, id: u32, clock: &[f64], element: usize) -> f64 {
    if stream(clock, id).bits(element) >= drop_threshold(rate) {
        1.0 / (1.0 - f64::from(rate))
    } else {
        0.0
    }
}
