//! Calls of one kind on a device, counted, so that a test can have one of them fail.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many calls there were, and which is to fail.
#[derive(Debug, Default)]
pub(super) struct Counter {
    made: AtomicU64,
    /// Number of the one that is to fail; 0 for none.
    failing: AtomicU64,
}

impl Counter {
    /// Counts a call; whether it is to fail.
    pub(super) fn next_fails(&self) -> bool {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        number == self.failing.load(Ordering::Relaxed)
    }

    /// Has the `nth` call from now on fail, counted from 1.
    pub(super) fn fail(&self, nth: u64) {
        self.failing.store(self.so_far() + nth, Ordering::Relaxed);
    }

    /// Calls so far.
    pub(super) fn so_far(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}
