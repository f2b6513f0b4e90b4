//! Bytes into the reader that the environment variable `FATHOM_PARSER` names.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

#[path = "../tests/common/parsers.rs"]
mod parsers;

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let parse = CHOSEN.get_or_init(|| {
        let wanted = std::env::var("FATHOM_PARSER").expect("FATHOM_PARSER names a reader");
        let known = parsers::PARSERS.iter().find(|(name, _)| *name == wanted);
        known.unwrap_or_else(|| panic!("FATHOM_PARSER: no reader is called {wanted}")).1
    });
    parse(data);
});
