//! Measuring: samples of whole steps, profiles of their ops, ceilings, statistics, the host.

pub mod cell;
#[cfg(feature = "cli")]
pub mod host;
pub mod kernel;
pub mod kernels;
pub mod largest_batch;
pub mod peak;
pub mod profile;
pub mod sample;
pub mod verify;
