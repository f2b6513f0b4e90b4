//! Records that a command line names, and where a new one is kept.

use std::path::{Path, PathBuf};

use crate::compare::Side;
use crate::error::Result;
use crate::record::Record;
use crate::record::store::{self, Loaded};
use crate::report::section::headline;

use super::{OutputArgs, output};

/// The records behind files, folders, `@last`, and ids, each once.
///
/// # Errors
/// Those of [`store::find`].
pub(super) fn load(words: &[String]) -> Result<Vec<Loaded>> {
    let mut records: Vec<Loaded> = Vec::new();
    for word in words {
        for record in store::find(word)? {
            // A file and its folder may both be named.
            if !records.iter().any(|known| known.path == record.path) {
                records.push(record);
            }
        }
    }
    Ok(records)
}

/// The records a word names, as one side of a comparison; a word that is not a path is shown with the file it
/// stands for.
///
/// # Errors
/// Those of [`store::find`].
pub(super) fn side(word: &str) -> Result<Side> {
    let records = store::find(word)?;
    let file = records[0].path.file_name().unwrap_or_default();
    let name = if Path::new(word).exists() {
        word.into()
    } else {
        format!("{word} ({})", file.to_string_lossy())
    };
    Ok(Side { name, records: records.into_iter().map(|loaded| loaded.record).collect() })
}

/// Keeps the record, and tells where.
///
/// # Errors
/// As [`write`].
pub(super) fn keep(out: &OutputArgs, record: &Record) -> Result<()> {
    if let Some(path) = write(out, record)? {
        output::note(out, &format!("record  {}", path.display()));
    }
    Ok(())
}

/// Writes the record to every place it is kept, and returns the place to show. Places asked for must
/// work; the user's own folder may fail, with a warning.
///
/// # Errors
/// As [`output::save`].
pub(super) fn write(out: &OutputArgs, record: &Record) -> Result<Option<PathBuf>> {
    output::save(out, |form| headline::render(record, form))?;
    let asked = out.save.first().map(|target| target.path.clone());
    let kept = store::folder().map(|folder| store::keep(record, &folder));
    let kept = kept.transpose().unwrap_or_else(|error| {
        output::note(out, &format!("warning: {error}: the record is not kept there"));
        None
    });
    Ok(asked.or(kept))
}
