//! Fathom.
pub mod error;
pub mod random;
pub mod tensor;
