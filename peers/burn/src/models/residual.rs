//! ResNet-34 with projection shortcuts (He, Zhang, Ren & Sun 2015).

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{batch_norm, batch_norm_train};

use super::image::{Conv, finish, max_pool};
use super::{Outputs, dense};
use crate::optim::{Optimizer, Rule};
use crate::values::Values;

/// Table 1, 34-layer.
const BLOCKS: [usize; 4] = [3, 4, 6, 3];
const EPSILON: f64 = 1e-5;
/// Of the running statistics.
const MOMENTUM: f64 = 0.1;

/// Section 3.4, at a batch of 256.
pub fn optimizer(values: &Values) -> Optimizer {
    let batch = values.input::<4>("image").dims()[0];
    Optimizer::new(Rule::Momentum(0.9), 0.1 * batch as f64 / 256.0).decayed(1e-4)
}

/// Batch norm (Ioffe & Szegedy 2015), over the batch in training and the running values else.
fn norm(
    values: &Values,
    x: Tensor<4>,
    name: &str,
    after: &mut Vec<(String, Tensor<1>)>,
) -> Tensor<4> {
    let part = |part: &str| values.param::<1>(&format!("{name}.{part}"));
    let [scale, shift, mean, var] = ["scale", "shift", "mean", "var"].map(part);
    if !values.train {
        return batch_norm(x, scale, shift, mean, var, EPSILON);
    }
    let [batch, _, height, width] = x.dims();
    let count = (batch * height * width) as f64;
    let made = batch_norm_train(x, scale, shift, EPSILON);
    let unbiased = made.variance * (count / (count - 1.0));
    after.push((format!("{name}.mean"), mean * (1.0 - MOMENTUM) + made.mean * MOMENTUM));
    after.push((format!("{name}.var"), var * (1.0 - MOMENTUM) + unbiased * MOMENTUM));
    made.output
}

pub fn forward(values: &Values) -> Outputs {
    let mut after = Vec::new();
    let conv = |x, name: &str, stride, pad| {
        Conv { stride, pad, groups: 1 }.of(x, values.param(&format!("{name}.weight")), None)
    };
    let h = conv(values.input("image"), "conv1", 2, 3);
    let mut h = max_pool(relu(norm(values, h, "bn1", &mut after)), 3, 2, 1);
    for (stage, count) in (1..).zip(BLOCKS) {
        for at in 1..=count {
            let name = format!("stage{stage}.block{at}");
            let stride = if stage > 1 && at == 1 { 2 } else { 1 };
            let mut shortcut = h.clone();
            let inner = conv(h, &format!("{name}.conv1"), stride, 1);
            let inner = relu(norm(values, inner, &format!("{name}.bn1"), &mut after));
            let inner = conv(inner, &format!("{name}.conv2"), 1, 1);
            let inner = norm(values, inner, &format!("{name}.bn2"), &mut after);
            if stride == 2 {
                shortcut = conv(shortcut, &format!("{name}.shortcut.conv"), 2, 0);
                shortcut = norm(values, shortcut, &format!("{name}.shortcut.bn"), &mut after);
            }
            h = relu(inner + shortcut);
        }
    }
    let pooled = h.mean_dims(&[2, 3]).flatten(1, 3);
    Outputs { after, ..finish(values, dense(values, pooled, "fc")) }
}
