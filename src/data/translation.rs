//! The seq2seq workload's data: sentences with their translations, read from a folder or generated.
//!
//! Generated text uses two small languages whose grammar defines one correct translation of each sentence.

mod batch;
mod corpus;
mod generated;
mod grammar;
mod interned;
mod language;
mod pair;
mod read;
mod text;
mod token;
mod vocabulary;
mod wording;
mod words;

pub use batch::TranslationBatch;
pub use corpus::Corpus;
pub use pair::{BUCKETS, Pair, Side, TextOptions};
pub use token::tokenize;
pub use vocabulary::{EOS, GO, PAD, UNK, Vocabulary};

#[cfg(test)]
mod tests;
