//! Breakout with the dimensions of the Atari 2600 game: six rows of eighteen bricks worth 1, 1, 4, 4, 7, 7 from
//! the bottom, two walls, five lives. Where it hits the paddle sets the ball's angle, and the ball speeds up.

use crate::random::Rng;

use super::rules::{Game, GameInfo, Outcome, Pace, WIDTH, action, fill};

/// Its line in the list.
pub(super) const INFO: GameInfo = GameInfo {
    name: "breakout",
    about: "bricks, a paddle and five lives, after the Atari 2600 game",
    make: |seed| Box::new(Breakout::new(seed)),
    pace: Pace {
        before: 5_000,
        exploration: 250_000,
        period: 10_000,
        steps: 4,
        memory: 100_000,
        idle: 30,
    },
};

const ROWS: usize = 6;
const COLUMNS: usize = 18;
const POINTS: [f32; ROWS] = [7.0, 7.0, 4.0, 4.0, 1.0, 1.0];
const COLOURS: [[u8; 3]; ROWS] =
    [[200, 72, 72], [198, 108, 58], [180, 122, 48], [162, 162, 42], [72, 160, 72], [66, 72, 200]];
const GREY: [u8; 3] = [142, 142, 142];

/// Borders of the field, and where the bricks begin.
const LEFT: f32 = 8.0;
const RIGHT: f32 = WIDTH as f32 - 8.0;
const TOP: f32 = 32.0;
const BRICKS: f32 = 57.0;
const BRICK: [f32; 2] = [8.0, 6.0];
const PADDLE: [f32; 2] = [16.0, 4.0];
const PADDLE_TOP: f32 = 189.0;
const BALL: [f32; 2] = [2.0, 4.0];
const LOST: f32 = 208.0;
const LIVES: u8 = 5;
const WALLS: u8 = 2;

/// Pixels a frame of the paddle, and of the ball downwards after a number of hits by the paddle.
const MOVE: f32 = 4.0;
const SPEEDS: [(u32, f32); 3] = [(12, 3.0), (4, 2.5), (0, 2.0)];
/// The ball's sideways speed, as a share, by the sixth of the paddle that it hits.
const ANGLES: [f32; 6] = [-1.2, -0.75, -0.3, 0.3, 0.75, 1.2];

#[derive(Debug)]
struct Breakout {
    rng: Rng,
    bricks: [[bool; COLUMNS]; ROWS],
    walls: u8,
    lives: u8,
    hits: u32,
    paddle: f32,
    /// Place and speed, once it is served.
    ball: Option<([f32; 2], [f32; 2])>,
}

impl Breakout {
    fn new(seed: u64) -> Self {
        let mut game = Self {
            rng: Rng::new(seed),
            bricks: [[true; COLUMNS]; ROWS],
            walls: WALLS,
            lives: LIVES,
            hits: 0,
            paddle: 0.0,
            ball: None,
        };
        game.reset();
        game
    }

    fn serve(&mut self) {
        let x = LEFT + (RIGHT - LEFT) * (0.25 + 0.5 * self.rng.uniform() as f32);
        let side = if self.rng.below(2) == 0 { -1.0 } else { 1.0 };
        self.hits = 0;
        self.ball = Some(([x, 110.0], [side * 1.2, SPEEDS[2].1]));
    }

    fn speed(&self) -> f32 {
        let reached = SPEEDS.iter().find(|(hits, _)| self.hits >= *hits);
        reached.map_or(SPEEDS[2].1, |(_, speed)| *speed)
    }

    /// The brick at a point, if there is one.
    fn brick(&self, x: f32, y: f32) -> Option<(usize, usize)> {
        let (column, row) = ((x - LEFT) / BRICK[0], (y - BRICKS) / BRICK[1]);
        let inside = column >= 0.0 && row >= 0.0;
        let (row, column) = (row as usize, column as usize);
        let there = inside && row < ROWS && column < COLUMNS && self.bricks[row][column];
        there.then_some((row, column))
    }

    /// Moves the ball along one axis; a brick it meets breaks and turns it.
    fn advance(&mut self, axis: usize, at: &mut [f32; 2], speed: &mut [f32; 2]) -> f32 {
        at[axis] += speed[axis];
        let (low, high) = if axis == 0 { (LEFT, RIGHT - BALL[0]) } else { (TOP, f32::MAX) };
        if at[axis] < low || at[axis] > high {
            at[axis] = at[axis].clamp(low, high);
            speed[axis] = -speed[axis];
        }
        let corners = [[0.0, 0.0], [BALL[0], 0.0], [0.0, BALL[1]], BALL];
        let met = corners.iter().find_map(|c| self.brick(at[0] + c[0], at[1] + c[1]));
        let Some((row, column)) = met else { return 0.0 };
        self.bricks[row][column] = false;
        at[axis] -= speed[axis];
        speed[axis] = -speed[axis];
        if row < 2 && speed[1].abs() < SPEEDS[0].1 {
            // The upper rows send it back fast.
            self.hits = self.hits.max(SPEEDS[0].0);
            speed[1] = speed[1].signum() * self.speed();
        }
        POINTS[row]
    }
}

