//! autoenc: a variational autoencoder on handwritten digits (Kingma & Welling 2014).

use serde_json::{Map, Value, json};

use crate::data::digits::Digits;
use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::nn::{self, Start::GlorotUniform, dense};
use crate::tensor::{DType, HostTensor};
use crate::terms::{Mode, Preset};

use super::{Data, DataSource, Entry, Feed, Metric, Optimizer, Read, Rule, Split, Workload};

/// Pixels of an image, 28 x 28.
const PIXELS: usize = 784;

/// Built-in digits to learn from, and held out.
const SYNTHETIC: (usize, usize) = (4096, 512);

/// Its line in the list.
pub const ENTRY: Entry = Entry {
    name: "autoenc",
    about: "variational autoencoder, 784-500-20-500-784, on digits",
    paper: "Kingma & Welling 2014, Auto-encoding variational Bayes",
    data: ("procedural handwritten-like digits", "MNIST IDX files, plain or gz"),
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

impl Workload for Autoenc {
    fn batch(&self) -> usize {
        self.batch
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "pixels": PIXELS, "hidden": self.hidden, "latent": self.latent });
        config.as_object().cloned().unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: usize) -> bool {
        match name {
            "hidden" => self.hidden = value,
            "latent" => self.latent = value,
            _ => return false,
        }
        true
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

    fn data(&self, source: &DataSource) -> Result<Box<dyn Data>> {
        let open = |split| match &source.path {
            Some(path) => Digits::open(path, split, source.seed),
            None => {
                let n = if split == Split::Train { SYNTHETIC.0 } else { SYNTHETIC.1 };
                Digits::synthetic(source.seed, split, n)
            }
        };
        Ok(Box::new(Images {
            batch: self.batch,
            kind: if source.path.is_some() { "MNIST images" } else { "procedural digits" },
            train: open(Split::Train)?,
            test: open(Split::Test)?,
        }))
    }

    fn metric(&self) -> Metric {
        Metric { name: "held-out negative ELBO", unit: "nats", factor: 1.0 }
    }

    fn score(&self, feed: &Feed, read: Read) -> Result<(f64, f64)> {
        let (mean, logvar, logits) = (read("mean")?, read("logvar")?, read("logits")?);
        let images = feed.iter().filter(|(name, _)| *name == "image");
        let pixels = images.flat_map(|(_, t)| t.array().data);
        let bits = logits.data.iter().zip(pixels);
        let cross_entropy: f64 =
            bits.map(|(&x, t)| x.max(0.0) - x * t + (-x.abs()).exp().ln_1p()).sum();
        let moments = mean.data.iter().zip(&logvar.data);
        let kl: f64 = moments.map(|(m, v)| 0.5 * (v.exp() + m * m - 1.0 - v)).sum();
        Ok((cross_entropy + kl, self.batch as f64))
    }
}

/// Digits in batches.
struct Images {
    batch: usize,
    kind: &'static str,
    train: Digits,
    test: Digits,
}

impl Data for Images {
    fn batch(&mut self, split: Split, step: u64) -> Result<Feed> {
        let images = match split {
            Split::Train => &self.train,
            Split::Test => &self.test,
        };
        let pixels = images.batch(step, self.batch);
        Ok(vec![("image", HostTensor::f32([self.batch, PIXELS], &pixels))])
    }

    fn test_batches(&self) -> u64 {
        self.test.images().len().div_ceil(self.batch) as u64
    }

    fn describe(&self) -> String {
        let (train, test) = (self.train.images().len(), self.test.images().len());
        format!("{train} + {test} {}", self.kind)
    }
}
