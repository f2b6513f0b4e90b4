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

/// The record files that a name stands for: a file; a folder's `.json` files; `@last`, the user's newest
/// record, and `@last~1`, the one before; or the beginning of an id in the user's folder.
///
/// # Errors
/// [`Error::Usage`] for a name that stands for nothing, or for several; [`Error::Io`].
pub fn find(name: &str) -> Result<Vec<PathBuf>> {
    find_in(folder().as_deref(), name)
}

fn find_in(kept: Option<&Path>, name: &str) -> Result<Vec<PathBuf>> {
    let path = Path::new(name);
    if path.is_dir() {
        let files = files(path)?;
        return match files.is_empty() {
            true => Err(Error::Usage(format!("{name}: no .json file is in it"))),
            false => Ok(files),
        };
    }
    // What looks like a file is one, though it be missing: reading it says so.
    let is_path = path.extension().is_some() || path.components().count() > 1;
    if path.exists() || (is_path && !name.starts_with('@')) {
        return Ok(vec![path.to_path_buf()]);
    }
    let Some(kept) = kept else {
        return Err(Error::Usage(format!(
            "no record '{name}': there is no folder of records; set FATHOM_RECORDS, or name a file"
        )));
    };
    let files = if kept.is_dir() {
        files(kept)?
    } else {
        Vec::new()
    };
    let place = kept.display();
    if let Some(rest) = name.strip_prefix("@last") {
        let back = match rest.strip_prefix('~') {
            Some(n) => n.parse::<usize>().ok(),
            None => rest.is_empty().then_some(0),
        };
        let Some(back) = back else {
            return Err(Error::Usage(format!(
                "'{name}' is not @last or @last~N, as in @last~1 for the record before the last"
            )));
        };
        return match files.iter().nth_back(back) {
            Some(file) => Ok(vec![file.clone()]),
            None => Err(Error::Usage(format!(
                "no record '{name}': {} kept in {place}; `fathom run` makes one",
                files.len()
            ))),
        };
    }
    let prefix = name.trim_start_matches("sha256:").to_lowercase();
    let is_id = !prefix.is_empty() && prefix.chars().all(|c| c.is_ascii_hexdigit());
    let fits = |file: &&PathBuf| id(file).is_some_and(|id| id.starts_with(&prefix));
    let found: Vec<_> = files.iter().filter(|f| is_id && fits(f)).cloned().collect();
    match &found[..] {
        [_] => Ok(found),
        [] => Err(Error::Usage(format!(
            "no record '{name}': it is no file, no folder, and no id in {place}; @last is the newest there"
        ))),
        several => {
            let paths: Vec<_> = several.iter().map(|f| f.display().to_string()).collect();
            Err(Error::Usage(format!(
                "'{name}' begins the ids of several records; add digits or name the file:\n  {}",
                paths.join("\n  ")
            )))
        }
    }
}

/// A folder's records by name: the oldest first.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.extension().is_some_and(|e| e == "json") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The hexadecimal digits of a record's id; nothing where the file has none.
fn id(file: &Path) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Head {
        id: String,
    }
    let text = std::fs::read_to_string(file).ok()?;
    let head: Head = serde_json::from_str(&text).ok()?;
    Some(head.id.trim_start_matches("sha256:").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_by_file_folder_age_and_id() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path();
        for (name, id) in [
            ("2026-01", "ab12"),
            ("2026-02", "ab34"),
            ("2026-03", "ff56"),
        ] {
            let text = format!("{{\"id\": \"sha256:{id}\"}}");
            std::fs::write(kept.join(format!("{name}.json")), text).unwrap();
        }
        std::fs::write(kept.join("notes.txt"), "").unwrap();
        std::fs::write(kept.join("2025-broken.json"), "{").unwrap();
        let names = |name: &str| -> Vec<String> {
            let found = find_in(Some(kept), name).unwrap();
            let stem = |p: &PathBuf| p.file_stem().unwrap().to_string_lossy().into_owned();
            found.iter().map(stem).collect()
        };
        assert_eq!(names("@last"), ["2026-03"]);
        assert_eq!(names("@last~2"), ["2026-01"]);
        assert_eq!(names("ab3"), ["2026-02"]);
        assert_eq!(names("sha256:ff"), ["2026-03"]);
        assert_eq!(names(kept.to_str().unwrap()).len(), 4);
        assert_eq!(names("no/such.json"), ["such"]);
        for (name, expected) in [
            ("ab", "several"),
            ("cd", "no id in"),
            ("", "no record"),
            ("@last~9", "4 kept"),
            ("@lastly", "@last~1"),
        ] {
            let error = find_in(Some(kept), name).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(expected), "{name}: {error}");
        }
        assert!(find_in(None, "@last").is_err());
        assert!(find_in(Some(&kept.join("none")), "@last").is_err());
    }
}
