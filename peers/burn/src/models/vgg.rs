//! Sixteen 3 x 3 convolutions and three dense layers (Simonyan & Zisserman 2014, configuration E).

use super::Outputs;
use super::image::{Conv, head, max_pool};
use crate::optim::{Optimizer, Rule};
use crate::values::Values;

/// Table 1.
const DEPTHS: [usize; 5] = [2, 2, 4, 4, 4];

pub fn optimizer(_: &Values) -> Optimizer {
    Optimizer::new(Rule::Momentum(0.9), 0.01).decayed(5e-4)
}

pub fn forward(values: &Values) -> Outputs {
    let mut h = values.input::<4>("image");
    for (stage, depth) in (1..).zip(DEPTHS) {
        for layer in 1..=depth {
            h = Conv { pad: 1, ..Conv::default() }.layer(
                values,
                h,
                &format!("conv{stage}_{layer}"),
            );
        }
        h = max_pool(h, 2, 2, 0);
    }
    head(values, h)
}
