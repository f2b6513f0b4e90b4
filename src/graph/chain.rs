//! Elementwise arithmetic with numpy broadcasting: one function, or a fused chain of them, as plain data.
//!
//! A chain is straight-line code over its inputs. As an op of its own it is `shaders/map/map.wgsl` with
//! the chain's text in its hook; as an epilogue it runs on another op's values as they are stored.

use crate::host::parallel::*;
use crate::random::{Stream, drop_threshold};
use crate::tensor::{Array, DType, Shape, TensorSpec};

mod epilogue;
mod function;
mod text;

pub(crate) use epilogue::Epilogue;
pub use function::Function;
pub(crate) use text::{Place, function_of, operand_name};

/// Elements of a reference that a thread computes in a row.
const PART: usize = 1 << 14;

/// How a chain reads one of its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// One float for each element.
    Value,
    /// A row of this length for each.
    Row(usize),
    /// An integer for each.
    Index,
    /// The clock of a random function.
    Clock,
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Instruction {
    /// What is computed.
    pub function: Function,
    /// Values it takes: below the number of inputs the input, from there on earlier results.
    pub arguments: Vec<usize>,
}

impl Instruction {
    /// The same step over values of other numbers. Where their order makes no difference it is one, so that the text is.
    fn relabelled(&self, label: impl Fn(usize) -> usize) -> Self {
        let mut arguments: Vec<_> = self.arguments.iter().map(|&value| label(value)).collect();
        if matches!(self.function, Function::Add | Function::Mul) {
            arguments.sort_unstable();
        }
        Self { function: self.function, arguments }
    }
}

/// A chain of elementwise functions; the last result is the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Number of inputs.
    pub inputs: usize,
    /// The steps.
    pub code: Vec<Instruction>,
    /// A shape that the inputs are broadcast to beside each other.
    pub expand: Option<Shape>,
    /// Elements before its first, where it is over a part of a tensor: what is drawn at random goes by the whole's.
    pub first: usize,
}

impl Chain {
    /// A single function of as many inputs as it takes.
    pub fn one(function: Function) -> Self {
        let inputs = function.arity();
        let arguments = (0..inputs).collect();
        let code = vec![Instruction { function, arguments }];
        let (expand, first) = (None, 0);
        Self { inputs, code, expand, first }
    }

