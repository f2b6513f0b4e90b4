//! Training data: readers of the real formats, and generators that write the same formats.

pub mod digits;
pub mod idx;
pub mod speech;
