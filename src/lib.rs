//! Fathom.
pub mod error;
