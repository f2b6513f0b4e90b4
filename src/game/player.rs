//! A game as an agent sees it: four frames per action, clipped rewards, stacks of four frames.

use crate::random::Rng;

use super::rules::{ACTIONS, Game, GameInfo, HEIGHT, WIDTH};
use super::screen::{FRAME, Scaler};

/// Frames that an action is held for.
const SKIP: usize = 4;

/// Frames in a stack.
pub const STACK: usize = 4;

/// What an action brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The sign of the points.
    pub reward: f32,
    /// Nothing that follows counts: a life was lost or the episode is over.
    pub terminal: bool,
    /// The episode's points, where it is over; a new one has begun.
    pub finished: Option<f32>,
}

/// Plays a game.
pub struct Player {
    game: Box<dyn Game>,
    rng: Rng,
    idle: usize,
    scaler: Scaler,
    screens: [Vec<u8>; 2],
    /// Frames of this episode, newest last, at most [`STACK`].
    frames: Vec<Vec<u8>>,
    score: f32,
    starts: bool,
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Player").finish_non_exhaustive()
    }
}

impl Player {
    /// Begins an episode.
    pub fn new(info: &GameInfo, seed: u64) -> Self {
        let screen = vec![0; HEIGHT * WIDTH * 3];
        let mut player = Self {
            game: (info.make)(seed),
            rng: Rng::new(seed ^ 0x1d1e),
            idle: info.pace.idle,
            scaler: Scaler::default(),
            screens: [screen.clone(), screen],
            frames: Vec::new(),
            score: 0.0,
            starts: true,
        };
        player.begin();
        player
    }

    fn begin(&mut self) {
        self.game.reset();
        // Doing nothing for a while makes episodes differ.
        for _ in 0..self.rng.below(self.idle + 1) {
            if self.game.step(0).over {
                self.game.reset();
            }
        }
        self.score = 0.0;
        self.frames.clear();
        self.starts = true;
        self.game.render(&mut self.screens[1]);
        self.screens[0] = self.screens[1].clone();
        self.see();
    }

    fn see(&mut self) {
        if self.frames.len() == STACK {
            self.frames.remove(0);
        }
        let [before, now] = &self.screens;
        self.frames.push(self.scaler.frame(before, now));
    }

    /// The newest frame [84, 84].
    pub fn frame(&self) -> &[u8] {
        self.frames.last().map_or(&[], Vec::as_slice)
    }

    /// The points of this episode so far.
    pub fn score(&self) -> f32 {
        self.score
    }

    /// Whether the newest frame is the first of its episode.
    pub fn starts(&self) -> bool {
        self.starts
    }

    /// The state [84, 84, 4]: the last four frames, oldest first, zeros before the episode's start.
    pub fn state(&self) -> Vec<u8> {
        let mut state = vec![0; FRAME * STACK];
        let first = STACK - self.frames.len();
        for (at, frame) in (first..).zip(&self.frames) {
            stack(&mut state, at, frame);
        }
        state
    }

    /// Holds an action for four frames.
    pub fn act(&mut self, action: usize) -> Step {
        let mut points = 0.0;
        let mut terminal = false;
        let mut over = false;
        for frame in 0..SKIP {
            let outcome = self.game.step(action.min(ACTIONS - 1));
            points += outcome.reward;
            terminal |= outcome.life_lost || outcome.over;
            over = outcome.over;
            if frame + 2 >= SKIP || over {
                self.screens.swap(0, 1);
                self.game.render(&mut self.screens[1]);
            }
            if over {
                break;
            }
        }
        self.score += points;
        let finished = over.then_some(self.score);
        if over {
            self.begin();
        } else {
            self.starts = false;
            self.see();
        }
        let reward = if points == 0.0 { 0.0 } else { points.signum() };
        Step { reward, terminal, finished }
    }
}

/// Writes a frame as channel `at` of a state.
pub(super) fn stack(state: &mut [u8], at: usize, frame: &[u8]) {
    for (pixel, value) in state.chunks_exact_mut(STACK).zip(frame) {
        pixel[at] = *value;
    }
}
