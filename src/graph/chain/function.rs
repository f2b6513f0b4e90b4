//! The elementwise functions: value, WGSL and derivative of each, side by side.

use crate::graph::Tensor;

use super::dropout_factor;

/// One elementwise function. `y` is the function's own result, `d` the gradient that reaches it: the
/// gradient functions take y, not x, so that no pre-activation must be kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// a
    Copy,
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a * b
    Mul,
    /// a / b
    Div,
    /// a * factor
    Scale(f32),
    /// a + constant
    Offset(f32),
    /// e^a
    Exp,
    /// ln a
    Log,
    /// a^2
    Square,
    /// sqrt a
    Sqrt,
    /// tanh a
    Tanh,
    /// 1 / (1 + e^-a)
    Sigmoid,
    /// max(a, 0)
    Relu,
    /// min(max(a, 0), limit)
    ClippedRelu(f32),
    /// a^2 / 2 where |a| <= 1, else |a| - 1/2 (Huber 1964)
    Huber,
    /// (a, mean, variance): (a - mean) / sqrt(variance + epsilon)
    Standardize(f32),
    /// a * mask / (1 - rate); the mask is drawn from the clock, argument 1
    Dropout {
        /// Probability of dropping.
        rate: f32,
        /// Random stream.
        stream: u32,
    },
    /// (x, index): the value of x's row of this length at the index; one past the last takes the last
    Gather(usize),
    /// The largest of a row of this length
    Max(usize),
    /// (y, d): d (1 - y^2)
    TanhGrad,
    /// (y, d): d y (1 - y)
    SigmoidGrad,
    /// (y, d): d where y > 0
    ReluGrad,
    /// (y, d): d where 0 < y < limit
    ClippedReluGrad(f32),
    /// (a, d): d max(-1, min(a, 1)), of the argument, not the result
    HuberGrad,
}

use Function::*;

impl Function {
    /// One of each that is over single values, for tests.
    pub const EXAMPLES: &[Function] = &[
        Copy,
        Add,
        Sub,
        Mul,
        Div,
        Scale(-1.5),
        Offset(0.25),
        Exp,
        Log,
        Square,
        Sqrt,
        Tanh,
        Sigmoid,
        Relu,
        ClippedRelu(0.5),
        Huber,
        Standardize(1e-5),
        Dropout { rate: 0.25, stream: 7 },
        TanhGrad,
        SigmoidGrad,
        ReluGrad,
        ClippedReluGrad(0.5),
        HuberGrad,
    ];

