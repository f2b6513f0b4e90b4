//! deepq: a deep Q-network that plays from pixels (Mnih 2015).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::data::Split;
use crate::error::Result;
use crate::game::player::{Player, STACK};
use crate::game::replay::{Replay, Transitions};
use crate::game::screen::SIDE;
use crate::game::{self, ACTIONS};
use crate::graph::{Builder, Tensor};
use crate::host::Instant;
use crate::nn::{Start::HeNormal, conv_bias, dense, flatten};
use crate::op::conv2d::Conv;
use crate::op::ema::Ema;
use crate::op::optimizer::Rule;
use crate::random::Rng;
use crate::tensor::{DType, HostTensor, TensorSpec};
use crate::terms::{Mode, Preset};

use super::info::{Workload, WorkloadInfo};
use super::model::{Model, Optimizer, config_with};
use super::samples::{Batch, DataSource, Feed, Samples};
use super::score::{Metric, Outputs, Ratio, Score};

/// Its line in the list.
pub const INFO: WorkloadInfo = WorkloadInfo {
    name: "deepq",
    about: "deep Q-network that plays from pixels: 3 convolutions, 2 dense layers",
    paper: "Mnih 2015, Human-level control through deep reinforcement learning",
    built_in_data: "its own Breakout and Catch (--env)",
    real_data: None,
    metric: Metric { name: "mean greedy value", unit: "", factor: 1.0 },
    plays: true,
    shows: false,
    scales: true,
    buckets: 0,
    configure: |preset, batch| Box::new(Deepq::new(preset, batch)),
};

/// Discount of what follows.
const DISCOUNT: f32 = 0.99;

/// The group of the network that targets are taken from.
const TARGET: &str = "target";

/// Sizes of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deepq {
    /// States in a batch.
    pub batch: usize,
    /// Channels of each convolution.
    pub channels: [usize; 3],
    /// Units of fc4.
    pub dense: usize,
    /// What can be done.
    pub actions: usize,
    /// Updates from one copy of the target network to the next.
    pub period: usize,
}

impl Deepq {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (usual, channels, dense) = match preset {
            Preset::Full => (32, [32, 64, 64], 512),
            Preset::Tiny => (8, [8, 16, 16], 64),
        };
        Self { batch: batch.unwrap_or(usual), channels, dense, actions: ACTIONS, period: 10_000 }
    }

    /// The network (Methods, "Model architecture"): Q of every action in each of `states`, bytes
    /// [B, 84, 84, 4] that count as x / 255.
    fn network<'g>(&self, states: Tensor<'g>) -> Tensor<'g> {
        let conv = |x, name, size, channels, stride| {
            let settings = Conv { stride, pad: 0, groups: 1 };
            conv_bias(x, name, size, channels, settings).relu()
        };
        let [c1, c2, c3] = self.channels;
        let h = conv(states, "conv1", 8, c1, 4);
        let h = conv(h, "conv2", 4, c2, 2);
        let h = conv(h, "conv3", 3, c3, 1);
        let h = dense(flatten(h), "fc4", self.dense, HeNormal).relu();
        dense(h, "fc5", self.actions, HeNormal)
    }
}

impl Model for Deepq {
    fn batch(&self) -> usize {
        self.batch
    }

    fn sizes(&mut self) -> Vec<(&'static str, &mut usize)> {
        let Self { channels: [conv1, conv2, conv3], dense: fc4, period, .. } = self;
        vec![("conv1", conv1), ("conv2", conv2), ("conv3", conv3), ("fc4", fc4), ("period", period)]
    }

