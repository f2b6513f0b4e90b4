//! What the parts of a corpus share: buckets, languages, and a sentence with its translation.

/// Source and target lengths of the buckets of TensorFlow's translate tutorial. A pair is padded to the
/// lengths of the smallest bucket it fits: the source's words, and the target's words with GO and EOS.
pub const BUCKETS: [(usize, usize); 4] = [(5, 10), (10, 15), (20, 25), (40, 50)];

/// What a model asks of its text.
#[derive(Debug, Clone)]
pub struct TextOptions {
    /// Of what is made up, and of the order.
    pub seed: u64,
    /// Ids of the source and of the target vocabulary at most, the four special ones among them.
    pub vocabularies: [usize; 2],
    /// Source and target lengths, smallest first: [`BUCKETS`] or some of them.
    pub buckets: Vec<(usize, usize)>,
    /// Whether only the last of them is used; pairs that fit a smaller one are passed over then.
    pub single: bool,
    /// Pass over lines that cannot be read.
    pub skip_bad: bool,
}

/// One of the two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Translated from.
    Source,
    /// Translated to.
    Target,
}

/// A sentence and its translation: ids of words, without GO, EOS and PAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// In the source language.
    pub source: Vec<u32>,
    /// In the target language.
    pub target: Vec<u32>,
}
