//! Where records are kept, how they are named, and how a name is found again.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::host::{list_folder, make_folder, read_text, write_atomically};

use super::Record;

/// The user's folder for records: `$FATHOM_RECORDS`, else the system's place for data.
pub fn folder() -> Option<PathBuf> {
    let home = || variable("HOME");
    variable("FATHOM_RECORDS").or_else(|| {
        if cfg!(windows) {
            variable("LOCALAPPDATA").map(|d| d.join("fathom"))
        } else if cfg!(target_os = "macos") {
            home().map(|h| h.join("Library/Application Support/fathom"))
        } else {
            let local = || home().map(|h| h.join(".local/share"));
            variable("XDG_DATA_HOME").or_else(local).map(|d| d.join("fathom"))
        }
    })
}

/// A folder that the environment names; an empty name is none.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// `2026-11-23T07-22-03Z-llvmpipe.json`: by time first, so that names sort as the runs were made.
pub fn file_name(record: &Record) -> String {
    let time = record.created.replace(':', "-");
    let time = time.split('.').next().unwrap_or(&time).trim_end_matches('Z');
    let device = record.device.name.split(|c: char| !c.is_ascii_alphanumeric());
    let device: Vec<_> = device.filter(|part| !part.is_empty()).take(4).collect();
    format!("{time}Z-{}.json", device.join("-").to_lowercase())
}

/// Writes a record into a folder, which is made if need be.
///
/// # Errors
/// [`Error::Io`].
pub fn keep(record: &Record, folder: &Path) -> Result<PathBuf> {
    make_folder(folder)?;
    let path = folder.join(file_name(record));
    write_atomically(&path, record.to_json()?.as_bytes())?;
    Ok(path)
}

/// A record and the file it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub record: Record,
}

/// The records that a word on the command line names: a file, every record of a folder by name, `@last`,
/// `@last~2`, or the beginning of an id. Never none.
///
/// # Errors
/// [`Error::Usage`] where the word names nothing or is ambiguous, else as [`Record::load`].
pub fn find(word: &str) -> Result<Vec<Loaded>> {
    find_in(word, folder().as_deref())
}

fn find_in(word: &str, kept: Option<&Path>) -> Result<Vec<Loaded>> {
    let path = Path::new(word);
    let load = |path: PathBuf| Record::load(&path).map(|record| Loaded { path, record });
    if path.is_dir() {
        let files = files(path)?;
        if files.is_empty() {
            return Err(Error::Usage(format!("{word}: no records in this folder")));
        }
        return files.into_iter().map(load).collect();
    }
    let hex = word.strip_prefix("sha256:").unwrap_or(word);
    let is_id = hex.len() >= 4 && hex.chars().all(|c| c.is_ascii_hexdigit());
    if path.exists() || !(word.starts_with('@') || is_id) {
        return Ok(vec![load(path.to_path_buf())?]);
    }
    let kept = kept.ok_or_else(|| {
        Error::Usage(format!(
            "{word}: this system has no data folder for records: set FATHOM_RECORDS"
        ))
    })?;
    let files = files(kept)?;
    let file = if is_id { by_id(hex, &files) } else { last(word, &files) };
    let why = |why| Error::Usage(format!("{word}: {why} in {}", kept.display()));
    Ok(vec![load(file.map_err(why)?)?])
}

/// The records of a folder by name, so by time.
///
/// # Errors
/// [`Error::Io`].
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = list_folder(folder)?;
    files.retain(|path| path.extension().is_some_and(|e| e == "json") && path.is_file());
    Ok(files)
}

fn last(word: &str, files: &[PathBuf]) -> std::result::Result<PathBuf, String> {
    let back = match word.strip_prefix("@last") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix('~').and_then(|n| n.parse().ok()),
        None => None,
    };
    let back: usize = back.ok_or("expected @last or @last~N; those are looked up")?;
    let file = files.iter().rev().nth(back);
    file.cloned().ok_or_else(|| format!("there are only {} records", files.len()))
}

fn by_id(hex: &str, files: &[PathBuf]) -> std::result::Result<PathBuf, String> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    let matches = |path: &&PathBuf| {
        // What is no record has no id: it is none of those looked for.
        let text = read_text(path).unwrap_or_default();
        let id = serde_json::from_str::<Id>(&text).map(|i| i.id);
        let id = id.unwrap_or_default();
        id.trim_start_matches("sha256:").starts_with(&hex.to_ascii_lowercase())
    };
    let matching: Vec<_> = files.iter().filter(matches).collect();
    match matching.as_slice() {
        [path] => Ok((*path).clone()),
        [] => Err("no file of that name, and no record's id starts with it".into()),
        several => Err(format!("the ids of {} records start with it", several.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn a_record_is_found_by_file_folder_age_and_id() {
        let folder = tempfile::tempdir().unwrap();
        let place = Some(folder.path());
        let mut paths = Vec::new();
        for (i, created) in ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"].iter().enumerate() {
            let mut record = example::record(&[]);
            record.created = (*created).into();
            record.notes = vec![format!("number {i}")];
            paths.push(keep(&record, folder.path()).unwrap());
        }
        let path = |word: &str| find_in(word, place).map(|records| records[0].path.clone());
        assert_eq!(path("@last").unwrap(), paths[1]);
        assert_eq!(path("@last~1").unwrap(), paths[0]);
        assert_eq!(path(paths[0].to_str().unwrap()).unwrap(), paths[0]);
        let records = find_in(folder.path().to_str().unwrap(), None).unwrap();
        assert_eq!(records.len(), 2);
        let id = &records[0].record.id;
        assert_eq!(path(&id[..15]).unwrap(), paths[0]);
        assert_eq!(path(&id["sha256:".len()..][..8]).unwrap(), paths[0]);
        for (word, code, expected) in [
            ("@last~2", 2, "only 2 records"),
            ("@first", 2, "@last~N"),
            ("0123456789", 2, "no record's id"),
            ("none.json", 10, "cannot read none.json"),
        ] {
            let error = find_in(word, place).unwrap_err();
            assert_eq!(error.exit_code(), code, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        let empty = tempfile::tempdir().unwrap();
        let error = find_in(empty.path().to_str().unwrap(), place).unwrap_err();
        assert!(error.to_string().contains("no records in this folder"), "{error}");
    }
}
