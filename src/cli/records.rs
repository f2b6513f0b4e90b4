//! Records that a command line names, each once and with figures that can be.

use crate::analysis::check;
use crate::error::{Error, Result};
use crate::record::store::{self, Loaded};

/// The records behind files, folders, `@last`, and ids.
///
/// # Errors
/// Those of [`store::find`]; [`Error::Data`] for a figure that cannot be, by its place.
pub(super) fn load(words: &[String]) -> Result<Vec<Loaded>> {
    let mut found: Vec<Loaded> = Vec::new();
    for word in words {
        for one in store::find(word)? {
            // A file and its folder may both be named.
            if !found.iter().any(|known| known.path == one.path) {
                found.push(one);
            }
        }
    }
    for one in &found {
        if let Some((place, what)) = check::fault(&one.record) {
            return Err(Error::data(&one.path, place, what));
        }
    }
    Ok(found)
}
