//! Fathom measures how fast a GPU trains and runs deep learning: whole models in hand-written WGSL, verified
//! and timed on the device.
//!
//! The modules from the bottom up; each uses only those above it in this list (`tests/architecture.rs`):
//! - [`error`]: what can go wrong, and the exit code of each kind.
//! - [`host`]: the one door to the machine outside: clock, threads, files, signals, waiting for the device.
//! - [`terms`]: the words that the engine and the records share: mode, preset, phase, class, device.
//! - [`random`]: Philox, the one generator of random numbers.
//! - [`tensor`]: shapes, element types, and arrays on the host.
//! - [`game`]: the games that deepq plays.
//! - [`data`]: the samples of every other workload, read or generated.
//! - [`kernel`]: kernels as plain data: shader, constants, bindings, grid.
//! - [`gpu`]: adapters, devices, shader assembly, pipelines, timestamps.
//! - [`graph`]: a model as a graph of ops, and the contract of an op.
//! - [`op`]: every op, in one file and one shader folder each, with its f64 reference.
//! - [`pass`]: from a graph to a schedule: differentiation, fusion, packing, choice of variants, memory.
//! - [`program`]: a schedule bound to a device: encoded, timed, and checked against the references.
//! - [`nn`]: layers: parameter names and starting values over the graph's ops.
//! - [`workload`]: the models, and how each is fed and scored.
//! - [`session`]: the one road from a model to a step on a device: compile, feed, run, read.
//! - [`snapshot`]: every number of one step, for another framework to repeat.
//! - [`train`]: training, with the loss and the metric as it goes on.
//! - [`stats`]: medians and intervals that assume no distribution.
//! - [`record`]: the result file.
//! - [`measure`]: a run of a record: verification, sampling, profile, ceilings.
//! - [`analysis`]: what records say: where time goes, what is stationary, similar, or scales.
//! - [`compare`]: records compared with each other.
//! - [`score`]: a record as one number.
//! - [`report`]: results as tables, HTML pages and traces, each section laid out once for every format.
//! - [`listing`]: workloads, kernels, devices and models as tables.
//! - [`cli`]: the command line.

pub mod analysis;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compare;
pub mod data;
pub mod error;
pub mod game;
pub mod gpu;
pub mod graph;
pub mod host;
pub mod kernel;
pub mod listing;
pub mod measure;
pub mod nn;
pub mod op;
pub mod pass;
pub mod program;
pub mod random;
pub mod record;
pub mod report;
pub mod score;
pub mod session;
pub mod snapshot;
pub mod stats;
pub mod tensor;
pub mod terms;
pub mod train;
pub mod workload;