impl Game for Breakout {
    fn reset(&mut self) {
        self.bricks = [[true; COLUMNS]; ROWS];
        (self.walls, self.lives, self.hits) = (WALLS, LIVES, 0);
        self.paddle = (LEFT + RIGHT - PADDLE[0]) / 2.0;
        self.ball = None;
    }

    fn step(&mut self, action: usize) -> Outcome {
        let step = match action {
            action::RIGHT => MOVE,
            action::LEFT => -MOVE,
            _ => 0.0,
        };
        self.paddle = (self.paddle + step).clamp(LEFT, RIGHT - PADDLE[0]);
        if self.ball.is_none() && action == action::FIRE {
            self.serve();
        }
        let mut outcome = Outcome::default();
        let Some((mut at, mut speed)) = self.ball.take() else {
            return outcome;
        };
        outcome.reward =
            self.advance(0, &mut at, &mut speed) + self.advance(1, &mut at, &mut speed);
        let over_paddle = at[0] + BALL[0] > self.paddle && at[0] < self.paddle + PADDLE[0];
        if speed[1] > 0.0
            && over_paddle
            && (PADDLE_TOP - BALL[1]..PADDLE_TOP + PADDLE[1]).contains(&at[1])
        {
            self.hits += 1;
            let place = (at[0] + BALL[0] / 2.0 - self.paddle) / PADDLE[0];
            let sixth = (place * 6.0).clamp(0.0, 5.0) as usize;
            speed = [ANGLES[sixth] * self.speed(), -self.speed()];
            at[1] = PADDLE_TOP - BALL[1];
        }
        if at[1] > LOST {
            self.lives -= 1;
            outcome.life_lost = true;
            outcome.over = self.lives == 0;
            return outcome;
        }
        if self.bricks.iter().flatten().all(|brick| !brick) {
            self.walls -= 1;
            outcome.over = self.walls == 0;
            self.bricks = [[true; COLUMNS]; ROWS];
        }
        self.ball = Some((at, speed));
        outcome
    }

    fn render(&self, screen: &mut [u8]) {
        screen.fill(0);
        let (width, top) = (WIDTH as i32, TOP as i32);
        fill(screen, [0, top - 15, width, 15], GREY);
        fill(screen, [0, top, LEFT as i32, 164], GREY);
        fill(screen, [RIGHT as i32, top, LEFT as i32, 164], GREY);
        for life in 0..i32::from(self.lives) {
            fill(screen, [100 + life * 8, 5, 5, 8], GREY);
        }
        for (y, (row, colour)) in (0..).zip(self.bricks.iter().zip(COLOURS)) {
            for (x, _) in (0..).zip(row).filter(|(_, brick)| **brick) {
                let place = [LEFT as i32 + x * 8, BRICKS as i32 + y * 6, 8, 6];
                fill(screen, place, colour);
            }
        }
        let red = COLOURS[0];
        let [w, h] = PADDLE.map(|v| v as i32);
        fill(screen, [self.paddle as i32, PADDLE_TOP as i32, w, h], red);
        if let Some((at, _)) = self.ball {
            let [w, h] = BALL.map(|v| v as i32);
            fill(screen, [at[0] as i32, at[1] as i32, w, h], red);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Score and lives lost in an episode in which the paddle follows the ball, or stays.
    fn play(seed: u64, follow: bool) -> (f32, u32) {
        let mut game = Breakout::new(seed);
        let (mut score, mut lost) = (0.0, 0);
        for frame in 0..60_000 {
            let action = match game.ball {
                None => action::FIRE,
                Some(_) if !follow => 0,
                Some((at, _)) => {
                    // Never quite the middle: the ball's way changes.
                    let aim =
                        at[0] + BALL[0] / 2.0 - PADDLE[0] / 2.0 + ((frame / 97) % 11 - 5) as f32;
                    match aim - game.paddle {
                        d if d > MOVE / 2.0 => action::RIGHT,
                        d if d < -MOVE / 2.0 => action::LEFT,
                        _ => 0,
                    }
                }
            };
            let outcome = game.step(action);
            score += outcome.reward;
            lost += u32::from(outcome.life_lost);
            if outcome.over {
                break;
            }
        }
        (score, lost)
    }

    #[test]
    fn following_the_ball_clears_bricks_and_standing_still_loses_every_life() {
        let (score, _) = play(1, true);
        assert!(score > 100.0, "{score}");
        let (score, lost) = play(1, false);
        assert!(score < 60.0, "{score}");
        assert_eq!(lost, u32::from(LIVES));
    }

    #[test]
    fn the_same_seed_plays_the_same_game() {
        assert_eq!(play(7, true), play(7, true));
    }
}
