//! residual: ResNet-34 with projection shortcuts (He, Zhang, Ren & Sun 2015).

use serde_json::{Map, Value};

use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::nn::{BatchNorm, Start::HeNormal, conv, dense};
use crate::op::conv2d::Conv;
use crate::op::max_pool::MaxPool;
use crate::op::optimizer::Rule;
use crate::terms::{Mode, Preset};

use super::images::{self, Sizes};
use super::info::{Workload, WorkloadInfo};
use super::model::{Model, Optimizer, config_with};
use super::samples::{DataSource, Samples};

/// Its line in the list.
pub const INFO: WorkloadInfo = images::info(
    "residual",
    "ResNet-34: 34 layers with shortcuts and batch norm, on images",
    "He 2015, Deep residual learning for image recognition",
    |preset, batch| Box::new(Residual::new(preset, batch)),
);

/// Blocks of each stage (table 1, 34-layer).
const BLOCKS: [usize; 4] = [3, 4, 6, 3];

/// What their channels are called.
const STAGES: [&str; 4] = ["stage1", "stage2", "stage3", "stage4"];

/// Sizes of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Residual {
    /// Batch, image and classes.
    pub images: Sizes,
    /// Channels of each stage.
    pub widths: [usize; 4],
}

impl Residual {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (images, widths) = match preset {
            Preset::Full => (Sizes::full(16, batch), [64, 128, 256, 512]),
            Preset::Tiny => (Sizes::tiny(32, batch), [8, 16, 32, 64]),
        };
        Self { images, widths }
    }
}

/// A square filter that keeps the size, or halves it.
fn settings(size: usize, stride: usize) -> Conv {
    Conv { stride, pad: size / 2, groups: 1 }
}

/// A basic block (figure 5, left): two 3 x 3 convolutions and a shortcut, which is projected where the
/// block changes the shape (option B).
fn block<'g>(x: Tensor<'g>, norm: &BatchNorm<'g>, channels: usize, stride: usize) -> Tensor<'g> {
    let h = conv(x, "conv1", 3, channels, settings(3, stride));
    let h = norm.apply(h, "bn1").relu();
    let h = conv(h, "conv2", 3, channels, settings(3, 1));
    let h = norm.apply(h, "bn2");
    let shortcut = if stride == 1 {
        x
    } else {
        x.graph().scoped("shortcut", || {
            norm.apply(conv(x, "conv", 1, channels, settings(1, stride)), "bn")
        })
    };
    (h + shortcut).relu()
}

impl Model for Residual {
    fn batch(&self) -> usize {
        self.images.batch
    }

    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)> {
        self.images.with(&STAGES, &mut self.widths)
    }

    fn config(&self) -> Map<String, Value> {
        config_with(self, [])
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let norm = BatchNorm::new(mode == Mode::Train);
        let x = images::input(g, &self.images);
        let h = conv(x, "conv1", 7, self.widths[0], settings(7, 2));
        let mut h = norm.apply(h, "bn1").relu().max_pool(MaxPool { window: 3, stride: 2, pad: 1 });
        for (stage, (blocks, channels)) in (1..).zip(BLOCKS.into_iter().zip(self.widths)) {
            for at in 1..=blocks {
                let stride = if stage > 1 && at == 1 { 2 } else { 1 };
                let name = format!("stage{stage}.block{at}");
                h = g.scoped(&name, || block(h, &norm, channels, stride));
            }
        }
        norm.update(g);
        // Global average pooling.
        let pixels = h.spec().dims()[1] * h.spec().dims()[2];
        let h = h.reshape([self.images.batch, pixels, self.widths[3]]).mean(1);
        let logits = dense(h, "fc", self.images.classes, HeNormal);
        images::loss(logits, mode)
    }

    /// The rate is .1 at the paper's batch of 256 (section 3.4).
    fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::Momentum {
            rate: 0.1 * self.images.batch as f32 / 256.0,
            momentum: 0.9,
            decay: 1e-4,
        })
    }
}

impl Workload for Residual {
    fn info(&self) -> &'static WorkloadInfo {
        &INFO
    }

    fn samples(&self, source: &DataSource) -> Result<Box<dyn Samples>> {
        images::open(&self.images, source)
    }
}
