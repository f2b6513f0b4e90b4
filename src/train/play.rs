//! Learning to play (Mnih 2015, algorithm 1): act, remember, learn from what was remembered.

use std::time::Duration;

use crate::error::Result;
use crate::game::player::Player;
use crate::game::replay::Replay;
use crate::game::{ACTIONS, GameInfo};
use crate::gpu::Gpu;
use crate::host::Instant;
use crate::pass::Options;
use crate::program::Program;
use crate::random::Rng;
use crate::session::Session;
use crate::terms::{Mode, Precision};
use crate::workload::{Batch, Workload, deepq, step};

/// Exploration at its end, and while the player is judged.
const LEAST: f64 = 0.1;
const JUDGED: f64 = 0.01;

/// Episodes a player is judged by, and the most steps that may take.
const EPISODES: usize = 50;
const MOST_STEPS: usize = 4_000;

/// What the parts of learning took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Times {
    /// Playing: game, drawing, preprocessing.
    pub environment: Duration,
    /// Choosing actions on the device.
    pub action: Duration,
    /// Training steps, with drawing their batches.
    pub update: Duration,
    /// Steps played.
    pub steps: u64,
    /// Actions chosen on the device.
    pub actions: u64,
    /// Training steps.
    pub updates: u64,
}

/// A player that learns.
#[derive(Debug)]
pub struct Learner<'a> {
    session: Session<'a>,
    game: &'static GameInfo,
    batch: usize,
    training: Program,
    acting: Program,
    player: Player,
    replay: Replay,
    rng: Rng,
    /// Where its time went.
    pub times: Times,
}

impl<'a> Learner<'a> {
    /// Compiles the training step of `model` and the inference step of `one`, the same model with a batch
    /// of one.
    ///
    /// # Errors
    /// [`crate::error::Error::Gpu`].
    pub fn new(
        gpu: &'a Gpu,
        [model, one]: [&dyn Workload; 2],
        game: &'static GameInfo,
        seed: u64,
        precision: Precision,
    ) -> Result<Self> {
        let mut session = Session::new(gpu, seed);
        let options = Options { precision, ..Options::default() };
        let training = session.compile(model, Mode::Train, &options)?;
        let acting = session.compile(one, Mode::Infer, &options)?;
        Ok(Self {
            session,
            game,
            batch: model.batch(),
            training,
            acting,
            player: Player::new(game, seed),
            replay: Replay::new(game.pace.memory),
            // A stream of its own, so that exploring does not follow the game's draws.
            rng: Rng::new(seed ^ 0xac7),
            times: Times::default(),
        })
    }

    /// Plays a step and, when it is time, learns; the loss if it did.
    ///
    /// # Errors
    /// [`crate::error::Error::Gpu`] where the device fails, [`crate::error::Error::Verification`] where the loss is
    /// no number.
    pub fn step(&mut self) -> Result<Option<f64>> {
        let pace = self.game.pace;
        let played = self.times.steps as usize;
        // From 1 down to its least along a line, as in the paper.
        let learned = played.saturating_sub(pace.before) as f64 / pace.exploration as f64;
        let exploration =
            if played < pace.before { 1.0 } else { (1.0 - (1.0 - LEAST) * learned).max(LEAST) };
        let action = if self.rng.uniform() < exploration {
            self.rng.below(ACTIONS)
        } else {
            let state = self.player.state();
            self.choose(state)?
        };
        let begun = Instant::now();
        self.replay.play(&mut self.player, action);
        self.times.environment += begun.elapsed();
        self.times.steps += 1;
        if played < pace.before || !played.is_multiple_of(pace.steps) {
            return Ok(None);
        }
        self.learn().map(Some)
    }

    /// The action of the largest Q.
    fn choose(&mut self, state: Vec<u8>) -> Result<usize> {
        let begun = Instant::now();
        self.session.feed(&self.acting, &[("state", deepq::states(1, state))])?;
        self.session.run(&self.acting, 1)?;
        let action = self.session.output(&self.acting, "action")?.data[0] as usize;
        self.times.action += begun.elapsed();
        self.times.actions += 1;
        Ok(action)
    }

    fn learn(&mut self) -> Result<f64> {
        let begun = Instant::now();
        let batch = self.replay.sample(self.batch, &mut self.rng).unwrap_or_default();
        self.session.feed(&self.training, &batch.tensors())?;
        self.session.run(&self.training, 1)?;
        let loss = self.session.output(&self.training, step::LOSS)?.data[0];
        self.times.update += begun.elapsed();
        self.times.updates += 1;
        super::check_loss(loss, &self.session, &format!("after {} updates", self.times.updates))?;
        Ok(loss)
    }

    /// Mean score of some episodes of a game of its own, hardly exploring.
    ///
    /// # Errors
    /// As [`Learner::step`].
    pub fn judge(&mut self) -> Result<f64> {
        let times = self.times;
        let mut player = Player::new(self.game, 0x1061e);
        let mut rng = Rng::new(0x1061e);
        let mut scores = Vec::new();
        let mut steps = 0;
        while scores.len() < EPISODES && steps < MOST_STEPS {
            steps += 1;
            let action = if rng.uniform() < JUDGED {
                rng.below(ACTIONS)
            } else {
                self.choose(player.state())?
            };
            scores.extend(player.act(action).finished);
        }
        // Judging is not learning, so its time does not count.
        self.times = times;
        // A player too good to finish one episode is judged by what it has of it.
        if scores.is_empty() {
            scores.push(player.score());
        }
        let total: f32 = scores.iter().sum();
        Ok(f64::from(total) / scores.len() as f64)
    }
}
