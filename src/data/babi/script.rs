//! Text in the form of the bAbI files, and which teller tells which task.

use crate::random::Rng;

use super::{reasoning, world};

/// A story that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Script {
    text: String,
    lines: usize,
}

impl Script {
    /// Adds a sentence; its number.
    pub(super) fn say(&mut self, sentence: &str) -> usize {
        self.lines += 1;
        self.text += &format!("{} {sentence}\n", self.lines);
        self.lines
    }

    /// Adds a question with its answer and the numbers of the sentences that support it.
    pub(super) fn ask(&mut self, question: &str, answer: &str, support: &[usize]) {
        self.lines += 1;
        let support: Vec<_> = support.iter().map(usize::to_string).collect();
        let support = support.join(" ");
        self.text += &format!("{} {question} \t{answer}\t{support}\n", self.lines);
    }
}

/// One of `items`.
pub(super) fn pick<'a, T: ?Sized>(rng: &mut Rng, items: &[&'a T]) -> &'a T {
    items[rng.below(items.len())]
}

/// Indices below `n` in a random order.
pub(super) fn shuffled(rng: &mut Rng, n: usize) -> Vec<usize> {
    let mut all: Vec<_> = (0..n).collect();
    rng.shuffle(&mut all);
    all
}

/// One story of a task, with its questions.
pub(super) fn tell(task: usize, rng: &mut Rng) -> String {
    let mut script = Script::default();
    match task {
        1 | 6 | 9..=13 => world::whereabouts(task, rng, &mut script),
        2 | 3 | 7 | 8 => world::things(task, rng, &mut script),
        4 => reasoning::two_arguments(rng, &mut script),
        5 => world::giving(rng, &mut script),
        14 => world::times(rng, &mut script),
        15 => reasoning::deduction(rng, &mut script),
        16 => reasoning::induction(rng, &mut script),
        17 => reasoning::positions(rng, &mut script),
        18 => reasoning::sizes(rng, &mut script),
        19 => reasoning::paths(rng, &mut script),
        _ => reasoning::motivations(rng, &mut script),
    }
    script.text
}
