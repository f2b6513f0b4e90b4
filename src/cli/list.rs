//! `fathom list`: workloads, kernels, devices, presets, games and kept records.

use clap::{Args, ValueEnum};

use crate::error::Result;
use crate::gpu::adapter;
use crate::listing::{kernels, suite};
use crate::terms::Restriction;

use super::given::Given;
use super::{DeviceArgs, OutputArgs, output, records};

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
    /// Records that are kept.
    Records,
}

/// Options of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    given: Given,

    /// What to list: workloads, kernels, devices, presets, games or records [default: workloads]
    #[arg(default_value = "workloads", hide_default_value = true, hide_possible_values = true)]
    what: What,

    /// Whose kernels and limits the workloads are planned for, and what of all devices is not used.
    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    out: OutputArgs,
}

/// Prints a list.
///
/// # Errors
/// As [`output::emit`]; [`crate::error::Error::Device`] where devices are to be listed and there are none.
pub fn execute(args: &ListArgs) -> Result<()> {
    let out = &args.out;
    // Whatever is listed: a device that is named and not there is a mistake. One that the environment names is meant for
    // what takes one.
    if args.what != What::Workloads && args.given.first("device backend require").is_some() {
        args.device.open()?;
    }
    let table = match args.what {
        // As `show` plans them, so that both say the same sizes.
        What::Workloads => {
            suite::workloads(&args.device.caps(args.device.open_if_any()?.as_ref()))?
        }
        What::Kernels => kernels::ops(),
        What::Devices => return devices(&args.device.restriction(), out),
        What::Presets => suite::presets(),
        What::Games => suite::games(),
        What::Records => records::kept(out)?,
    };
    output::emit(out, |form| table.render(form))
}

/// The devices there are; what keeps others away is printed as notes.
///
/// # Errors
/// [`crate::error::Error::Device`] where there are none.
pub fn devices(restriction: &Restriction, out: &OutputArgs) -> Result<()> {
    let devices = adapter::list(None, restriction)?;
    let table = suite::devices(&devices)?;
    for finding in adapter::findings(&devices) {
        output::note(out, &format!("note: {finding}"));
    }
    output::emit(out, |form| table.render(form))
}
