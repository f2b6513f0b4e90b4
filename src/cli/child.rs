//! Programs that are run by this one.

use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::measure::sample::interrupted;

/// Runs a program to its end, and ends it where this one is interrupted: of a Ctrl-C it has heard itself, but not of a signal
/// to this process alone. What it measured it has kept by then.
///
/// # Errors
/// [`Error::Interrupted`]; the system's.
pub(super) fn run(command: &mut Command) -> Result<ExitStatus> {
    let mut child = command.spawn().map_err(Error::io("run", command.get_program()))?;
    let path = command.get_program();
    loop {
        if let Some(status) = child.try_wait().map_err(Error::io("run", path))? {
            return Ok(status);
        }
        if interrupted() {
            child.kill().and_then(|()| child.wait()).map_err(Error::io("end", path))?;
            return Err(Error::Interrupted);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
