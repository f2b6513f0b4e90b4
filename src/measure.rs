//! Measuring: a run of a record from verification to profile, ceilings, and where a record comes from.

pub mod kernel;
pub mod kernels;
pub mod largest_batch;
pub mod peak;
pub mod profile;
#[cfg(feature = "cli")]
pub mod provenance;
pub mod run;
pub mod sample;
pub mod verify;
