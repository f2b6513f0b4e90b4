//! Measuring: what samples of a time say, and the host they were taken on.

pub mod host;
pub mod stats;
