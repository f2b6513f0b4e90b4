//! What there is, as tables: workloads, kernels, devices, a model's program and memory, and how single
//! kernels did. Records have [`crate::report`], which knows no engine.

pub mod kernels;
pub mod model;
pub mod suite;
