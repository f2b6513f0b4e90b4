//! Fathom tells how fast a GPU trains and runs deep learning: whole models in hand-written WGSL, verified
//! and timed on the device.
//!
//! The map, in the order things depend on each other:
//! - [`tensor`]: shapes, types, host arrays. [`random`]: the one generator of random numbers.
//! - [`gpu`]: adapters, devices, shader assembly, pipelines, timestamps.
//! - [`op`]: every operation, one file and one shader folder each, with its f64 reference.
//! - [`graph`]: models as graphs, and the passes: differentiation, fusion, choice, memory.
//! - [`program`]: a graph as a list of dispatches; holding it against the references.
//! - [`nn`] and [`workload`]: layers and the models. [`data`]: their samples. [`game`]: what deepq plays.
//! - [`session`]: the one road from a model to a step on a device: compile, feed, run, read.
//! - [`measure`]: sampling, profiles, ceilings, statistics. [`train`] and [`snapshot`]: steps for their
//!   own sake.
//! - [`record`]: the result file. [`analysis`]: what records tell: where time goes, what is alike, what
//!   scales. [`compare`]: records against each other. [`score`]: a record in one number. [`report`]: the
//!   table, each section in every form, the page, the trace. [`listing`]: what there is, as tables.
//!   [`cli`]: the command line.

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
