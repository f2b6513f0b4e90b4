//! Where records are kept, how they are named, and how a name is found again.

use std::collections::HashSet;
use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::host::{list_folder, make_folder, read_text, remove_file, target, write_atomically};

use super::{Integrity, Record, id};

/// The user's folder for records: `$FATHOM_RECORDS`, else the system's place for data; nothing where neither is
/// known, as for a service without a home.
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

/// What to do where there is no [`folder`].
pub const NO_FOLDER: &str = "this system names no data folder (HOME is not set): set FATHOM_RECORDS to a folder for records";

/// A folder that the environment names; an empty name is none.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// `2026-11-23T07-22-03.471534Z-llvmpipe`: by time first, so that names sort as the runs were made, and to the
/// microsecond, so that runs that begin in the same second have different ones.
fn stem(record: &Record) -> String {
    let time = record.created.trim_end_matches('Z').replace(':', "-");
    let (second, fraction) = time.split_once('.').unwrap_or((&time, ""));
    let device = record.device.name.split(|c: char| !c.is_ascii_alphanumeric());
    let device: Vec<_> = device.filter(|part| !part.is_empty()).take(4).collect();
    // File names have an end, which a driver's name need not have.
    let device: String = device.join("-").to_lowercase().chars().take(80).collect();
    format!("{second}.{fraction:0<6.6}Z-{device}")
}

/// Writes a record into a folder, which is made if need be: over an earlier state of the same run, never over
/// another run's record.
///
/// # Errors
/// [`Error::Io`].
pub fn keep(record: &Record, folder: &Path) -> Result<PathBuf> {
    make_folder(folder)?;
    let stem = stem(record);
    let others = (2..).map(|n| format!("{stem}-{n}.json"));
    let is_free = |path: &PathBuf| !path.exists() || is_earlier_state(path, record);
    let mut names = std::iter::once(format!("{stem}.json")).chain(others);
    let path = names.by_ref().map(|name| folder.join(name)).find(is_free);
    let path = path.ok_or_else(|| Error::Internal("the numbers ran out".into()))?;
    write_atomically(&path, record.to_json()?.as_bytes())?;
    Ok(path)
}

/// Whether a file holds what was kept of the same run before, and nothing that this record lacks.
fn is_earlier_state(path: &Path, record: &Record) -> bool {
    let Ok(kept) = Record::load(path) else {
        return false;
    };
    let goes_on = record.runs.get(..kept.runs.len()).is_some_and(|runs| runs == kept.runs);
    kept.is_of_same_run(record) && goes_on
}

/// Keeps a record under a name, to be compared with later; one of that name is replaced. `main/2` is the second of
/// several repeated runs.
///
/// # Errors
/// [`Error::Io`].
pub fn keep_baseline(record: &Record, name: &str, folder: &Path) -> Result<PathBuf> {
    let path = baseline(name, folder);
    make_folder(path.parent().unwrap_or(folder))?;
    write_atomically(&path, record.to_json()?.as_bytes())?;
    // What was there before goes once something has taken its place.
    match name.split_once('/') {
        None => clear_baseline(name, folder, &path)?,
        Some((repeated, "1")) => clear_baseline(repeated, folder, &path)?,
        Some(_) => {}
    }
    Ok(path)
}

/// Removes the other records of a baseline: the one of this name, and those of earlier repeated runs.
///
/// # Errors
/// [`Error::Io`].
fn clear_baseline(name: &str, folder: &Path, new: &Path) -> Result<()> {
    let repeated = baselines(folder).join(name);
    let mut old = if repeated.is_dir() { files(&repeated)? } else { Vec::new() };
    old.extend(Some(baseline(name, folder)).filter(|path| path.exists()));
    old.iter().filter(|path| *path != new).try_for_each(|path| remove_file(path))
}

/// Where baselines are, in a folder of records.
pub fn baselines(folder: &Path) -> PathBuf {
    folder.join("baselines")
}

fn baseline(name: &str, folder: &Path) -> PathBuf {
    baselines(folder).join(format!("{name}.json"))
}

