//! Layers: parameter names and starting values over the graph's ops.

use std::cell::RefCell;

use crate::graph::group::ALIGNMENT;
use crate::graph::{Builder, Init, TABLES, Tensor};
use crate::op::conv2d::Conv;
use crate::op::ema::Ema;
use crate::random::stream_id;

/// How a weight matrix starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// N(0, sqrt(2 / fan_in)) (He 2015).
    HeNormal,
    /// U(-l, l) with l = sqrt(6 / (fan_in + fan_out)) (Glorot 2010).
    GlorotUniform,
}

impl Start {
    /// The starting values of a matrix.
    pub fn init(self, fan_in: usize, fan_out: usize) -> Init {
        match self {
            Self::HeNormal => Init::Normal { std: (2.0 / fan_in as f32).sqrt() },
            Self::GlorotUniform => {
                Init::Uniform { limit: (6.0 / (fan_in + fan_out) as f32).sqrt() }
            }
        }
    }
}

/// A dense layer: x [.., in] to x W + b [.., units], with parameters `name.weight` [in, units] and
/// `name.bias` `[units]`.
///
/// A weight larger than a buffer, or than a product can bind, is cut into slabs of its rows, which lie one behind the
/// other as the whole does: x W is then a sum of products, each of some columns of x.
pub fn dense<'g>(x: Tensor<'g>, name: &str, units: usize, start: Start) -> Tensor<'g> {
    let g = x.graph();
    g.scoped(name, || {
        let shape = x.spec().shape;
        let fan_in = shape.last();
        let bytes = 4 * (fan_in * units) as u64;
        let slabs = bytes.div_ceil(g.max_weight()) as usize;
        // A slab begins where a binding may: whole rows to a multiple of 256 bytes.
        let rows =
            if slabs > 1 { fan_in.div_ceil(slabs).next_multiple_of(ALIGNMENT) } else { fan_in };
        let weights = g.weight_rows("weight", [fan_in, units], rows, start.init(fan_in, units));
        let bias = g.parameter("bias", [units], Init::Constant(0.0));
        let part = |(i, weight): (usize, Tensor<'g>)| {
            let x = if slabs > 1 {
                x.slice(shape.rank() - 1, i * rows, weight.spec().dims()[0])
            } else {
                x
            };
            x.matmul(weight)
        };
        let products = weights.into_iter().enumerate().map(part);
        products.reduce(|sum, product| product + sum).map_or(bias, |sum| sum + bias)
    })
}

/// A convolution without bias: x [B, H, W, C] to [B, P, Q, channels], with the parameter `name.weight`
/// [size, size, C/groups, channels].
pub fn conv<'g>(x: Tensor<'g>, name: &str, size: usize, channels: usize, conv: Conv) -> Tensor<'g> {
    let g = x.graph();
    g.scoped(name, || {
        let seen = x.spec().shape.last() / conv.groups;
        let init = Start::HeNormal.init(size * size * seen, channels);
        let weight = g.weight("weight", [size, size, seen, channels], init);
        x.conv2d(weight, conv)
    })
}

/// The same with `name.bias` `[channels]`.
pub fn conv_bias<'g>(
    x: Tensor<'g>,
    name: &str,
    size: usize,
    channels: usize,
    settings: Conv,
) -> Tensor<'g> {
    let y = conv(x, name, size, channels, settings);
    let g = x.graph();
    g.scoped(name, || y + g.parameter("bias", [channels], Init::Constant(0.0)))
}

/// A table of rows [V, H], or of single values `[V]`, under `name`, which [`lookup`] reads.
pub fn table<'g>(g: &'g Builder, name: &str, shape: &[usize], start: Init) -> Tensor<'g> {
    g.member(TABLES, name, shape, start)
}

/// The rows [.., H] of a [`table`] that `ids` u32 [..] name; H is 1 where it holds single values. Training
/// updates these rows alone; a table is looked up once a step.
pub fn lookup<'g>(table: Tensor<'g>, ids: Tensor<'g>) -> Tensor<'g> {
    let rows = as_rows(table).embedding(ids);
    table.graph().learn_rows(table, ids, rows);
    rows
}

/// A table as [V, H].
pub(crate) fn as_rows(table: Tensor<'_>) -> Tensor<'_> {
    match *table.spec().dims() {
        [rows] => table.reshape([rows, 1]),
        _ => table,
    }
}

/// x [B, ..] as rows [B, all the rest].
pub fn flatten(x: Tensor<'_>) -> Tensor<'_> {
    let shape = x.spec().shape;
    let rows = shape.dims().first().copied().unwrap_or(1);
    x.reshape([rows, shape.len() / rows.max(1)])
}

/// Inverted dropout under `name.dropout`, in training only (Srivastava 2014).
pub fn dropout<'g>(x: Tensor<'g>, name: &str, rate: f32, training: bool) -> Tensor<'g> {
    if !training {
        return x;
    }
    let g = x.graph();
    let name = format!("{name}.dropout");
    if g.is_recording() {
        let mask = g.dropout_mask(&name, x.spec().shape, rate);
        g.output(&format!("random/{name}"), mask);
    }
    g.scoped(&name, || x.dropout(rate, stream_id(&name)))
}

/// Standard normal noise of `shape`, drawn anew each step (class E).
pub fn normal<'g>(g: &'g Builder, name: &str, shape: &[usize]) -> Tensor<'g> {
    let noise = g.normal(name, shape);
    if g.is_recording() {
        g.output(&format!("random/{name}"), noise);
    }
    noise
}
/// A model's batch norms (Ioffe & Szegedy 2015): over the batch's statistics in training, which the
/// running ones follow, and over the running ones in inference.
#[derive(Debug)]
pub struct BatchNorm<'g> {
    training: bool,
    /// Mean and variance of each layer so far.
    statistics: RefCell<Vec<Tensor<'g>>>,
}

/// Added to a variance.
const EPSILON: f32 = 1e-5;

/// Share of a batch in the running statistics.
const SHARE: f32 = 0.1;

/// The set of running statistics.
const RUNNING: &str = "running";

impl<'g> BatchNorm<'g> {
    /// None yet.
    pub fn new(training: bool) -> Self {
        let statistics = RefCell::default();
        Self { training, statistics }
    }

    /// Normalises each channel of x [.., C], with parameters `name.scale` and `name.shift` and running
    /// statistics `name.mean` and `name.var`, all `[C]`.
    pub fn apply(&self, x: Tensor<'g>, name: &str) -> Tensor<'g> {
        let g = x.graph();
        g.scoped(name, || {
            let channels = [x.spec().shape.last()];
            let scale = g.parameter("scale", channels, Init::Constant(1.0));
            let shift = g.parameter("shift", channels, Init::Constant(0.0));
            let mean = g.member(RUNNING, "mean", channels, Init::Constant(0.0));
            let var = g.member(RUNNING, "var", channels, Init::Constant(1.0));
            if !self.training {
                // Elementwise, so that the convolution before it takes it over as it stores.
                return x.standardize(mean, var, EPSILON) * scale + shift;
            }
            let [y, mean, var] = x.batch_norm(scale, shift, EPSILON);
            self.statistics.borrow_mut().extend([mean, var]);
            y
        })
    }

    /// Lets the running statistics follow those of all layers, in one op.
    pub fn update(self, g: &'g Builder) {
        if self.training {
            let batch = g.pack(RUNNING, &self.statistics.into_inner());
            let (rate, period) = (SHARE, 1);
            for ((running, _), batch) in g.flat(RUNNING).into_iter().zip(batch) {
                g.scoped("running", || g.ema(running, batch, Ema { rate, period }));
            }
        }
    }
}
