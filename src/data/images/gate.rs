//! How much memory images may take at once while they are decoded, whatever the number of threads.

use std::sync::{Condvar, Mutex, PoisonError};

/// Bytes that are shared out.
#[derive(Debug)]
pub(super) struct Gate {
    total: u64,
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// Some of them, given back when dropped.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    bytes: u64,
}

impl Gate {
    pub(super) const fn new(total: u64) -> Self {
        Self { total, taken: Mutex::new(0), given_back: Condvar::new() }
    }

    /// Waits until `bytes` are free. What wants more than there are gets all of them.
    pub(super) fn enter(&self, bytes: u64) -> Pass<'_> {
        let bytes = bytes.min(self.total);
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.given_back.wait_while(taken, |taken| *taken + bytes > self.total);
        *waited.unwrap_or_else(PoisonError::into_inner) += bytes;
        Pass { gate: self, bytes }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *self.gate.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.gate.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn no_more_is_taken_at_once_than_there_is() {
        let (gate, now, most) = (Gate::new(100), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for bytes in [30, 50, 70, 100, 5000, 1, 99, 40] {
                let (gate, now, most) = (&gate, &now, &most);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let _pass = gate.enter(bytes);
                        let share = bytes.min(100);
                        most.fetch_max(
                            now.fetch_add(share, Ordering::SeqCst) + share,
                            Ordering::SeqCst,
                        );
                        std::thread::yield_now();
                        now.fetch_sub(share, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 100);
    }
}
