//! The `fathom` binary: parse, run, exit code.

use std::process::ExitCode;

use clap::error::ErrorKind;
use fathom::cli::{self, interrupt, output};
use fathom::error::{Error, Result};
use fathom::host;

fn main() -> ExitCode {
    let (cli, voice) = match cli::parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            output::set_color(std::env::args_os().skip(1));
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                return ended(output::styled(&error.render().ansi().to_string()));
            }
            output::refusal(&error);
            return ExitCode::from(2);
        }
    };
    output::set_up(&voice);
    if let Err(error) = interrupt::listen() {
        log::warn!("Ctrl-C will end the run at once: {error}");
    }
    ended(cli::execute(cli))
}

/// The exit code, after what went wrong has been said.
fn ended(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            if matches!(error, Error::Hung(_)) {
                host::exit_now(error.exit_code().into());
            }
            ExitCode::from(error.exit_code())
        }
    }
}
