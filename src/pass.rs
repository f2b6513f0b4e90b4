//! From a model's graph to a schedule: four short passes, each graph to graph or graph to data.

pub mod choose;
pub mod fuse;
pub mod grad;
pub mod pack;
pub mod plan;
