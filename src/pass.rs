//! From a model's graph to a schedule: four short passes, each graph to graph or graph to data.
//!
//! [`grad`] comes before them: a training step's graph holds its backward pass already.

use crate::error::Result;
use crate::graph::Graph;
use crate::kernel::Caps;

pub mod choose;
pub mod fuse;
pub mod grad;
pub mod pack;
pub mod plan;
pub mod schedule;

use choose::{Choice, choose};
use fuse::fuse;
use pack::pack;
use plan::plan;
pub use schedule::{OpInstance, Schedule};

/// Options of compilation.
#[derive(Debug, Clone)]
pub struct Options {
    /// Merge elementwise ops into their neighbours.
    pub fuse: bool,
    /// Forced variants.
    pub choice: Choice,
}

impl Default for Options {
    fn default() -> Self {
        Self { fuse: true, choice: Choice::default() }
    }
}

/// The order of the passes. No device is needed: what it can do is enough.
///
/// # Errors
/// [`crate::error::Error::Usage`] for a forced variant that cannot run,
/// [`crate::error::Error::Internal`] for state that is read after it was updated.
pub fn compile(graph: Graph, caps: &Caps, options: &Options) -> Result<Schedule> {
    let graph = if options.fuse { fuse(graph) } else { graph };
    let graph = pack(graph)?;
    let ops = choose(&graph, caps, &options.choice)?;
    let memory = plan(&graph, &ops)?;
    Ok(Schedule { graph, ops, memory })
}