    fn config(&self) -> Map<String, Value> {
        config_with(self, [("actions", self.actions.into())])
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let frames = [self.batch, SIDE, SIDE, STACK];
        let state = g.input("state", frames, DType::U8);
        let q = self.network(state);
        g.output("q", q);
        if mode == Mode::Infer {
            g.output("action", q.argmax());
            return None;
        }
        let action = g.input("action", [self.batch], DType::U32);
        let reward = g.input("reward", [self.batch], DType::F32);
        let terminal = g.input("terminal", [self.batch], DType::F32);
        let next_state = g.input("next_state", frames, DType::U8);
        // What the action was worth: r + discount max_a Q_target(s', a), or r where nothing follows.
        let next = g.with_parameters_in(TARGET, || g.scoped(TARGET, || self.network(next_state)));
        let goes_on = terminal.scale(-1.0).offset(1.0);
        let worth = reward + (goes_on * next.max(1)).scale(DISCOUNT);
        // The error term is clipped to [-1, 1] (Methods): Huber's loss.
        Some((worth - q.gather(action)).huber().mean_all())
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::RmsProp { rate: 2.5e-4, decay: 0.95, epsilon: 0.01 })
    }

    fn after_update<'g>(&self, g: &'g Builder, parameters: &[Tensor<'g>]) {
        let (rate, period) = (1.0, self.period as u32);
        for ((target, _), &parameters) in g.flat(TARGET).into_iter().zip(parameters) {
            g.scoped(TARGET, || g.ema(target, parameters, Ema { rate, period }));
        }
    }
}

impl Workload for Deepq {
    fn info(&self) -> &'static WorkloadInfo {
        &INFO
    }

    fn samples(&self, source: &DataSource) -> Result<Box<dyn Samples>> {
        let game = game::find(source.game.as_deref())?;
        let mut player = Player::new(game, source.seed);
        let (mut replay, mut rng) = (Replay::new(REMEMBERED), Rng::new(source.seed));
        let begun = Instant::now();
        for _ in 0..REMEMBERED {
            replay.play(&mut player, rng.below(self.actions));
        }
        let environment = begun.elapsed() / REMEMBERED as u32;
        let (batch, game, seed) = (self.batch, game.name, source.seed);
        Ok(Box::new(RandomPlay { batch, game, seed, replay, environment }))
    }
}

/// Steps that a random player takes to fill the memory that batches are drawn from.
const REMEMBERED: usize = 512;

/// What a random player remembers.
struct RandomPlay {
    batch: usize,
    game: &'static str,
    seed: u64,
    replay: Replay,
    environment: Duration,
}

impl Samples for RandomPlay {
    fn batch(&mut self, split: Split, step: u64) -> Result<Box<dyn Batch>> {
        let mut rng = Rng::new(self.seed ^ step.rotate_left(20) ^ (split as u64) << 60);
        Ok(Box::new(self.replay.sample(self.batch, &mut rng).unwrap_or_default()))
    }

    fn test_batches(&self) -> u64 {
        (REMEMBERED / self.batch).max(1) as u64
    }

    /// Each is a draw of its own.
    fn counted(&self, _: u64) -> usize {
        self.batch
    }

    fn environment(&self) -> Option<Duration> {
        Some(self.environment)
    }

    fn describe(&self) -> String {
        format!("{REMEMBERED} steps of a random player of {}", self.game)
    }
}

impl Batch for Transitions {
    fn tensors(&self) -> Feed {
        let batch = self.action.len();
        vec![
            ("state", states(batch, self.state.clone())),
            ("action", HostTensor::u32([batch], &self.action)),
            ("reward", HostTensor::f32([batch], &self.reward)),
            ("terminal", HostTensor::f32([batch], &self.terminal)),
            ("next_state", states(batch, self.next_state.clone())),
        ]
    }
}

impl Score for Transitions {
    /// The largest Q of each state.
    fn score(&self, outputs: Outputs, counted: usize) -> Result<Ratio> {
        let q = outputs("q")?;
        let best = |row: &[f64]| row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = q.data.chunks(ACTIONS).take(counted).map(best).sum();
        Ok(Ratio { sum, of: counted as f64 })
    }
}

/// States [B, 84, 84, 4] as an input.
pub(crate) fn states(batch: usize, bytes: Vec<u8>) -> HostTensor {
    let spec = TensorSpec::new([batch, SIDE, SIDE, STACK], DType::U8);
    HostTensor { spec, bytes }
}
