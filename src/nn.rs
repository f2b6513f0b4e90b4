//! Layers: parameter names and starting values over the graph's ops.

use crate::graph::{Graph, Init, Tensor};
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
    fn init(self, fan_in: usize, fan_out: usize) -> Init {
        match self {
            Self::HeNormal => Init::Normal {
                std: (2.0 / fan_in as f32).sqrt(),
            },
            Self::GlorotUniform => Init::Uniform {
                limit: (6.0 / (fan_in + fan_out) as f32).sqrt(),
            },
        }
    }
}

/// A dense layer: x [.., in] to x W + b [.., units], with parameters `name.weight` [in, units] and
/// `name.bias` `[units]`.
pub fn dense<'g>(x: Tensor<'g>, name: &str, units: usize, start: Start) -> Tensor<'g> {
    let g = x.graph();
    g.scoped(name, || {
        let fan_in = x.spec().shape.last();
        let weight = g.parameter("weight", [fan_in, units], start.init(fan_in, units));
        let bias = g.parameter("bias", [units], Init::Constant(0.0));
        x.matmul(weight) + bias
    })
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
pub fn normal<'g>(g: &'g Graph, name: &str, shape: &[usize]) -> Tensor<'g> {
    let noise = g.normal(name, shape);
    if g.is_recording() {
        g.output(&format!("random/{name}"), noise);
    }
    noise
}
