//! A variational autoencoder (Kingma & Welling 2014): 784 - hidden - latent - hidden - 784.

use burn::tensor::Distribution;

use super::{Outputs, dense};
use crate::optim::{Optimizer, Rule};
use crate::values::Values;

pub fn optimizer(_: &Values) -> Optimizer {
    Optimizer::new(Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, 1e-3)
}

pub fn forward(values: &Values) -> Outputs {
    let image = values.input::<2>("image");

    // Encoder: q(z | x), a Gaussian with a diagonal covariance (appendix C.2).
    let h = dense(values, image.clone(), "encoder.hidden").tanh();
    let mean = dense(values, h.clone(), "encoder.mean");
    let logvar = dense(values, h, "encoder.logvar");

    // The reparameterised sample (section 2.4).
    let noise =
        values.drawn("eps").unwrap_or_else(|| mean.random_like(Distribution::Normal(0.0, 1.0)));
    let z = mean.clone() + (logvar.clone() * 0.5).exp() * noise;

    // Decoder: p(x | z), a Bernoulli for each pixel (appendix C.1).
    let h = dense(values, z, "decoder.hidden").tanh();
    let logits = dense(values, h, "decoder.output");

    let outputs = Outputs::default()
        .float("mean", mean.clone())
        .float("logvar", logvar.clone())
        .float("logits", logits.clone());
    if !values.train {
        return outputs;
    }
    // The negative lower bound (eq. 10), mean over the batch.
    let batch = image.dims()[0] as f64;
    let entropy =
        logits.clone().clamp_min(0.0) - logits.clone() * image + logits.abs().neg().exp().log1p();
    let divergence = (logvar.clone() + 1.0 - mean.square() - logvar.exp()) * -0.5;
    outputs.loss((entropy.sum() + divergence.sum()) / batch)
}
