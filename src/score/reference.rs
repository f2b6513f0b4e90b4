//! The score's unit: for each preset that has one, a whole record of one device.
//!
//! It is part of a native program. A page would make its visitors wait for it, a sixth of all they load, before anything
//! is measured: there it is a file beside the page, which is fetched and given when a score is first asked for.

use std::path::Path;

use crate::error::{Error, Result};
use crate::record::Record;
use crate::terms::Preset;

include!(concat!(env!("OUT_DIR"), "/reference.rs"));

/// The reference for a preset that this program was built with.
///
/// # Errors
/// [`Error::Incomparable`] where there is none yet, or a page has not been given it.
pub fn committed(preset: Preset) -> Result<Record> {
    let Some(at) = PRESETS.iter().position(|known| *known == preset.name()) else {
        return Err(Error::Incomparable(format!(
            "fathom comes with no reference for preset {preset} (only for {}): name a complete record \
             of that preset with --reference",
            PRESETS.join(", ")
        )));
    };
    let path = format!("assets/reference-{preset}.json");
    Record::parse(&text(at, &path)?, Path::new(&path))
}

#[cfg(not(target_arch = "wasm32"))]
fn text(at: usize, path: &str) -> Result<String> {
    use std::io::Read;

    let mut text = String::new();
    let read = flate2::read::GzDecoder::new(PACKED[at]).read_to_string(&mut text);
    read.map_err(Error::io("read", path))?;
    Ok(text)
}

#[cfg(target_arch = "wasm32")]
pub use given::give;
#[cfg(target_arch = "wasm32")]
use given::text;

#[cfg(target_arch = "wasm32")]
mod given {
    use std::sync::Mutex;

    use super::PRESETS;
    use crate::error::{Error, Result};

    /// Presets with the texts of their references.
    static GIVEN: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

    /// Gives the text of a preset's reference.
    pub fn give(preset: String, text: String) {
        if let Ok(mut given) = GIVEN.lock() {
            given.push((preset, text));
        }
    }

    pub(super) fn text(at: usize, path: &str) -> Result<String> {
        let given = GIVEN.lock().ok();
        let text = given.and_then(|given| {
            given.iter().find(|(preset, _)| preset == PRESETS[at]).map(|(_, text)| text.clone())
        });
        text.ok_or_else(|| {
            Error::Incomparable(format!(
                "{path} could not be loaded: try again when the page's host answers"
            ))
        })
    }
}
