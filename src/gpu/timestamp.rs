//! Timestamps of passes.
