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

/// Of `all` samples in batches of `batch` those that batch `step` holds for the first time: the last is filled up from the
/// first.
pub(crate) fn new_in_batch(all: usize, step: u64, batch: usize) -> usize {
    all.saturating_sub(step as usize * batch).min(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_a_batch_up_is_not_new_in_it() {
        let new = |all, batch| [0, 1, 2].map(|step| new_in_batch(all, step, batch));
        assert_eq!(new(5, 2), [2, 2, 1]);
        assert_eq!(new(4, 2), [2, 2, 0]);
        assert_eq!(new(3, 8), [3, 0, 0]);
    }
}
