//! Ctrl-C, SIGTERM and SIGHUP: work ends by itself where it can, within a second where it cannot, and at once the second time.
//!
//! What runs in a driver or reads a file cannot be made to stop: a kernel's compilation may take a minute. So the
//! process ends without it. What was measured is on the disk by then, and what is still to be printed has been left
//! here as the last words, which either the command speaks or, where that is stuck, the one who listens.

use std::io::Write;
#[cfg(unix)]
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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

/// Listens for Ctrl-C, SIGTERM and SIGHUP, which a terminal sends that is closed, from here on. The last is heeded only where
/// it is not ignored already.
///
/// # Errors
/// The system's, where it has no such signals to give.
pub fn listen() -> std::io::Result<()> {
    on_signal(|| {
        let first = *FIRST.get_or_init(Instant::now);
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            // `timeout` sends each signal to the process and then to its group.
            if first.elapsed() > ECHO {
                exit_now(CODE);
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
            exit_now(CODE);
        });
        if ending.is_err() {
            // There is no thread to be had: work cannot be waited for.
            exit_now(CODE);
        }
    })
}

/// `stopped: interrupted`, in colour where there is some.
pub fn stopped() -> String {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    format!("{style}stopped:{style:#} interrupted")
}

#[cfg(unix)]
fn on_signal(mut heard: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

    // A limit on a file's size (`ulimit -f`) is told by the write that meets it, not by an end without a word.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    // What `nohup` starts goes on when its terminal is closed.
    let terminal = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let heeded = [SIGINT, SIGTERM].into_iter().chain(terminal);
    let mut signals = signal_hook::iterator::Signals::new(heeded)?;
    thread::Builder::new().spawn(move || {
        for _signal in signals.forever() {
            heard();
        }
    })?;
    Ok(())
}

/// Whether whoever started this process had it ignore a signal.
#[cfg(unix)]
fn is_ignored(number: i32) -> bool {
    /// What C calls `SIG_IGN`, on every Unix.
    const IGNORED: usize = 1;

    #[allow(
        unsafe_code,
        reason = "declaring an import is unsafe; this one is given what it gave, or 1"
    )]
    unsafe extern "C" {
        /// Of the C library: sets what a signal does, and returns what it did.
        safe fn signal(number: i32, action: usize) -> usize;
    }

    // It is told only by being set.
    let before = signal(number, IGNORED);
    if before != IGNORED {
        signal(number, before);
    }
    before == IGNORED
}

#[cfg(not(unix))]
fn on_signal(heard: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    ctrlc::set_handler(heard).map_err(std::io::Error::other)
}

/// Ends the process without the exit handlers of libraries: a driver's would wait for the compilation that is cut off,
/// or for a device that hangs.
pub fn exit_now(code: i32) -> ! {
    #[allow(unsafe_code, reason = "declaring an import is unsafe; this one takes any number")]
    unsafe extern "C" {
        /// Of the C library, on Windows too.
        safe fn _exit(code: i32) -> !;
    }

    _exit(code)
}
