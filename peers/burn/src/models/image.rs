//! What the models of images share.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};

use super::{Outputs, dense};
use crate::values::Values;

/// Stride, padding and groups of a convolution.
#[derive(Clone, Copy)]
pub struct Conv {
    pub stride: usize,
    pub pad: usize,
    pub groups: usize,
}

impl Default for Conv {
    fn default() -> Self {
        Self { stride: 1, pad: 0, groups: 1 }
    }
}

impl Conv {
    pub fn of(self, x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        let Self { stride, pad, groups } = self;
        conv2d(x, weight, bias, ConvOptions::new([stride; 2], [pad; 2], [1; 2], groups))
    }

    /// With its bias and rectifier.
    pub fn layer(self, values: &Values, x: Tensor<4>, name: &str) -> Tensor<4> {
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        relu(self.of(x, values.param(&weight), Some(values.param(&bias))))
    }
}

pub fn max_pool(x: Tensor<4>, window: usize, stride: usize, pad: usize) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([window; 2]).with_stride([stride; 2]).with_padding([pad; 2]))
}

/// Rows, columns, channels.
pub fn flat(x: Tensor<4>) -> Tensor<2> {
    x.permute([0, 2, 3, 1]).flatten(1, 3)
}

/// Two dense layers with dropout and the classifier behind them.
pub fn head(values: &Values, x: Tensor<4>) -> Outputs {
    let h = values.dropout(relu(dense(values, flat(x), "fc6")), "fc6", 0.5);
    let h = values.dropout(relu(dense(values, h, "fc7")), "fc7", 0.5);
    finish(values, dense(values, h, "fc8"))
}

pub fn finish(values: &Values, logits: Tensor<2>) -> Outputs {
    let outputs = Outputs::default().float("logits", logits.clone());
    if !values.train {
        return outputs;
    }
    let label = values.integers::<1>("label").unsqueeze_dim(1);
    outputs.loss(log_softmax(logits, 1).gather(1, label).mean().neg())
}
