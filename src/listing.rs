//! Tables of workloads, kernels, devices, a model's program and memory, and the results of single kernels.
//! Records have [`crate::report`], which knows nothing of the engine.

use crate::gpu::Gpu;
use crate::host;
use crate::measure::provenance;
use crate::record::Clock;
use crate::report::column::text;
use crate::report::section::origin::origin;
use crate::report::table::Table;
use crate::terms::Precision;

pub mod kernels;
pub mod model;
pub mod suite;

/// A table with what it was measured by, when, where and on what, for programs.
pub fn stamped(table: Table, gpu: &Gpu) -> Table {
    let clock = if gpu.caps.timestamps { Clock::Timestamps } else { Clock::Wall };
    let (tool, machine, device) =
        (provenance::tool(), provenance::machine(gpu), provenance::device(gpu));
    let conditions = provenance::conditions(gpu);
    table.stamped(origin(&host::now(), &tool, &machine, &device, clock, &conditions))
}

/// A table with the precision of its figures: for programs, and for people where it is not the one of published figures.
pub fn of_precision(table: Table, precision: Precision) -> Table {
    let column = text("precision");
    let column = if precision == Precision::F32 { column.programs() } else { column };
    table.stamped([(column, precision.into())])
}
