//! Measuring: a run from verification to profile, the device's ceilings, and a record's provenance.

pub mod estimate;
pub mod flight;
pub mod kernel;
pub mod kernels;
pub mod largest_batch;
mod outcome;
pub mod peak;
pub mod probe;
pub mod profile;
pub mod provenance;
pub mod restart;
pub mod run;
pub mod sample;
mod sensors;
mod submission;
pub mod suite;
pub mod trace;
pub mod tune;
pub mod verify;
pub mod yardstick;

pub use flight::QUEUE_DEPTH;
pub use submission::encoding;
