//! The `fathom` binary: parse, run, exit code.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::Parser;
use clap::error::ErrorKind;
use fathom::cli::{self, Cli, output};
use fathom::error::Error;
use fathom::measure::sample::INTERRUPTED;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Where the terminal is gone there is nobody to tell.
            let _closed = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { 0 } else { 2 });
        }
    };
    output::set_up(cli.output());
    let handler = ctrlc::set_handler(|| {
        // A second Ctrl-C does not wait for the present sample.
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if let Err(error) = handler {
        log::warn!("Ctrl-C will end the run at once, without saving: {error}");
    }
    match cli::execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let style = anstyle::AnsiColor::Red.on_default().bold();
            let label = if matches!(error, Error::Interrupted) { "stopped" } else { "error" };
            let _closed = writeln!(anstream::stderr().lock(), "{style}{label}:{style:#} {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
