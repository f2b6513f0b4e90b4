//! Where words go: data to stdout, the rest to stderr, progress only to a terminal.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};

use super::{Color, OutputArgs};

/// Applies `--color`, `--verbose` and `--quiet` to the whole process.
pub fn set_up(args: &OutputArgs) {
    let choice = match args.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::AlwaysAnsi,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    let level = match (args.quiet, args.verbose) {
        (true, _) => log::LevelFilter::Off,
        (_, 0) => log::LevelFilter::Error,
        (_, 1) => log::LevelFilter::Warn,
        _ => log::LevelFilter::Debug,
    };
    // The drivers' own chatter starts at `warn`; RUST_LOG says otherwise if it is set.
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level).parse_default_env();
    if builder.try_init().is_err() {
        log::debug!("a logger is set already");
    }
}

/// Writes data to stdout. A reader that went away is no error.
///
/// # Errors
/// [`Error::Io`] where stdout cannot be written: a full disk, say.
pub fn data(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("write", "standard output")(e))
        }
        _ => Ok(()),
    }
}

/// Writes a line to stderr, unless quiet.
pub fn note(args: &OutputArgs, text: &str) {
    if !args.quiet {
        // Where stderr is closed nobody reads the note.
        let _closed = writeln!(anstream::stderr().lock(), "{text}");
    }
}

/// A bar for work of known length: nothing where stderr is no terminal or quiet was asked for.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar labelled `what`; it appears once it has something to show for a moment.
    pub fn new(args: &OutputArgs, what: &str) -> Self {
        let hidden = args.quiet || !std::io::stderr().is_terminal();
        let bar = if hidden {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(1000)
        };
        let style = ProgressStyle::with_template("{msg:32} {bar:32} {percent:>3} %  {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(what.to_string());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// Shows another label.
    pub fn say(&self, what: &str) {
        self.bar.set_message(what.to_string());
    }

    /// Shows how much is done, 0 to 1.
    pub fn set(&self, share: f64) {
        self.bar.set_position((share * 1000.0) as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
