//! Records that a command line names, and where a new one is kept.

use std::path::{Path, PathBuf};

use crate::compare::Side;
use crate::error::{Error, Result, plain};
use crate::host;
use crate::record::store::{self, Loaded};
use crate::record::{Record, id};
use crate::report::section::headline;
use crate::report::section::records::{self as section, Kept};
use crate::report::table::Table;
use crate::score;
use crate::terms::counted;

use super::{OutputArgs, output};

/// The records a word names, as one side of a comparison; a word that is not a path is shown with the one file it
/// stands for, and whoever was edited is called that wherever it is named.
///
/// # Errors
/// Those of [`store::find`].
pub(super) fn side(word: &str, out: &OutputArgs) -> Result<Side> {
    let (records, copies) = store::apart(store::find(word)?);
    for copy in copies {
        output::note(
            out,
            &format!(
                "warning: {}: a copy of another record of {word}: it counts once",
                plain(copy.display())
            ),
        );
    }
    let name = match records.as_slice() {
        [one] if !Path::new(word).exists() => {
            let file = one.path.file_name().unwrap_or_default();
            format!("{word} ({})", file.to_string_lossy())
        }
        _ => plain(word),
    };
    let side = Side { name, records: records.into_iter().map(|loaded| loaded.record).collect() };
    Ok(Side { name: side.integrity().mark(&side.name), ..side })
}

/// What is kept, a row a record; a file that is none is named in a note.
///
/// # Errors
/// [`Error::Usage`] where there is no folder for records, [`Error::Io`] where it cannot be read.
pub(super) fn kept(out: &OutputArgs) -> Result<Table> {
    let folder = store::folder().ok_or_else(|| Error::Usage(store::NO_FOLDER.into()))?;
    let files = if folder.exists() { store::files(&folder)? } else { Vec::new() };
    let read = |file| match Loaded::read(file) {
        Ok(loaded) => Some(loaded),
        Err(error) => {
            output::note(out, &format!("warning: {error}"));
            None
        }
    };
    let records: Vec<_> = files.into_iter().filter_map(read).collect();
    let count = counted(records.len(), "record");
    output::note(out, &format!("{count} in {}", plain(folder.display())));
    let baselines = store::named(&folder)?.into_iter();
    let baselines: Vec<_> =
        baselines.filter_map(|(name, file)| Some((name, read(file)?))).collect();
    let rows = records.iter().map(|loaded| {
        let is_same = |(_, known): &&(String, Loaded)| known.record.id == loaded.record.id;
        Kept {
            path: &loaded.path,
            record: &loaded.record,
            baselines: baselines.iter().filter(is_same).map(|(name, _)| name.as_str()).collect(),
            score: score::of(&loaded.record).ok().and_then(|score| score.overall()),
        }
    });
    Ok(section::kept(&rows.collect::<Vec<_>>()))
}

/// Keeps the record, under a baseline's name as well if there is one, and says where and under which id. What cannot be
/// written in one place is kept in the others.
///
/// # Errors
/// As [`write`]; [`Error::Usage`] for a baseline where there is no folder for it.
pub(super) fn keep(out: &OutputArgs, record: &Record, baseline: Option<&str>) -> Result<()> {
    let id = record.sealed()?.id;
    let (place, written) = write(out, record);
    match place {
        Some(path) => {
            let path = plain(path.display());
            output::note(out, &format!("record  {}  {path}", id::short(&id)));
        }
        None if written.is_ok() && store::folder().is_none() => {
            let text = "warning: the record is not kept";
            output::note(out, &format!("{text}: {}, or give --save FILE.json", store::NO_FOLDER));
        }
        None => {}
    }
    let named = baseline.map_or(Ok(()), |name| keep_baseline(out, record, name));
    output::together([written, named])
}

fn keep_baseline(out: &OutputArgs, record: &Record, name: &str) -> Result<()> {
    let why = || Error::Usage(format!("--save-baseline {name}: {}", store::NO_FOLDER));
    let path = store::keep_baseline(record, name, &store::folder().ok_or_else(why)?)?;
    output::note(out, &format!("baseline  {name}  {}", plain(path.display())));
    Ok(())
}

/// Refuses a folder for records in which none could be kept, before anything is measured for it. The folder itself is made
/// with its first record.
///
/// # Errors
/// [`Error::Usage`] with what the records are for.
pub(super) fn check_place(folder: &Path, what: &str) -> Result<()> {
    let there = folder.ancestors().find(|place| place.as_os_str().is_empty() || place.exists());
    let file = there.unwrap_or(folder).join("record.json");
    host::writable(&file).map_err(|why| Error::Usage(format!("{what}: {why}")))
}

/// Whether `@last` is this record, or what was kept of the same run before.
pub(super) fn is_last(record: &Record) -> bool {
    let last = store::find("@last").ok().and_then(|found| found.into_iter().next());
    last.is_some_and(|last| last.record.is_of_same_run(record))
}

/// Writes the record to every place it is kept, and returns the place to show, with what [`output::save`] came to. Places
/// asked for must work; the user's own folder may fail, with a warning.
pub(super) fn write(out: &OutputArgs, record: &Record) -> (Option<PathBuf>, Result<()>) {
    let saved = output::save(out, |form| headline::render(record, form));
    let asked = out.save.first().filter(|_| saved.is_ok()).map(|target| target.path.clone());
    let kept = store::folder().map(|folder| store::keep(record, &folder));
    let kept = kept.transpose().unwrap_or_else(|error| {
        output::warn(&format!("{error}: the record is not kept there"));
        None
    });
    (asked.or(kept), saved)
}
