//! Records that a command line names, each once.

use crate::error::Result;
use crate::record::store::{self, Loaded};

/// The records behind files, folders, `@last`, and ids.
///
/// # Errors
/// Those of [`store::find`].
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
    Ok(found)
}
