//! A variational autoencoder (Kingma & Welling 2014). Its noise is handed over: meganeura draws none.

use super::Rule;
use crate::builder::Builder;

pub const RULE: Rule = Rule::Adam { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

pub fn forward(b: &mut Builder) {
    let image = b.input("input/image");
    // Encoder: q(z | x), a Gaussian with a diagonal covariance (appendix C.2).
    let h = b.dense(image, "encoder.hidden");
    let h = b.graph.tanh(h);
    let mean = b.dense(h, "encoder.mean");
    let logvar = b.dense(h, "encoder.logvar");

    // The reparameterised sample (section 2.4).
    let eps = b.input("random/eps");
    let half = b.scaled(logvar, 0.5);
    let deviation = b.graph.exp(half);
    let noise = b.graph.mul(deviation, eps);
    let z = b.graph.add(mean, noise);

    // Decoder: p(x | z), a Bernoulli for each pixel (appendix C.1).
    let h = b.dense(z, "decoder.hidden");
    let h = b.graph.tanh(h);
    let logits = b.dense(h, "decoder.output");

    if b.train {
        // The negative lower bound (eq. 10), mean over the batch: ln(1 + e^x) - t x of every pixel, which no sigmoid rounds.
        let batch = b.shape(image)[0] as f32;
        let soft = b.graph.softplus(logits, 1.0);
        let taken = b.graph.mul(image, logits);
        let pixels = b.less(soft, taken);
        let reconstruction = b.graph.sum_all(pixels);

        let one = b.filled(logvar, 1.0);
        let squared = b.graph.mul(mean, mean);
        let var = b.graph.exp(logvar);
        let sum = b.graph.add(one, logvar);
        let sum = b.less(sum, squared);
        let sum = b.less(sum, var);
        let sum = b.graph.sum_all(sum);
        let divergence = b.scaled(sum, -0.5);

        let total = b.graph.add(reconstruction, divergence);
        let loss = b.scaled(total, 1.0 / batch);
        b.output("loss", loss, &[]);
    }
    for (name, node) in [("mean", mean), ("logvar", logvar), ("logits", logits)] {
        let shape = b.shape(node);
        b.output(name, node, &shape);
    }
}
