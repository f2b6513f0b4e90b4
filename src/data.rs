//! Training data: readers of the real formats, and generators that write the same formats.

pub mod babi;
mod bounded;
pub mod digits;
mod folder;
mod gzip;
pub mod idx;
pub mod images;
pub mod listing;
mod order;
pub mod speech;
pub mod translation;

/// Which samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// To learn from.
    Train,
    /// Held out, to be measured on.
    Test,
}