/// Reads a baseline's name: letters, digits, `-`, `_` and dots that do not come first.
///
/// # Errors
/// What is expected.
pub fn baseline_name(text: &str) -> std::result::Result<String, String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // With `.json` behind it: a file's name may have 255.
    let is_long = text.len() > 250;
    if text.is_empty() || is_long || text.starts_with('.') || !text.chars().all(is_good) {
        return Err(
            "a name has up to 250 letters, digits, -, _ and dots, no dot first, as in main-2 or v1.2"
                .into(),
        );
    }
    Ok(text.to_string())
}

/// The records of a baseline, one or those of repeated runs; nothing where there is none of that name.
fn of_baseline(name: &str, folder: &Path) -> Result<Option<Vec<PathBuf>>> {
    if baseline_name(name).is_err() {
        return Ok(None);
    }
    let (one, repeated) = (baseline(name, folder), baselines(folder).join(name));
    let files = match (one.exists(), repeated.is_dir()) {
        (true, _) => vec![one],
        (false, true) => files(&repeated)?,
        (false, false) => Vec::new(),
    };
    Ok((!files.is_empty()).then_some(files))
}

/// The files of baselines, with their names.
///
/// # Errors
/// [`Error::Io`].
pub fn named(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let folder = baselines(folder);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut named = Vec::new();
    for path in list_folder(&folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        named.extend(files(&path)?.into_iter().map(|file| (name.clone(), file)));
    }
    named.extend(files(&folder)?.into_iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (name, file)
    }));
    named.sort();
    Ok(named)
}

/// A record and the file it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file.
    pub path: PathBuf,
    /// Its text, byte for byte: what is handed on of it is this, since a text that is written anew may differ.
    pub text: String,
    /// What it holds.
    pub record: Record,
}

impl Loaded {
    /// Reads a file.
    ///
    /// # Errors
    /// As [`Record::load`].
    pub fn read(path: PathBuf) -> Result<Self> {
        let text = read_text(&path)?;
        let record = Record::parse(&text, &path)?;
        Ok(Self { path, text, record })
    }
}

/// The records that a word on the command line names: a file, every record of a folder by name, or where it has none of
/// the folders in it, `@last`, `@last~2`, a baseline, or the beginning of an id. Never none.
///
/// # Errors
/// [`Error::Usage`] where the word names nothing or is ambiguous, else as [`Record::load`].
pub fn find(word: &str) -> Result<Vec<Loaded>> {
    find_in(word, folder().as_deref())
}

fn find_in(word: &str, kept: Option<&Path>) -> Result<Vec<Loaded>> {
    let path = Path::new(word);
    if path.is_dir() {
        let mut files = files(path)?;
        if files.is_empty() {
            files = tree(path)?;
        }
        if files.is_empty() {
            return Err(Error::Usage(format!("{word}: no records in this folder")));
        }
        return files.into_iter().map(Loaded::read).collect();
    }
    if path.exists() {
        return Ok(vec![Loaded::read(path.to_path_buf())?]);
    }
    let baseline = kept.map(|kept| of_baseline(word, kept)).transpose()?;
    if let Some(files) = baseline.flatten() {
        return files.into_iter().map(Loaded::read).collect();
    }
    // What has a dot and is no baseline was meant as a file.
    let is_name =
        word.starts_with('@') || baseline_name(id::digits(word)).is_ok_and(|n| !n.contains('.'));
    if !is_name {
        return Ok(vec![Loaded::read(path.to_path_buf())?]);
    }
    let kept = kept.ok_or_else(|| Error::Usage(format!("{word}: {NO_FOLDER}")))?;
    let files = if kept.is_dir() { files(kept)? } else { Vec::new() };
    let file =
        if word.starts_with('@') { last(word, &files) } else { by_id(id::digits(word), &files) };
    let why = |why| {
        Error::Usage(format!(
            "{word}: {why} in {}; `fathom list records` lists what is kept",
            kept.display()
        ))
    };
    Ok(vec![Loaded::read(file.map_err(why)?)?])
}

/// The records behind several words, each once, however often it was copied.
///
/// # Errors
/// Those of [`find`].
pub fn find_all(words: &[String]) -> Result<Vec<Loaded>> {
    let mut records: Vec<Loaded> = Vec::new();
    for word in words {
        for record in find(word)? {
            // A file and its folder may both be named.
            if !records.iter().any(|known| known.path == record.path) {
                records.push(record);
            }
        }
    }
    Ok(apart(records).0)
}

