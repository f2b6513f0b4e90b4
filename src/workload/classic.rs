//! The image networks from before residual shortcuts: five stages of convolutions and three dense layers.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::nn::{Start::HeNormal, dense, dropout, flatten};
use crate::op::optimizer::Rule;
use crate::terms::Mode;

use super::curriculum::Curriculum;
use super::images::{self, Sizes};
use super::info::{Workload, WorkloadInfo};
use super::model::{Model, Optimizer, config_with};
use super::samples::{DataSource, Samples};

/// What channels and units are called.
const UNITS: [&str; 7] = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"];

/// Such a net with its sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classic {
    /// Its line in the list.
    pub(super) info: &'static WorkloadInfo,
    /// From images over convolutions of these channels to what the dense layers see.
    pub(super) stages: fn(Tensor<'_>, [usize; 5]) -> Tensor<'_>,
    /// Batch, image and classes.
    pub(super) images: Sizes,
    /// Channels of each stage.
    pub(super) channels: [usize; 5],
    /// Units of fc6 and fc7.
    pub(super) dense: [usize; 2],
    /// How training goes.
    pub(super) plateau: Plateau,
}

impl Model for Classic {
    fn batch(&self) -> usize {
        self.images.batch
    }

    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)> {
        self.images.with(&UNITS, self.channels.iter_mut().chain(&mut self.dense))
    }

    fn config(&self) -> Map<String, Value> {
        config_with(self, [])
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let training = mode == Mode::Train;
        let h = (self.stages)(images::input(g, &self.images), self.channels);
        // Dropping units and cutting off below 0 commute; the backward pass needs what is made last alone.
        let h = dense(flatten(h), "fc6", self.dense[0], HeNormal);
        let h = dropout(h, "fc6", 0.5, training).relu();
        let h = dense(h, "fc7", self.dense[1], HeNormal);
        let h = dropout(h, "fc7", 0.5, training).relu();
        images::loss(dense(h, "fc8", self.images.classes, HeNormal), mode)
    }

    /// The optimiser that both papers publish.
    fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::Momentum {
            rate: 0.01 * 0.1f32.powi(self.plateau.drops),
            momentum: 0.9,
            decay: 5e-4,
        })
    }
}

impl Workload for Classic {
    fn info(&self) -> &'static WorkloadInfo {
        self.info
    }

    fn samples(&self, source: &DataSource) -> Result<Box<dyn Samples>> {
        images::open(&self.images, source)
    }

    fn curriculum(&mut self) -> Option<&mut dyn Curriculum> {
        Some(&mut self.plateau)
    }
}

/// A rate that is divided by ten when the held-out error stops falling (Krizhevsky 2012, section 5; Simonyan
/// & Zisserman 2014, section 3.1): after four epochs without a new lowest, three times at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plateau {
    drops: i32,
    lowest: f64,
    stale: u32,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { drops: 0, lowest: f64::INFINITY, stale: 0 }
    }
}

impl Curriculum for Plateau {
    fn follow(&mut self, epoch: u64, error: f64) -> Option<String> {
        if error < self.lowest {
            (self.lowest, self.stale) = (error, 0);
            return None;
        }
        self.stale += 1;
        if self.stale < 4 || self.drops == 3 {
            return None;
        }
        (self.drops, self.stale) = (self.drops + 1, 0);
        Some(format!("epoch {epoch}: learning rate divided by 10"))
    }
}
