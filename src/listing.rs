//! Tables of workloads, kernels, devices, a model's program and memory, and the results of single kernels.
//! Records have [`crate::report`], which knows nothing of the engine.

pub mod kernels;
pub mod model;
pub mod suite;
