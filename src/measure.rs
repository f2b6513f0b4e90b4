//! Measuring: samples of whole steps, profiles of their ops, ceilings, statistics, the host.

pub mod cell;
pub mod host;
pub mod kernel;
pub mod kernels;
pub mod peak;
pub mod profile;
pub mod room;
pub mod sample;
pub mod verify;
