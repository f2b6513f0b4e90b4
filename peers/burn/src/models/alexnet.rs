//! Five convolutions and three dense layers (Krizhevsky, Sutskever & Hinton 2012).

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

use super::Outputs;
use super::image::{Conv, head, max_pool};
use crate::optim::{Optimizer, Rule};
use crate::values::Values;

pub fn optimizer(_: &Values) -> Optimizer {
    Optimizer::new(Rule::Momentum(0.9), 0.01).decayed(5e-4)
}

/// Response normalisation over five neighbouring channels (section 3.3).
fn lrn(x: Tensor<4>) -> Tensor<4> {
    let channels = x.dims()[1];
    let squares = x.clone().square().pad([(2, 2), (0, 0), (0, 0)], PadMode::Constant(0.0));
    let near = (0..5).map(|j| squares.clone().narrow(1, j, channels));
    let total = near.reduce(|a, b| a + b).expect("five channels");
    x / (total * 1e-4 + 2.0).powf_scalar(0.75)
}

pub fn forward(values: &Values) -> Outputs {
    let layer =
        |x, name: &str, stride, pad, groups| Conv { stride, pad, groups }.layer(values, x, name);
    let h = max_pool(lrn(layer(values.input("image"), "conv1", 4, 2, 1)), 3, 2, 0);
    let h = max_pool(lrn(layer(h, "conv2", 1, 2, 2)), 3, 2, 0);
    let h = layer(h, "conv3", 1, 1, 1);
    let h = layer(h, "conv4", 1, 1, 2);
    let h = max_pool(layer(h, "conv5", 1, 1, 2), 3, 2, 0);
    head(values, h)
}
