//! `fathom list`: workloads, kernels, devices, presets and games.

use clap::{Args, ValueEnum};

use crate::error::Result;
use crate::listing::{kernels, suite};

use super::{OutputArgs, output};

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Models with parameters, work, memory and data.
    Workloads,
    /// Kernels with their variants.
    Kernels,
    /// Devices with what they lack.
    Devices,
    /// Presets.
    Presets,
    /// Games that deepq plays.
    Games,
}

/// Options of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// What to list: workloads, kernels, devices, presets or games [default: workloads]
    #[arg(default_value = "workloads", hide_default_value = true)]
    pub what: What,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Prints a list.
///
/// # Errors
/// As [`output::emit`]; [`crate::error::Error::Device`] where devices are to be listed and there are none.
pub fn execute(what: What, out: &OutputArgs) -> Result<()> {
    let table = match what {
        What::Workloads => suite::workloads()?,
        What::Kernels => kernels::ops(),
        What::Devices => suite::devices()?,
        What::Presets => suite::presets(),
        What::Games => suite::games(),
    };
    output::emit(out, |form| table.render(form))
}
