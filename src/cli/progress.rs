//! The one bar on a terminal: what is being done, how far it is, how long it may still take.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::number;

use super::VoiceArgs;

/// The bar that is shown, so that lines printed meanwhile do not run into it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A bar for work of known length; none where stderr is not a terminal, or with `--quiet`.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar labelled `what`, of which 41 characters are seen in 80 columns.
    pub(super) fn new(args: &VoiceArgs, what: &str) -> Self {
        Self::from(args, what, 0.0)
    }

    /// The same of work of which a share is done already.
    pub(super) fn from(args: &VoiceArgs, what: &str, share: f64) -> Self {
        let hidden = args.quiet || !std::io::stderr().is_terminal();
        let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(1000) };
        let template = "{spinner} {wide_msg} {bar:10} {percent:>3} %  {elapsed:>4}  {prefix:11}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let bar = bar.with_position(position(share)).with_message(what.to_string());
        // It turns by itself too: what cannot tell how far it is, such as reading a file, is seen to go on.
        bar.enable_steady_tick(Duration::from_millis(200));
        *shown() = Some(bar.clone());
        Self { bar }
    }

    /// Shows what is being done, and how much of it is.
    pub(super) fn show(&self, what: &str, share: f64) {
        self.bar.set_message(what.to_string());
        self.set(share);
    }

    /// Shows how much is done, 0 to 1.
    pub(super) fn set(&self, share: f64) {
        self.bar.set_position(position(share));
    }

    /// Shows how long the rest may take.
    pub(super) fn left(&self, seconds: f64) {
        self.bar.set_prefix(format!("{} left", number::span(seconds)));
    }
}

/// Of the bar's thousand.
fn position(share: f64) -> u64 {
    (share * 1000.0) as u64
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        *shown() = None;
    }
}

fn shown() -> std::sync::MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints with the bar out of the way.
pub(super) fn apart<T>(print: impl FnOnce() -> T) -> T {
    let bar = shown().clone();
    match bar {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// Takes the bar off the screen.
pub(super) fn clear() {
    if let Some(bar) = shown().take() {
        bar.finish_and_clear();
    }
}
