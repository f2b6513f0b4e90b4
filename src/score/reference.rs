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
    let Some(text) = text(preset)? else {
        return Err(Error::Incomparable(format!(
            "fathom comes with no reference for preset {preset} (only for {}): name a complete record \
             of that preset with --reference",
            PRESETS.join(", ")
        )));
    };
    Record::parse(&text, Path::new(&file(preset)))
}

/// What the reference of a preset is called.
fn file(preset: Preset) -> String {
    format!("assets/reference-{preset}.json")
}

#[cfg(not(target_arch = "wasm32"))]
fn text(preset: Preset) -> Result<Option<String>> {
    use std::io::Read;

    let Some(at) = PRESETS.iter().position(|known| *known == preset.name()) else {
        return Ok(None);
    };
    let mut text = String::new();
    let read = flate2::read::GzDecoder::new(PACKED[at]).read_to_string(&mut text);
    read.map_err(Error::io("read", file(preset)))?;
    Ok(Some(text))
}

#[cfg(target_arch = "wasm32")]
pub use given::give;
#[cfg(target_arch = "wasm32")]
use given::text;

#[cfg(target_arch = "wasm32")]
mod given {
    use std::sync::Mutex;

    use crate::error::{Error, Result};
    use crate::terms::Preset;

    static GIVEN: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

    /// Gives the text of a preset's reference.
    pub fn give(preset: String, text: String) {
        if let Ok(mut given) = GIVEN.lock() {
            given.push((preset, text));
        }
    }

    pub(super) fn text(preset: Preset) -> Result<Option<String>> {
        let given = GIVEN.lock().ok();
        let found = given.and_then(|given| {
            given.iter().find(|(known, _)| known == preset.name()).map(|(_, text)| text.clone())
        });
        match found {
            None if super::PRESETS.contains(&preset.name()) => Err(Error::Incomparable(format!(
                "the reference of preset {preset} could not be loaded: try again when the page's host answers"
            ))),
            found => Ok(found),
        }
    }
}
