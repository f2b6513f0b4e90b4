//! The models, as `../pytorch/` has them: tensors by name, images with channels first.

use burn::tensor::{Int, Tensor};

use crate::optim::Optimizer;
use crate::values::{Shaped, Values};

mod alexnet;
mod autoenc;
mod deepq;
mod image;
mod memnet;
mod residual;
mod seq2seq;
mod speech;
mod vgg;

pub type Forward = fn(&Values) -> Outputs;

pub struct Model {
    pub forward: Forward,
    pub optimizer: fn(&Values) -> Optimizer,
}

/// What a step gives.
#[derive(Default)]
pub struct Outputs {
    pub floats: Vec<(&'static str, Shaped)>,
    pub integers: Vec<(&'static str, Tensor<2, Int>)>,
    pub loss: Option<Tensor<1>>,
    /// What running statistics become.
    pub after: Vec<(String, Tensor<1>)>,
}

impl Outputs {
    pub fn float<const D: usize>(mut self, name: &'static str, value: Tensor<D>) -> Self {
        self.floats.push((name, value.into()));
        self
    }

    pub fn integer(mut self, name: &'static str, value: Tensor<2, Int>) -> Self {
        self.integers.push((name, value));
        self
    }

    pub fn loss(mut self, loss: Tensor<1>) -> Self {
        self.loss = Some(loss);
        self
    }
}

pub fn of(workload: &str) -> Option<Model> {
    let (forward, optimizer): (Forward, fn(&Values) -> Optimizer) = match workload {
        "alexnet" => (alexnet::forward, alexnet::optimizer),
        "autoenc" => (autoenc::forward, autoenc::optimizer),
        "deepq" => (deepq::forward, deepq::optimizer),
        "memnet" => (memnet::forward, memnet::optimizer),
        "residual" => (residual::forward, residual::optimizer),
        "seq2seq" => (seq2seq::forward, seq2seq::optimizer),
        "speech" => (speech::forward, speech::optimizer),
        "vgg" => (vgg::forward, vgg::optimizer),
        _ => return None,
    };
    Some(Model { forward, optimizer })
}

/// x W + b over the last dimension.
fn dense<const D: usize>(values: &Values, x: Tensor<D>, name: &str) -> Tensor<D> {
    let shape = x.dims();
    let rows: usize = shape[..D - 1].iter().product();
    let weight = values.param::<2>(&format!("{name}.weight"));
    let bias = values.param::<1>(&format!("{name}.bias"));
    let outs = weight.dims()[1];
    let y = x.reshape([rows, shape[D - 1]]).matmul(weight) + bias.unsqueeze();
    let mut shape = shape;
    shape[D - 1] = outs;
    y.reshape(shape)
}
