//! Batches prepared ahead of their use, by worker threads, in order.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::host::Aside;

/// How many batches may wait: enough to ride out an uneven one. A page has no other thread that could make them.
const WAITING: usize = if cfg!(target_arch = "wasm32") { 0 } else { 4 };

type Make<T> = dyn Fn(u64) -> Result<T> + Send + Sync;

/// Makes item after item on the thread pool; what is asked for out of turn starts the row anew there.
pub(super) struct Ahead<T> {
    make: Arc<Make<T>>,
    waiting: VecDeque<(u64, Aside<Result<T>>)>,
}

impl<T> fmt::Debug for Ahead<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead").finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Ahead<T> {
    pub(super) fn new(make: impl Fn(u64) -> Result<T> + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(make), waiting: VecDeque::new() }
    }

    /// Item `at`.
    pub(super) fn take(&mut self, at: u64) -> Result<T> {
        if self.waiting.front().is_none_or(|(next, _)| *next != at) {
            // Threads for whose item nobody waits end with it.
            self.waiting.clear();
        }
        let have = self.waiting.len() as u64;
        for step in at + have..=at + WAITING as u64 {
            let make = Arc::clone(&self.make);
            self.waiting.push_back((step, Aside::begin(move || make(step))));
        }
        let ended = || Error::Internal("a data-reading worker ended early".into());
        let (_, first) = self.waiting.pop_front().ok_or_else(ended)?;
        first.take().ok_or_else(ended)?
    }
}
