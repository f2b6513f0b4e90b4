//! The replay memory: single frames, from which stacks are rebuilt.

use crate::random::Rng;

use super::player::{Player, STACK, Step, stack};
use super::screen::FRAME;

/// One step: the frame an agent saw last when it chose `action`, and what that brought.
#[derive(Debug, Clone)]
struct Memory {
    frame: Vec<u8>,
    action: u32,
    reward: f32,
    terminal: bool,
    /// The frame is the first of its episode.
    starts: bool,
}

/// Transitions as a training step takes them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transitions {
    /// States [B, 84, 84, 4].
    pub state: Vec<u8>,
    /// Actions taken there `[B]`.
    pub action: Vec<u32>,
    /// Clipped rewards `[B]`.
    pub reward: Vec<f32>,
    /// 1 where nothing follows, else 0 `[B]`.
    pub terminal: Vec<f32>,
    /// The states that followed [B, 84, 84, 4]; where nothing follows, whatever was seen next.
    pub next_state: Vec<u8>,
}

/// The most recent steps.
#[derive(Debug, Clone)]
pub struct Replay {
    capacity: usize,
    steps: Vec<Memory>,
    /// Where the next step goes once the memory is full: the oldest.
    oldest: usize,
}

impl Replay {
    /// A memory of at most `capacity` steps, 7,056 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, steps: Vec::new(), oldest: 0 }
    }

    /// Steps remembered.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Lets a player act and remembers the step: the newest frame of the state it was taken in, the action and
    /// what it brought.
    pub fn play(&mut self, player: &mut Player, action: usize) -> Step {
        let (frame, starts) = (player.frame().to_vec(), player.starts());
        let step = player.act(action);
        let (reward, terminal) = (step.reward, step.terminal);
        let memory = Memory { frame, action: action as u32, reward, terminal, starts };
        if self.steps.len() < self.capacity {
            self.steps.push(memory);
        } else {
            self.steps[self.oldest] = memory;
            self.oldest = (self.oldest + 1) % self.capacity;
        }
        step
    }

    /// The `age`-th step, the oldest first.
    fn step(&self, age: usize) -> &Memory {
        &self.steps[(self.oldest + age) % self.steps.len()]
    }

    /// The state in which the `age`-th step was taken; `None` where some of its frames are forgotten.
    pub fn state(&self, age: usize) -> Option<Vec<u8>> {
        let mut state = vec![0; FRAME * STACK];
        for back in 0..STACK {
            let memory = self.step(age.checked_sub(back)?);
            stack(&mut state, STACK - 1 - back, &memory.frame);
            if memory.starts {
                break;
            }
        }
        Some(state)
    }

    /// Draws `batch` transitions; `None` while too little is remembered.
    pub fn sample(&self, batch: usize, rng: &mut Rng) -> Option<Transitions> {
        if self.steps.len() <= STACK {
            return None;
        }
        let mut drawn = Transitions::default();
        while drawn.action.len() < batch {
            let age = rng.below(self.steps.len() - 1);
            let memory = self.step(age);
            // What follows the end of an episode is another's start, which is a state as well.
            let (Some(state), Some(next)) = (self.state(age), self.state(age + 1)) else {
                continue;
            };
            drawn.state.extend(state);
            drawn.next_state.extend(next);
            drawn.action.push(memory.action);
            drawn.reward.push(memory.reward);
            drawn.terminal.push(f32::from(u8::from(memory.terminal)));
        }
        Some(drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ACTIONS, GAMES};
    use super::*;

    /// Plays at random and remembers; the states that were shown, and what each action brought.
    fn play(name: &str, steps: usize, capacity: usize) -> (Replay, Vec<Vec<u8>>) {
        let info = GAMES.iter().find(|g| g.name == name).unwrap();
        let mut player = Player::new(info, 5);
        let (mut replay, mut rng) = (Replay::new(capacity), Rng::new(1));
        let mut shown = Vec::new();
        for _ in 0..steps {
            let action = rng.below(ACTIONS);
            shown.push(player.state());
            let step = replay.play(&mut player, action);
            assert!([-1.0, 0.0, 1.0].contains(&step.reward));
        }
        (replay, shown)
    }

    #[test]
    fn rebuilt_states_are_those_that_were_shown() {
        for game in ["catch", "breakout"] {
            let (replay, shown) = play(game, 300, 1000);
            for (age, state) in shown.iter().enumerate() {
                assert_eq!(replay.state(age).as_ref(), Some(state), "{game} {age}");
            }
        }
    }

    #[test]
    fn a_full_memory_forgets_the_oldest_and_mixes_nothing() {
        let (replay, shown) = play("catch", 300, 100);
        assert_eq!(replay.len(), 100);
        for age in 0..100 {
            if let Some(state) = replay.state(age) {
                assert_eq!(state, shown[200 + age], "{age}");
            } else {
                assert!(age < STACK - 1);
            }
        }
    }

    #[test]
    fn episodes_do_not_show_through_their_border() {
        let (replay, _) = play("catch", 120, 1000);
        let mut borders = 0;
        for age in (0..120).filter(|&age| replay.step(age).starts) {
            let state = replay.state(age).unwrap();
            let older = state.chunks(STACK).flat_map(|p| &p[..STACK - 1]);
            assert_eq!(older.copied().max(), Some(0));
            borders += 1;
        }
        assert!(borders > 8);
    }

    #[test]
    fn samples_are_transitions_that_happened() {
        let (replay, shown) = play("catch", 200, 1000);
        let sample = replay.sample(32, &mut Rng::new(4)).unwrap();
        let size = FRAME * STACK;
        for i in 0..32 {
            let state = &sample.state[i * size..(i + 1) * size];
            let next = &sample.next_state[i * size..(i + 1) * size];
            let pairs = shown.windows(2);
            assert!(pairs.clone().any(|p| p[0] == state && p[1] == next));
            assert_eq!(sample.terminal[i] == 1.0, sample.reward[i] != 0.0);
        }
        assert_eq!(Replay::new(9).sample(1, &mut Rng::new(4)), None);
    }
}
