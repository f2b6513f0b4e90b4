//! Where records are kept, and how they are named.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::{Record, write_atomically};

/// The user's folder for records: `$FATHOM_RECORDS`, else the system's place for data.
pub fn folder() -> Option<PathBuf> {
    let variable = |name: &str| {
        env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let home = || variable("HOME");
    variable("FATHOM_RECORDS").or_else(|| {
        if cfg!(windows) {
            variable("LOCALAPPDATA").map(|d| d.join("fathom"))
        } else if cfg!(target_os = "macos") {
            home().map(|h| h.join("Library/Application Support/fathom"))
        } else {
            let local = || home().map(|h| h.join(".local/share"));
            variable("XDG_DATA_HOME")
                .or_else(local)
                .map(|d| d.join("fathom"))
        }
    })
}

/// `2026-11-23T07-22-03Z-llvmpipe.json`: by time first, so that names sort as the runs were made.
pub fn file_name(record: &Record) -> String {
    let time = record.created.replace(':', "-");
    let time = time
        .split('.')
        .next()
        .unwrap_or(&time)
        .trim_end_matches('Z');
    let device = record
        .device
        .name
        .split(|c: char| !c.is_ascii_alphanumeric());
    let device: Vec<_> = device.filter(|part| !part.is_empty()).take(4).collect();
    format!("{time}Z-{}.json", device.join("-").to_lowercase())
}

/// Writes a record into a folder, which is made if need be.
///
/// # Errors
/// [`Error::Io`].
pub fn keep(record: &Record, folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let path = folder.join(file_name(record));
    write_atomically(&path, record.to_json()?.as_bytes())?;
    Ok(path)
}