/// The records, and the files that hold one of them once more. A copy is no run of its own: three would look like three
/// that agree to the last digit. An edited record has the id of what it was before.
pub fn apart(loaded: Vec<Loaded>) -> (Vec<Loaded>, Vec<PathBuf>) {
    let (mut records, mut copies) = (Vec::<Loaded>::new(), Vec::new());
    for new in loaded {
        let is_copy = |known: &Loaded| {
            known.record.id == new.record.id
                && [known, &new].iter().all(|l| l.record.integrity == Integrity::Intact)
        };
        if records.iter().any(is_copy) {
            copies.push(new.path);
        } else {
            records.push(new);
        }
    }
    (records, copies)
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

/// The folder in that of the records where tables of tuning are kept.
pub const TUNING: &str = "tuning";

/// Folders in folders that records are looked for in.
const DEPTH: usize = 4;

/// The records of a folder and of the folders in it, by name; hidden ones are passed over, folders that a link leads to
/// once more, and the tables of tuning that lie beside kept records.
///
/// # Errors
/// [`Error::Io`].
pub fn tree(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut records = files(folder)?;
    let mut open = vec![(folder.to_path_buf(), 0)];
    let mut seen = HashSet::from([target(folder)]);
    while let Some((folder, depth)) = open.pop() {
        let is_hidden =
            |path: &Path| path.file_name().is_none_or(|n| n.as_encoded_bytes()[0] == b'.');
        let inside = list_folder(&folder)?.into_iter().filter(|p| p.is_dir() && depth < DEPTH);
        for path in inside.filter(|path| !is_hidden(path) && seen.insert(target(path))) {
            records.extend(files(&path)?);
            open.push((path, depth + 1));
        }
    }
    records.retain(|path| !is_tuning(path));
    records.sort();
    Ok(records)
}

/// Whether a file says that it is a table of tuning; what cannot be read says nothing.
fn is_tuning(path: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let is_beside = path.parent().is_some_and(|folder| folder.ends_with(TUNING));
    let head = || serde_json::from_str::<Head>(&read_text(path).ok()?).ok();
    is_beside && head().is_some_and(|head| head.schema.starts_with("fathom.tuning/"))
}

fn last(word: &str, files: &[PathBuf]) -> std::result::Result<PathBuf, String> {
    let back = match word.strip_prefix("@last") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix('~').and_then(|n| n.parse().ok()),
        None => None,
    };
    let back: usize = back.ok_or("expected @last or @last~N; those are looked up")?;
    // What else lies there is named otherwise: kept records begin with their date.
    let is_kept = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit())
    };
    let mut kept: Vec<_> = files.iter().filter(is_kept).collect();
    if kept.is_empty() {
        kept = files.iter().collect();
    }
    // What cannot be read is no record, as `fathom list records` says of it.
    let records = || kept.iter().rev().filter(|path| Record::load(path).is_ok());
    let file = records().nth(back).map(|path| path.to_path_buf());
    file.ok_or_else(|| match records().count() {
        0 => "no records are kept".into(),
        1 => "there is only 1 record".into(),
        n => format!("there are only {n} records"),
    })
}

fn by_id(hex: &str, files: &[PathBuf]) -> std::result::Result<PathBuf, String> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    let none = "no file or baseline of that name, and no record's id starts with it";
    if !hex.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(none.into());
    }
    if hex.len() < 4 {
        let why =
            "no file or baseline of that name, and it takes four digits of an id to name a record";
        return Err(why.into());
    }
    let matches = |path: &&PathBuf| {
        // What is not a record has no id, so it cannot be the one looked for.
        let text = read_text(path).unwrap_or_default();
        let known = serde_json::from_str::<Id>(&text).map(|i| i.id).unwrap_or_default();
        id::digits(&known).starts_with(&hex.to_ascii_lowercase())
    };
    let matching: Vec<_> = files.iter().filter(matches).collect();
    match matching.as_slice() {
        [path] => Ok((*path).clone()),
        [] => Err(none.into()),
        several => Err(format!("the ids of {} records start with it", several.len())),
    }
}

#[cfg(test)]
mod tests;
