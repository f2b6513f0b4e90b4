//! Games played from pixels: what the deepq workload learns from.
//!
//! A game is one file that implements [`Game`] and one line in [`GAMES`]. The rest, from frame skip to
//! stacks of frames, is the same for all and follows the Nature paper (Mnih 2015, Methods).

use crate::error::{Error, Result};

mod breakout;
mod catch;
pub mod player;
pub mod replay;
mod rules;
pub mod screen;

pub use rules::{ACTIONS, Game, GameInfo, HEIGHT, Outcome, Pace, WIDTH};

/// All games.
pub const GAMES: &[GameInfo] = &[breakout::INFO, catch::INFO];

/// Finds a game; without a name it is the first.
///
/// # Errors
/// [`Error::Usage`] for an unknown name.
pub fn find(name: Option<&str>) -> Result<&'static GameInfo> {
    let name = name.unwrap_or(GAMES[0].name);
    GAMES.iter().find(|g| g.name == name).ok_or_else(|| {
        let known: Vec<_> = GAMES.iter().map(|g| g.name).collect();
        let known = known.join(", ");
        Error::Usage(format!("unknown game '{name}': the games are {known}"))
    })
}
