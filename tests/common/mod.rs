//! The devices that the tests share.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use fathom::gpu::{Gpu, Selector};
use fathom::terms::{Checks, Restriction};

/// Devices opened on one software adapter.
const DEVICES: usize = 8;

/// The device for all work on `subject`: a model's name, a kernel's text.
///
/// A software driver compiles a kernel at its first dispatch, which takes longer than all else that a test
/// does, and one kernel at a time on each device. So there are several: two tests compile side by side, and
/// as a subject always goes to the same device, nothing is compiled twice. Other adapters have one.
/// `FATHOM_TEST_DEVICE` picks another adapter, as `--device` does.
pub(crate) fn gpu(subject: &str) -> Result<&'static Gpu, &'static str> {
    static DEVICE: [OnceLock<Result<Gpu, String>>; DEVICES] = [const { OnceLock::new() }; DEVICES];
    let shared = |at: usize| {
        let opened = DEVICE[at].get_or_init(|| open(Restriction::default()));
        opened.as_ref().map_err(String::as_str)
    };
    let first = shared(0)?;
    if !first.caps.software {
        return Ok(first);
    }
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    shared((hasher.finish() % DEVICES as u64) as usize)
}

/// A device of its own, of which some is not used.
pub(crate) fn open(restriction: Restriction) -> Result<Gpu, String> {
    let device = std::env::var("FATHOM_TEST_DEVICE").ok();
    let selector = Selector { device, restriction, ..Selector::default() };
    Gpu::open(&selector, Checks::Off).map_err(|error| error.to_string())
}
