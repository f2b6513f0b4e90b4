//! Signals, and an end at once.

#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::thread;

/// Calls `heard` at each Ctrl-C, SIGTERM and SIGHUP, which a terminal sends that is closed, from here on. The last is heeded
/// only where it is not ignored already.
///
/// # Errors
/// The system's, where it has no such signals to give.
#[cfg(unix)]
pub fn on_signal(mut heard: impl FnMut() + Send + 'static) -> std::io::Result<()> {
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

/// Calls `heard` at each Ctrl-C from here on.
///
/// # Errors
/// The system's, where it has no such signals to give.
#[cfg(not(unix))]
pub fn on_signal(heard: impl FnMut() + Send + 'static) -> std::io::Result<()> {
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
