//! autoenc: a variational autoencoder on handwritten digits (Kingma & Welling 2014).

use serde_json::{Map, Value};

use crate::data::Split;
use crate::data::digits::Digits;
use crate::data::listing::Listing;
use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::nn::{self, Start::GlorotUniform, dense};
use crate::op::optimizer::Rule;
use crate::tensor::{DType, HostTensor};
use crate::terms::{Mode, Preset};

use super::info::{Workload, WorkloadInfo};
use super::model::{Model, Optimizer, config_with, fields};
use super::samples::{Batch, DataSource, Feed, Half, Halves, Samples};
use super::score::{Metric, Outputs, Ratio, Score};

/// Pixels of an image, 28 x 28.
const PIXELS: usize = 784;

/// Built-in digits to learn from, and held out.
const SYNTHETIC: (usize, usize) = (4096, 512);

/// Its line in the list.
pub const INFO: WorkloadInfo = WorkloadInfo {
    name: "autoenc",
    about: "variational autoencoder of fully connected layers, on digits",
    paper: "Kingma & Welling 2014, Auto-encoding variational Bayes",
    built_in_data: "procedural handwritten-like digits",
    real_data: Some("MNIST IDX files, plain or gz"),
    metric: Metric { name: "held-out negative ELBO", unit: "nats", factor: 1.0 },
    plays: false,
    shows: false,
    scales: false,
    buckets: 0,
    configure: |preset, batch| Box::new(Autoenc::new(preset, batch)),
};

/// Sizes of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autoenc {
    /// Images in a batch.
    pub batch: usize,
    /// Units of both hidden layers.
    pub hidden: usize,
    /// Latent dimensions.
    pub latent: usize,
}

impl Autoenc {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (usual, hidden, latent) = match preset {
            Preset::Full => (128, 500, 20),
            Preset::Tiny => (8, 64, 8),
        };
        Self { batch: batch.unwrap_or(usual), hidden, latent }
    }
}

impl Model for Autoenc {
    fn batch(&self) -> usize {
        self.batch
    }

    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)> {
        fields!(self: hidden, latent)
    }

    fn config(&self) -> Map<String, Value> {
        config_with(self, [("pixels", PIXELS.into())])
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let image = g.input("image", [self.batch, PIXELS], DType::F32);

        // The encoder q(z | x), a Gaussian with diagonal covariance (appendix C.2).
        let h = dense(image, "encoder.hidden", self.hidden, GlorotUniform).tanh();
        let mean = dense(h, "encoder.mean", self.latent, GlorotUniform);
        let logvar = dense(h, "encoder.logvar", self.latent, GlorotUniform);

        // The reparameterisation trick: z = mean + sigma * eps (section 2.4).
        let eps = nn::normal(g, "eps", &[self.batch, self.latent]);
        let z = mean + logvar.scale(0.5).exp() * eps;

        // The decoder p(x | z), a Bernoulli for each pixel (appendix C.1).
        let h = dense(z, "decoder.hidden", self.hidden, GlorotUniform).tanh();
        let logits = dense(h, "decoder.output", PIXELS, GlorotUniform);

        g.output("mean", mean);
        g.output("logvar", logvar);
        g.output("logits", logits);
        if mode == Mode::Infer {
            return None;
        }
        // The negative evidence lower bound (eq. 10), whose KL term is known in closed form (appendix B).
        let reconstruction = logits.bernoulli_cross_entropy(image);
        let kl = (logvar.exp() + mean.square() - logvar).offset(-1.0).scale(0.5).sum(1);
        Some((reconstruction + kl).mean_all())
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::Adam { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 })
    }
}

impl Workload for Autoenc {
    fn info(&self) -> &'static WorkloadInfo {
        &INFO
    }

    fn samples(&self, source: &DataSource) -> Result<Box<dyn Samples>> {
        let seed = source.seed;
        let ([train, test], listing) = match source.real() {
            Some(path) => {
                let (halves, listing) = Digits::open(path, seed, Listing::new(source.skip_bad))?;
                (halves, Some(listing))
            }
            None => {
                let train = Digits::synthetic(seed, Split::Train, SYNTHETIC.0)?;
                ([train, Digits::synthetic(seed, Split::Test, SYNTHETIC.1)?], None)
            }
        };
        let kind = if listing.is_some() { "MNIST images" } else { "procedural digits" };
        Ok(Box::new(Halves { batch_size: self.batch, kind, train, test, listing }))
    }
}

impl Half for Digits {
    type Batch = DigitBatch;

    fn len(&self) -> usize {
        self.images().len()
    }

    fn batch(&self, step: u64, batch_size: usize) -> DigitBatch {
        DigitBatch { pixels: self.pixels(step, batch_size) }
    }
}

/// Digits [B, 784], ink from 0 to 1.
pub(super) struct DigitBatch {
    pixels: Vec<f32>,
}

impl Batch for DigitBatch {
    fn tensors(&self) -> Feed {
        let batch = self.pixels.len() / PIXELS;
        vec![("image", HostTensor::f32([batch, PIXELS], &self.pixels))]
    }
}

impl Score for DigitBatch {
    /// The loss, one draw of z for each image.
    fn score(&self, outputs: Outputs, counted: usize) -> Result<Ratio> {
        let (mean, logvar, logits) = (outputs("mean")?, outputs("logvar")?, outputs("logits")?);
        let pixels = self.pixels.iter().take(counted * PIXELS).map(|&pixel| f64::from(pixel));
        let cross_entropy: f64 = logits
            .data
            .iter()
            .zip(pixels)
            .map(|(&x, t)| x.max(0.0) - x * t + (-x.abs()).exp().ln_1p())
            .sum();
        let moments = mean.data.iter().zip(&logvar.data).take(counted * mean.spec.shape.last());
        let kl: f64 = moments.map(|(m, v)| 0.5 * (v.exp() + m * m - 1.0 - v)).sum();
        Ok(Ratio { sum: cross_entropy + kl, of: counted as f64 })
    }
}
