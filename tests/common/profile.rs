//! Where a browser keeps what it writes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

/// A folder that goes with the test, whatever its outcome.
pub(crate) struct Profile(TempDir);

impl Profile {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Has a browser keep everything in it: one that is ended leaves folders beside its profile, too.
    pub(crate) fn hold<'a>(&self, browser: &'a mut Command) -> &'a mut Command {
        let folder: &Path = self.0.path();
        browser.arg(format!("--user-data-dir={}", folder.display())).env("TMPDIR", folder)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Processes of a browser that has ended write for a moment more.
        for _ in 0..100 {
            let _ = std::fs::remove_dir_all(self.0.path());
            if !self.0.path().exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
