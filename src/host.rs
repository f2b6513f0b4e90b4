//! The one door to the machine outside: files.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a whole file or nothing: into a temporary file beside it, then renamed. A link is followed;
/// what is no regular file, such as a pipe or `/dev/stdout`, is written straight.
///
/// # Errors
/// [`Error::Io`]; the old file is untouched then.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = Error::io("write", path);
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    // A file under /dev or /proc is somebody's open stream, whatever it leads to.
    let stream = path.starts_with("/dev") || path.starts_with("/proc");
    if stream || (target.exists() && !target.is_file()) {
        let file = std::fs::OpenOptions::new().write(true).open(path);
        return file.and_then(|mut f| f.write_all(bytes)).map_err(failed);
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // As a file made by hand would be; the default is for secrets.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(failed)
}
