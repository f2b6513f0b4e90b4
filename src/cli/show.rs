//! `fathom show`: a model's layers, its program, its memory, or the WGSL of a kernel in it.

use clap::Args;

use crate::error::Result;
use crate::kernel::Caps;
use crate::listing::model::{KernelText, memory, parameters, program, source_table, sources};
use crate::pass::Options;
use crate::report::{Format, number};
use crate::session::schedule;
use crate::terms::Mode;
use crate::workload;

use super::{DeviceArgs, OutputArgs, SizeArgs, output};

/// Options of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Workload; see `fathom list workloads`
    pub workload: String,

    /// Training or inference: train, infer
    #[arg(short, long, value_name = "MODE", default_value = "train", hide_possible_values = true)]
    pub mode: Mode,

    #[command(flatten)]
    size: SizeArgs,

    /// List the dispatches of a step: op, variant, shapes, work
    #[arg(long, group = "what")]
    pub program: bool,

    /// List the memory plan: buffers, bytes planned and the least possible
    #[arg(long, group = "what")]
    pub memory: bool,

    /// Print the assembled WGSL of the ops whose label contains this
    #[arg(long, group = "what", value_name = "LABEL")]
    pub kernel: Option<String>,

    /// Don't fuse elementwise ops into their neighbours
    #[arg(long)]
    pub no_fuse: bool,

    #[command(flatten)]
    device: DeviceArgs,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Prints one view of a model.
///
/// # Errors
/// [`crate::error::Error::Usage`] for an unknown workload or label.
pub fn execute(args: &ShowArgs) -> Result<()> {
    let workload = workload::find(&args.workload)?;
    // Variants depend on the device; without one, on what every device offers.
    let gpu = args.device.open().ok();
    let caps = gpu.as_ref().map_or_else(Caps::portable, |gpu| gpu.caps.clone());
    let (preset, model) = args.size.configure(workload, gpu.as_ref())?;
    let options = Options { fuse: !args.no_fuse, ..Options::default() };
    let schedule = schedule(model.as_ref(), args.mode, &caps, &options)?;
    if let Some(label) = &args.kernel {
        let sources = sources(&schedule, label)?;
        return output::emit(&args.out, |form| match form {
            Format::Table => Ok(sources.iter().map(KernelText::text).collect()),
            _ => source_table(&sources).render(form),
        });
    }
    if args.program {
        return output::emit(&args.out, |form| match form {
            Format::Table => Ok(schedule.listing()),
            _ => program(&schedule).render(form),
        });
    }
    let table = if args.memory { memory(&schedule) } else { parameters(&schedule) };
    let cost = schedule.cost();
    let head = format!(
        "{} {}, preset {preset}, batch {}: {}\n{}; {} ops in {} dispatches; {} and {} per step\n\n",
        workload.name,
        args.mode,
        model.batch(),
        workload.about,
        workload.paper,
        schedule.ops.len(),
        schedule.dispatches(),
        number::flops(cost.flops as f64),
        number::bytes(cost.bytes as f64),
    );
    output::emit(&args.out, |form| {
        let head = if form == Format::Table { head.as_str() } else { "" };
        Ok(format!("{head}{}", table.render(form)?))
    })
}
