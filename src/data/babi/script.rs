//! Text in the form of the bAbI files, as it is generated.

use crate::random::Rng;

/// A story that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Script {
    text: String,
    lines: usize,
    /// Bytes up to the end of the last question.
    asked: usize,
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
        self.asked = self.text.len();
    }

    /// The text up to the last question: nobody asks for what is said after it.
    pub(super) fn told(mut self) -> String {
        self.text.truncate(self.asked);
        self.text
    }
}

/// One of `items`.
pub(super) fn pick<'a, T: ?Sized>(rng: &mut Rng, items: &[&'a T]) -> &'a T {
    items[rng.below(items.len())]
}

/// Indices below `n` in a random order.
pub(super) fn shuffled(rng: &mut Rng, n: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..n).collect();
    rng.shuffle(&mut order);
    order
}