    /// The op type in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Copy => "copy",
            Add => "add",
            Sub => "sub",
            Mul => "mul",
            Div => "div",
            Scale(_) => "scale",
            Offset(_) => "offset",
            Exp => "exp",
            Log => "log",
            Square => "square",
            Sqrt => "sqrt",
            Tanh => "tanh",
            Sigmoid => "sigmoid",
            Relu => "relu",
            ClippedRelu(_) => "clipped_relu",
            Huber => "huber",
            Standardize(_) => "standardize",
            Dropout { .. } => "dropout",
            Gather(_) => "gather",
            Max(_) => "max",
            TanhGrad => "tanh_grad",
            SigmoidGrad => "sigmoid_grad",
            ReluGrad => "relu_grad",
            ClippedReluGrad(_) => "clipped_relu_grad",
            HuberGrad => "huber_grad",
        }
    }

    /// What none takes more arguments than.
    pub(super) const MOST_ARGUMENTS: usize = 3;

    /// How many arguments it takes.
    pub fn arity(&self) -> usize {
        match self {
            Standardize(_) => 3,
            Add | Sub | Mul | Div | Dropout { .. } | Gather(_) => 2,
            TanhGrad | SigmoidGrad | ReluGrad | ClippedReluGrad(_) | HuberGrad => 2,
            _ => 1,
        }
    }

    /// The length of the rows that argument 0 is, of a function of rows: that argument is then an input of the chain.
    pub(crate) fn row(&self) -> Option<usize> {
        match *self {
            Gather(length) | Max(length) => Some(length),
            _ => None,
        }
    }

    /// Operations an element takes, transcendental functions counted as one.
    pub fn flops(&self) -> u64 {
        match self {
            Copy | Gather(_) => 0,
            Max(length) => *length as u64,
            TanhGrad | SigmoidGrad | Huber | HuberGrad => 3,
            Standardize(_) => 4,
            Sigmoid | ClippedRelu(_) => 2,
            _ => 1,
        }
    }

    /// The argument that must be above 0, if any.
    pub(crate) fn wants_positive(&self) -> Option<usize> {
        match self {
            Log | Sqrt => Some(0),
            Div => Some(1),
            Standardize(_) => Some(2),
            _ => None,
        }
    }

    /// The value in f64, of a row for a function of one.
    pub(super) fn evaluate_row(&self, row: &[f64], a: &[f64]) -> f64 {
        match self {
            Gather(length) => row[(a[1] as usize).min(length - 1)],
            _ => row.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// The value in f64; of a function of rows the place of its row.
    pub fn evaluate(&self, a: &[f64], clock: &[f64], element: usize) -> f64 {
        let keep = |on: bool| if on { a[1] } else { 0.0 };
        match *self {
            Copy | Gather(_) | Max(_) => a[0],
            Add => a[0] + a[1],
            Sub => a[0] - a[1],
            Mul => a[0] * a[1],
            Div => a[0] / a[1],
            Scale(factor) => a[0] * f64::from(factor),
            Offset(constant) => a[0] + f64::from(constant),
            Exp => a[0].exp(),
            Log => a[0].ln(),
            Square => a[0] * a[0],
            Sqrt => a[0].sqrt(),
            Tanh => a[0].tanh(),
            Sigmoid => 1.0 / (1.0 + (-a[0]).exp()),
            Relu => a[0].max(0.0),
            ClippedRelu(limit) => a[0].clamp(0.0, f64::from(limit)),
            Huber => {
                let size = a[0].abs();
                if size <= 1.0 { 0.5 * size * size } else { size - 0.5 }
            }
            Standardize(epsilon) => (a[0] - a[1]) / (a[2] + f64::from(epsilon)).sqrt(),
            Dropout { rate, stream } => a[0] * dropout_factor(rate, stream, clock, element),
            TanhGrad => a[1] * (1.0 - a[0] * a[0]),
            SigmoidGrad => a[1] * a[0] * (1.0 - a[0]),
            ReluGrad => keep(a[0] > 0.0),
            ClippedReluGrad(limit) => keep(a[0] > 0.0 && a[0] < f64::from(limit)),
            HuberGrad => a[1] * a[0].clamp(-1.0, 1.0),
        }
    }

    /// The WGSL of a function of rows: `row` is the input that holds them, and argument 0 where its row begins.
    pub(super) fn wgsl_of_row(&self, row: &str, a: &[String]) -> String {
        let at = |place: usize| format!("{row}[{} + {place}u]", a[0]);
        match *self {
            Gather(length) => format!("{row}[{} + min({}, {}u)]", a[0], a[1], length - 1),
            Max(length) => {
                (1..length).fold(at(0), |max, place| format!("max({max}, {})", at(place)))
            }
            _ => at(0),
        }
    }

    /// The WGSL expression over argument expressions of type `T` (f32 or vec4<f32>); `element` is the number of the
    /// element or of the group of four.
    pub(crate) fn wgsl(&self, a: &[String], element: &str, wide: bool) -> String {
        let x = &a[0];
        match *self {
            Copy | Gather(_) | Max(_) => x.clone(),
            Add => format!("{x} + {}", a[1]),
            Sub => format!("{x} - {}", a[1]),
            Mul => format!("{x} * {}", a[1]),
            Div => format!("{x} / {}", a[1]),
            Scale(factor) => format!("{x} * {factor:?}f"),
            Offset(constant) => format!("{x} + {constant:?}f"),
            Exp => format!("exp({x})"),
            Log => format!("log({x})"),
            Square => format!("{x} * {x}"),
            Sqrt => format!("sqrt({x})"),
            // Drivers compute tanh from e^2x, which overflows (beyond 15 it is 1 in f32) and cancels
            // near 0, where two terms of its series are exact in f32.
            Tanh => format!(
                "select(tanh(clamp({x}, T(-15.0), T(15.0))), {x} - {x} * {x} * {x} / T(3.0), \
                 abs({x}) < T(0.02))"
            ),
            Sigmoid => format!("T(1.0) / (T(1.0) + exp(-{x}))"),
            Relu => format!("max({x}, T(0.0))"),
            ClippedRelu(limit) => format!("clamp({x}, T(0.0), T({limit:?}f))"),
            // With c the size up to 1: c^2 / 2 + (size - c).
            Huber => format!(
                "(min(abs({x}), T(1.0)) * min(abs({x}), T(1.0)) * T(0.5) + max(abs({x}) - T(1.0), T(0.0)))"
            ),
            Standardize(epsilon) => {
                format!("({x} - {}) * inverseSqrt({} + {epsilon:?}f)", a[1], a[2])
            }
            HuberGrad => format!("{} * clamp({x}, T(-1.0), T(1.0))", a[1]),
            Dropout { rate, stream } => {
                let threshold = crate::random::drop_threshold(rate);
                let scale = 1.0 / (1.0 - rate);
                let name = if wide { "dropout4" } else { "dropout1" };
                format!("{x} * {name}({element}, {}, {stream}u, {threshold}u, {scale:?}f)", a[1])
            }
            TanhGrad => format!("{1} * (T(1.0) - {0} * {0})", x, a[1]),
            SigmoidGrad => format!("{1} * {0} * (T(1.0) - {0})", x, a[1]),
            ReluGrad => format!("select(T(0.0), {}, {x} > T(0.0))", a[1]),
            ClippedReluGrad(limit) => {
                let d = &a[1];
                format!("select(T(0.0), select(T(0.0), {d}, {x} > T(0.0)), {x} < T({limit:?}f))")
            }
        }
    }

    /// The gradients of the arguments before broadcasting is undone.
    pub(crate) fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: Tensor<'g>,
        dy: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let through = |f: Function| vec![Some(y.map_with(f, &[dy]))];
        match *self {
            Copy => vec![Some(dy)],
            Add => vec![Some(dy), Some(dy)],
            Sub => vec![Some(dy), Some(-dy)],
            Mul => vec![Some(dy * x[1]), Some(dy * x[0])],
            Div => vec![Some(dy / x[1]), Some(-(dy * y / x[1]))],
            Scale(factor) => vec![Some(dy.scale(factor))],
            Offset(_) => vec![Some(dy)],
            Exp => vec![Some(dy * y)],
            Log => vec![Some(dy / x[0])],
            Square => vec![Some((dy * x[0]).scale(2.0))],
            Sqrt => vec![Some((dy / y).scale(0.5))],
            Tanh => through(TanhGrad),
            Sigmoid => through(SigmoidGrad),
            Relu => through(ReluGrad),
            ClippedRelu(limit) => through(ClippedReluGrad(limit)),
            Standardize(epsilon) => {
                let variance = x[2].offset(epsilon);
                let dx = dy / variance.map_with(Sqrt, &[]);
                vec![Some(dx), Some(-dx), Some((dy * y / variance).scale(-0.5))]
            }
            Huber => vec![Some(x[0].map_with(HuberGrad, &[dy]))],
            Dropout { .. } => vec![Some(dy.map_with(*self, &[x[1]])), None],
            Gather(length) => vec![Some(dy.scatter(x[1], length)), None],
            // Made of a reduction after differentiation.
            Max(_) => vec![None],
            // Second derivatives are not needed by any model.
            TanhGrad | SigmoidGrad | ReluGrad | ClippedReluGrad(_) | HuberGrad => vec![None, None],
        }
    }
}
