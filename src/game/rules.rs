//! What a game is: its screen, its actions, and how fast it is learned.

use std::fmt;

/// Rows of a screen, as the Atari 2600 shows them.
pub const HEIGHT: usize = 210;
/// Columns of a screen.
pub const WIDTH: usize = 160;

/// What a frame brought.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// Points.
    pub reward: f32,
    /// A life was lost.
    pub life_lost: bool,
    /// The episode is over.
    pub over: bool,
}

/// A game. Its actions are those of Breakout on the Atari: nothing, fire, right, left.
pub trait Game: Send {
    /// Starts a new episode.
    fn reset(&mut self);

    /// Plays a frame.
    fn step(&mut self, action: usize) -> Outcome;

    /// Draws the present frame: RGB, [[`HEIGHT`], [`WIDTH`], 3].
    fn render(&self, screen: &mut [u8]);
}

/// Actions that every game takes.
pub const ACTIONS: usize = 4;

/// The actions by name.
pub(super) mod action {
    pub(in crate::game) const FIRE: usize = 1;
    pub(in crate::game) const RIGHT: usize = 2;
    pub(in crate::game) const LEFT: usize = 3;
}

/// How learning a game is paced: a short game needs fewer steps of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Steps played at random before learning begins.
    pub before: usize,
    /// Steps over which exploration falls from always to one in ten.
    pub exploration: usize,
    /// Updates from one copy of the target network to the next.
    pub period: usize,
    /// Steps played for each update.
    pub steps: usize,
    /// Frames remembered.
    pub memory: usize,
    /// Most frames of doing nothing at an episode's start.
    pub idle: usize,
}

/// A game in the list.
#[derive(Clone, Copy)]
pub struct GameInfo {
    /// As given to `--env`.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Makes one, whose chances depend on the seed alone.
    pub make: fn(seed: u64) -> Box<dyn Game>,
    /// How it is learned.
    pub pace: Pace,
}

impl fmt::Debug for GameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Fills a rectangle of a screen, cut at its borders.
pub(super) fn fill(screen: &mut [u8], [x, y, w, h]: [i32; 4], colour: [u8; 3]) {
    let columns = x.clamp(0, WIDTH as i32) as usize..(x + w).clamp(0, WIDTH as i32) as usize;
    for row in y.clamp(0, HEIGHT as i32)..(y + h).clamp(0, HEIGHT as i32) {
        let row = row as usize * WIDTH;
        let line = &mut screen[(row + columns.start) * 3..(row + columns.end) * 3];
        line.chunks_exact_mut(3).for_each(|p| p.copy_from_slice(&colour));
    }
}
