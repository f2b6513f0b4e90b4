//! Ctrl-C, SIGTERM and SIGHUP: work ends by itself where it can, within a second where it cannot, and at once the second time.
//!
//! What runs in a driver or reads a file cannot be made to stop: a kernel's compilation may take a minute. So the
//! process ends without it. What was measured is on the disk by then, and what is still to be printed has been left
//! here as the last words, which either the command speaks or, where that is stuck, the one who listens.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::host;
use crate::measure::sample::INTERRUPTED;

use super::progress;

/// How long work may take to end by itself; with the last words it is less than a second.
const PATIENCE: Duration = Duration::from_millis(400);

/// A signal that comes so soon after the first is the same one.
const ECHO: Duration = Duration::from_millis(100);

static FIRST: OnceLock<Instant> = OnceLock::new();

/// The exit code.
const CODE: i32 = 130;

type Words = Box<dyn FnOnce() + Send>;

/// Who holds this speaks: nobody is cut off in mid-sentence, and nothing is said twice.
static LAST_WORDS: Mutex<Option<Words>> = Mutex::new(None);

/// Leaves what is to be printed and kept should the command not come to it, in place of what was left before.
pub(super) fn leave(words: impl FnOnce() + Send + 'static) {
    *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(words));
}

/// Speaks in place of what was left.
pub(super) fn speak<T>(words: impl FnOnce() -> T) -> T {
    let mut left = LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    *left = None;
    words()
}

/// Listens from here on.
///
/// # Errors
/// As [`host::on_signal`].
pub fn listen() -> std::io::Result<()> {
    host::on_signal(|| {
        let first = *FIRST.get_or_init(Instant::now);
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            // `timeout` sends each signal to the process and then to its group.
            if first.elapsed() > ECHO {
                host::exit_now(CODE);
            }
            return;
        }
        let ending = thread::Builder::new().spawn(|| {
            thread::sleep(PATIENCE);
            let mut left = LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner);
            progress::clear();
            if let Some(words) = left.take() {
                words();
            }
            let _closed = writeln!(anstream::stderr().lock(), "{}", stopped());
            host::exit_now(CODE);
        });
        if ending.is_err() {
            // There is no thread to be had: work cannot be waited for.
            host::exit_now(CODE);
        }
    })
}

/// `stopped: interrupted`, in colour where there is some.
pub fn stopped() -> String {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    format!("{style}stopped:{style:#} interrupted")
}
