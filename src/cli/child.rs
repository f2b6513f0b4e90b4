//! Programs that are run by this one.

use std::path::Path;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::measure::sample::interrupted;

/// Waits for a program, and ends it where this one is interrupted: of a Ctrl-C it has heard itself, but not of a signal
/// to this process alone. What it measured it has kept by then.
///
/// # Errors
/// [`Error::Interrupted`]; the system's.
pub(super) fn wait(child: &mut Child, path: &Path) -> Result<ExitStatus> {
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
