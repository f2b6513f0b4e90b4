//! A deep Q-network (Mnih 2015): three convolutions and two dense layers over stacks of four frames.

use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};

use super::image::{Conv, flat};
use super::{Outputs, dense};
use crate::optim::{Optimizer, Rule};
use crate::values::Values;

const DISCOUNT: f64 = 0.99;

pub fn optimizer(_: &Values) -> Optimizer {
    Optimizer::new(Rule::CentredRmsProp { rho: 0.95, epsilon: 0.01 }, 2.5e-4)
}

/// Q of every action (Methods, "Model architecture").
fn network(values: &Values, state: Tensor<4, Int>, prefix: &str) -> Tensor<2> {
    let mut h = state.float() / 255.0;
    for (layer, stride) in [("conv1", 4), ("conv2", 2), ("conv3", 1)] {
        h = Conv { stride, ..Conv::default() }.layer(values, h, &format!("{prefix}{layer}"));
    }
    let h = relu(dense(values, flat(h), &format!("{prefix}fc4")));
    dense(values, h, &format!("{prefix}fc5"))
}

pub fn forward(values: &Values) -> Outputs {
    let q = network(values, values.integers("state"), "");
    let outputs = Outputs::default().float("q", q.clone());
    if !values.train {
        return outputs.integer("action", q.argmax(1));
    }
    // Algorithm 1: what the action was worth, by the target network.
    let best = network(values, values.integers("next_state"), "target/").max_dim(1).detach();
    let column = |name| values.input::<1>(name).unsqueeze_dim::<2>(1);
    let going_on = column("terminal").neg() + 1.0;
    let worth = column("reward") + going_on * best * DISCOUNT;
    let taken = q.gather(1, values.integers::<1>("action").unsqueeze_dim(1));
    // Huber's loss: half the square up to 1, then linear.
    let distance = (taken - worth).abs();
    let square = distance.clone().clamp_max(1.0);
    outputs.loss((square.clone() * (distance - square * 0.5)).mean())
}
