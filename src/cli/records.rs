//! Records named on the command line.

use std::path::Path;

use crate::compare::Side;
use crate::error::Result;
use crate::record::store::{self, Loaded};

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
