//! Kernels.
fn main() {}
