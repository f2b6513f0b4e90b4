//! A profiled step as a timeline. It is in no record: a program for traces shows it.

use crate::terms::{Class, Phase};

/// A step with each op's place in time.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedStep {
    /// `speech train batch 32, preset full`.
    pub title: String,
    /// The device, as people call it.
    pub device: String,
    /// Version and commit of the program.
    pub tool: String,
    /// Whether each kernel was verified before.
    pub verified: bool,
    /// In order; each begins where the one before it ends, or later.
    pub ops: Vec<Span>,
}

/// One op.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// `dense1.matmul/tile[BM=64,BN=64,BK=16]`.
    pub label: String,
    /// Type: `matmul`.
    pub op: String,
    /// `tile[BM=64,BN=64,BK=16]`.
    pub variant: String,
    /// Of its type.
    pub class: Class,
    /// Its part of the step.
    pub phase: Phase,
    /// Dispatches it takes.
    pub dispatches: usize,
    /// Arithmetic.
    pub flops: u64,
    /// Operands, once each.
    pub bytes: u64,
    /// Nanoseconds from the first op's start.
    pub start_ns: f64,
    /// Nanoseconds from the first op's start.
    pub end_ns: f64,
}