    /// This chain with its input `at` computed by `producer`: the producer's inputs stand where `at`
    /// stood. Inputs that occur twice are not merged.
    pub fn after(&self, producer: &Chain, at: usize) -> Self {
        let inputs = self.inputs + producer.inputs - 1;
        // Values are numbered inputs first, then results: the producer's results come before the chain's.
        let of_producer = |v: usize| {
            if v < producer.inputs { v + at } else { inputs + v - producer.inputs }
        };
        let done = inputs + producer.code.len();
        let of_chain = |v: usize| {
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
        let produced = producer.code.iter().map(|step| step.relabelled(of_producer));
        let code = produced.chain(self.code.iter().map(|step| step.relabelled(of_chain))).collect();
        let expand = self.expand.clone().or_else(|| producer.expand.clone());
        Self { inputs, code, expand, first: self.first }
    }

    /// This chain behind the epilogue that an op has already, over the op's value.
    pub fn behind(&self, epilogue: Option<&Chain>) -> Self {
        epilogue.map_or_else(|| self.clone(), |before| self.after(before, 0))
    }

    /// The same chain with input `at` moved to the front.
    pub fn with_first(&self, at: usize) -> Self {
        let order = |v: usize| match v {
            v if v == at => 0,
            v if v < at => v + 1,
            v => v,
        };
        let code = self.code.iter().map(|step| step.relabelled(order)).collect();
        Self { code, ..self.clone() }
    }

    /// How it reads an input.
    pub(crate) fn read(&self, input: usize) -> Read {
        let as_read = |step: &Instruction| match step.function {
            Function::Dropout { .. } if step.arguments[1] == input => Some(Read::Clock),
            Function::Gather(_) if step.arguments[1] == input => Some(Read::Index),
            function if step.arguments[0] == input => function.row().map(Read::Row),
            _ => None,
        };
        self.code.iter().find_map(as_read).unwrap_or(Read::Value)
    }

    /// The inputs that are the clock of a random function, not values.
    pub fn is_clock(&self, input: usize) -> bool {
        self.read(input) == Read::Clock
    }

    /// Whether it reads rows, which an op's epilogue and groups of four elements cannot.
    pub(crate) fn reads_rows(&self) -> bool {
        self.code.iter().any(|step| step.function.row().is_some())
    }

    /// Whether groups of four elements of `shape` can be computed at once.
    pub(crate) fn allows_vec4(&self, inputs: &[TensorSpec], shape: &Shape) -> bool {
        let allows = |(i, input): (usize, &TensorSpec)| {
            self.is_clock(i) || Place::of(&input.shape, shape).allows_vec4()
        };
        let aligned = self.first.is_multiple_of(4) && shape.len().is_multiple_of(4);
        aligned && !self.reads_rows() && inputs.iter().enumerate().all(allows)
    }

    /// Whether it draws random numbers.
    pub fn is_random(&self) -> bool {
        (0..self.inputs).any(|input| self.is_clock(input))
    }

    /// The chain for an op that cannot draw; nothing where it is random.
    pub(crate) fn unless_random(&self) -> Option<&Self> {
        (!self.is_random()).then_some(self)
    }

    /// The value at `element` of the output. `values[i]` is input i there; `clock` is what a random
    /// function reads.
    pub fn evaluate(&self, values: &[f64], clock: &[f64], element: usize) -> f64 {
        let mut results = values.to_vec();
        self.evaluate_in(&mut results, &[], clock, element)
    }

    /// The same in a room that serves many elements: the inputs' values in front, and behind them whatever was left
    /// there before. The value of an input of rows is the place of its row in `inputs`.
    fn evaluate_in(
        &self,
        results: &mut Vec<f64>,
        inputs: &[&Array],
        clock: &[f64],
        element: usize,
    ) -> f64 {
        results.truncate(self.inputs);
        for step in &self.code {
            let mut arguments = [0.0; Function::MOST_ARGUMENTS];
            for (value, &at) in arguments.iter_mut().zip(&step.arguments) {
                *value = results[at];
            }
            let arguments = &arguments[..step.arguments.len()];
            results.push(match step.function.row() {
                Some(length) => {
                    let rows = &inputs[step.arguments[0]].data;
                    step.function.evaluate_row(&rows[arguments[0] as usize..][..length], arguments)
                }
                None => step.function.evaluate(arguments, clock, element),
            });
        }
        results.last().copied().unwrap_or(0.0)
    }

    /// The f64 reference over whole arrays; `inputs[0]` may be any producer's result.
    pub fn apply(&self, shape: &Shape, inputs: &[&Array]) -> Array {
        let clock = (0..self.inputs).find(|&i| self.is_clock(i));
        let clock = clock.map_or(&[][..], |i| &inputs[i].data);
        let read = inputs.iter().enumerate().filter(|(i, _)| !self.is_clock(*i));
        let read: Vec<_> = read
            .map(|(i, array)| {
                let seen = self.seen(i, &array.spec);
                // What is as long as the result is not broadcast: its elements lie as the result's do.
                let whole = seen.len() == shape.len();
                let strides = (!whole).then(|| broadcast_strides(&seen, shape));
                (i, array, strides, self.read(i))
            })
            .collect();
        let mut data = vec![0.0; shape.len()];
        data.par_chunks_mut(PART).enumerate().for_each(|(part, data)| {
            let mut results = vec![0.0; self.inputs];
            for (element, value) in (part * PART..).zip(data) {
                for (i, array, strides, read) in &read {
                    let at = strides.as_ref().map(|strides| offset(element, shape, strides));
                    let at = at.unwrap_or(element);
                    results[*i] = match *read {
                        Read::Row(length) => (at * length) as f64,
                        _ => array.data[at],
                    };
                }
                *value = self.evaluate_in(&mut results, inputs, clock, self.first + element);
            }
        });
        Array::f32(shape.clone(), data)
    }

    /// The same at one element, where the first input is `value` there.
    pub fn apply_at(&self, shape: &Shape, value: f64, others: &[&Array], element: usize) -> f64 {
        let clock = (1..self.inputs).find(|&i| self.is_clock(i));
        let other = |(i, array): (usize, &&Array)| match Some(i + 1) == clock {
            true => 0.0,
            false => {
                array.data[offset(element, shape, &broadcast_strides(&array.spec.shape, shape))]
            }
        };
        let others_there = others.iter().enumerate().map(other);
        let values: Vec<f64> = std::iter::once(value).chain(others_there).collect();
        let clock = clock.map_or(&[][..], |i| &others[i - 1].data);
        self.evaluate(&values, clock, self.first + element)
    }

    /// The shape of what an input is to the elements: rows are one each.
    fn seen(&self, input: usize, spec: &TensorSpec) -> Shape {
        match self.read(input) {
            Read::Row(_) => spec.dims()[..spec.shape.rank().saturating_sub(1)].into(),
            _ => spec.shape.clone(),
        }
    }

    /// The output's shape.
    pub fn shape(&self, inputs: &[TensorSpec]) -> Result<Shape, String> {
        let mut shape = self.expand.clone().unwrap_or_default();
        for (i, spec) in inputs.iter().enumerate() {
            match self.read(i) {
                Read::Clock if *spec == TensorSpec::u32([4]) => continue,
                Read::Clock => return Err(format!("{spec} is not a clock")),
                Read::Index if spec.dtype != DType::U32 => {
                    return Err(format!("takes indices, not {spec}"));
                }
                Read::Row(length) if spec.dims().last() != Some(&length) => {
                    return Err(format!("takes rows of {length}, not {spec}"));
                }
                Read::Value | Read::Row(_) if !spec.dtype.is_float() => {
                    return Err(format!("takes floats, not {spec}"));
                }
                _ => {}
            }
            let seen = self.seen(i, spec);
            shape = shape
                .broadcast(&seen)
                .ok_or_else(|| format!("shapes do not broadcast: {shape} and {seen}"))?;
        }
        Ok(shape)
    }

    /// Operations a computed element takes.
    pub fn flops(&self) -> u64 {
        self.code.iter().map(|i| i.function.flops()).sum()
    }

    /// Rounding steps, for tolerances: a function of rows takes one of their values as it is.
    pub fn depth(&self) -> usize {
        self.code.iter().filter(|step| step.function.row().is_none()).count()
    }

    /// What the integers of an input that is read as indices are below.
    pub(crate) fn indices(&self, input: usize) -> Option<usize> {
        let rows = self.code.iter().filter(|step| step.arguments.get(1) == Some(&input));
        rows.filter_map(|step| step.function.row()).min()
    }

    /// Bytes of its inputs that need not be read: what no index names.
    pub(crate) fn passed_over(&self, inputs: &[TensorSpec]) -> u64 {
        let rows = |step: &Instruction| match step.function {
            Function::Gather(length) => {
                let bytes = inputs[step.arguments[0]].bytes();
                bytes - bytes / length.max(1) as u64
            }
            _ => 0,
        };
        self.code.iter().map(rows).sum()
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

/// Whether dropout keeps an element, as 0 or 1 / (1 - rate).
fn dropout_factor(rate: f32, id: u32, clock: &[f64], element: usize) -> f64 {
    if Stream::at(clock, id).bits(element) >= drop_threshold(rate) {
        1.0 / (1.0 - f64::from(rate))
    } else {
        0.0
    }
}
