//! Fathom.
pub mod data;
pub mod error;
pub mod gpu;
pub mod graph;
pub mod measure;
pub mod op;
pub mod program;
pub mod random;
pub mod tensor;
