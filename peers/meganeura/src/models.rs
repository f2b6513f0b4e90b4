//! The models, as `../pytorch/` has them: tensors by name, images with channels first.

use crate::builder::Builder;
use crate::turns::Result;

mod alexnet;
mod autoenc;
mod deepq;
mod image;
mod memnet;
mod residual;
mod vgg;

/// Those of fathom's optimisers that meganeura has.
pub enum Rule {
    Sgd { rate: f32, clip: f32 },
    Adam { rate: f32, beta1: f32, beta2: f32, epsilon: f32 },
}

pub struct Model {
    pub forward: fn(&mut Builder),
    pub rule: Option<Rule>,
}

/// A model in a mode, or why there is none.
pub fn of(workload: &str, train: bool) -> Result<Model> {
    let (forward, rule): (fn(&mut Builder), _) = match workload {
        "alexnet" => (alexnet::forward, None),
        "autoenc" => (autoenc::forward, Some(autoenc::RULE)),
        "deepq" => (deepq::forward, None),
        "memnet" => (memnet::forward, Some(memnet::RULE)),
        "residual" => (residual::forward, None),
        "vgg" => (vgg::forward, None),
        _ => return Err(format!("{workload} is not written in meganeura").into()),
    };
    match rule {
        None if train => {
            Err(format!("meganeura cannot train {workload}: see models/image.rs").into())
        }
        rule => Ok(Model { forward, rule: rule.filter(|_| train) }),
    }
}
