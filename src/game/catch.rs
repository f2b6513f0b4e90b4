//! Catch: a ball falls, possibly at a slant; +1 if the paddle is under it when it lands, else -1. An episode
//! is five steps of four frames; a random player scores about -0.3, a perfect one 1.

use crate::random::Rng;

use super::rules::{Game, GameInfo, HEIGHT, Outcome, Pace, WIDTH, action, fill};

/// Its line in the list.
pub(super) const INFO: GameInfo = GameInfo {
    name: "catch",
    about: "a falling ball to catch: learned in minutes",
    make: |seed| Box::new(Catch::new(seed)),
    pace: Pace { before: 500, exploration: 5_000, period: 200, steps: 1, memory: 20_000, idle: 0 },
};

const BALL: i32 = 16;
const PADDLE: i32 = 40;
const FLOOR: i32 = 190;
/// Pixels a frame.
const FALL: i32 = 8;
const MOVE: i32 = 10;

#[derive(Debug)]
struct Catch {
    rng: Rng,
    ball: [i32; 2],
    drift: i32,
    paddle: i32,
}

impl Catch {
    fn new(seed: u64) -> Self {
        let mut game = Self { rng: Rng::new(seed), ball: [0, 0], drift: 0, paddle: 0 };
        game.reset();
        game
    }
}

impl Game for Catch {
    fn reset(&mut self) {
        let width = WIDTH as i32;
        self.ball = [self.rng.below((width - BALL) as usize) as i32, 14];
        self.drift = self.rng.below(3) as i32 - 1;
        self.paddle = (width - PADDLE) / 2;
    }

    fn step(&mut self, action: usize) -> Outcome {
        let step = match action {
            action::RIGHT => MOVE,
            action::LEFT => -MOVE,
            _ => 0,
        };
        self.paddle = (self.paddle + step).clamp(0, WIDTH as i32 - PADDLE);
        let [x, y] = &mut self.ball;
        if !(0..=WIDTH as i32 - BALL).contains(&(*x + self.drift)) {
            self.drift = -self.drift;
        }
        *x += self.drift;
        *y += FALL;
        if *y + BALL < FLOOR {
            return Outcome::default();
        }
        let caught = *x + BALL > self.paddle && *x < self.paddle + PADDLE;
        Outcome { reward: if caught { 1.0 } else { -1.0 }, life_lost: !caught, over: true }
    }

    fn render(&self, screen: &mut [u8]) {
        screen.fill(0);
        let [x, y] = self.ball;
        fill(screen, [x, y, BALL, BALL], [255, 255, 255]);
        fill(screen, [self.paddle, FLOOR, PADDLE, 8], [255, 220, 220]);
        fill(screen, [0, FLOOR + 12, WIDTH as i32, HEIGHT as i32], [60, 60, 60]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean reward of a policy over some episodes, and frames of the last.
    fn play(policy: &mut dyn FnMut(&Catch) -> usize) -> (f32, usize) {
        let mut game = Catch::new(3);
        let (mut total, mut frames) = (0.0, 0);
        for _ in 0..400 {
            game.reset();
            frames = 0;
            loop {
                let action = policy(&game);
                frames += 1;
                let outcome = game.step(action);
                total += outcome.reward;
                if outcome.over {
                    break;
                }
            }
        }
        (total / 400.0, frames)
    }

    #[test]
    fn a_follower_always_catches_and_a_random_player_seldom() {
        let middle = |x: i32, size: i32| 2 * x + size;
        let (perfect, frames) = play(&mut |game| {
            let target = middle(game.ball[0], BALL) - middle(game.paddle, PADDLE);
            match target {
                d if d > MOVE => action::RIGHT,
                d if d < -MOVE => action::LEFT,
                _ => 0,
            }
        });
        assert_eq!(perfect, 1.0);
        assert_eq!(frames.div_ceil(4), 5);
        let mut rng = Rng::new(9);
        let mut held = (0, 0);
        let (random, _) = play(&mut |_| {
            if held.1 == 0 {
                held = (rng.below(4), 4);
            }
            held.1 -= 1;
            held.0
        });
        assert!((-0.5..0.0).contains(&random), "{random}");
    }
}
