//! `fathom show`: a model's layers, its program, its memory, or the WGSL of a kernel in it.

use clap::Args;

use crate::error::{Error, Result};
use crate::gpu::shader;
use crate::kernel::{Caps, Kernel};
use crate::pass::plan::Role;
use crate::pass::{Options, Schedule};
use crate::report::number;
use crate::session::schedule;
use crate::tensor::TensorSpec;
use crate::terms::Mode;

use super::table::{Cell, Table};
use super::{DeviceArgs, Format, ModeArg, OutputArgs, PresetArg, output, preset_or_default};

/// Options of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Workload; see `fathom list workloads`
    pub workload: String,

    /// Training or inference: train, infer
    #[arg(short, long, value_name = "MODE", default_value = "train", hide_possible_values = true)]
    pub mode: ModeArg,

    /// Model size: full or tiny
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    pub preset: Option<PresetArg>,

    /// Samples in a batch
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch: Option<u32>,

    /// The dispatches of a step: op, variant, shapes, work
    #[arg(long, group = "what")]
    pub program: bool,

    /// The memory plan: buffers, planned and least bytes
    #[arg(long, group = "what")]
    pub memory: bool,

    /// The assembled WGSL of the ops whose label contains this
    #[arg(long, group = "what", value_name = "LABEL")]
    pub kernel: Option<String>,

    /// Ops as they stand in the graph, without merging elementwise ops into their neighbours
    #[arg(long)]
    pub no_fuse: bool,

    #[command(flatten)]
    device: DeviceArgs,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Prints what is asked of a model.
///
/// # Errors
/// [`Error::Usage`] for an unknown workload or label.
pub fn execute(args: &ShowArgs) -> Result<()> {
    let entry = crate::workload::find(&args.workload)?;
    // Variants depend on the device; without one, on what every device has.
    let gpu = args.device.open().ok();
    let caps = gpu.as_ref().map_or_else(Caps::portable, |g| g.caps.clone());
    let preset = preset_or_default(args.preset, gpu.as_ref());
    let model = (entry.configure)(preset, args.batch.map(|b| b as usize));
    let mode: Mode = args.mode.into();
    let options = Options { fuse: !args.no_fuse, ..Options::default() };
    let schedule = schedule(model.as_ref(), mode, &caps, &options)?;
    let people = |form| form == Format::Table;
    if let Some(label) = &args.kernel {
        let kernels = kernels(&schedule, label)?;
        return output::emit(&args.out, |form| {
            if people(form) {
                Ok(kernels.iter().map(Shown::text).collect())
            } else {
                kernel_table(&kernels).render(form)
            }
        });
    }
    if args.program {
        return output::emit(&args.out, |form| {
            if people(form) {
                Ok(schedule.listing())
            } else {
                program_table(&schedule).render(form)
            }
        });
    }
    let table = if args.memory { memory(&schedule) } else { parameters(&schedule) };
    let cost = schedule.cost();
    let head = format!(
        "{} {mode}, preset {preset}, batch {}: {}\n{}; {} ops in {} dispatches; {} and {} a step\n\n",
        entry.name,
        model.batch(),
        entry.about,
        entry.paper,
        schedule.ops.len(),
        schedule.dispatches(),
        number::flops(cost.flops as f64),
        number::bytes(cost.bytes as f64),
    );
    output::emit(&args.out, |form| {
        let head = if people(form) { head.as_str() } else { "" };
        Ok(format!("{head}{}", table.render(form)?))
    })
}

fn program_table(schedule: &Schedule) -> Table {
    let mut table =
        Table::new(&["label", "phase", ">dispatches", "inputs", "outputs", ">flops", ">bytes"]);
    let shapes = |specs: &[TensorSpec]| -> String {
        let texts: Vec<_> = specs.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    for entry in &schedule.ops {
        table.row([
            entry.label.clone().into(),
            entry.phase.name().into(),
            count(entry.dispatches.len() as u64),
            shapes(&entry.inputs).into(),
            shapes(&entry.outputs).into(),
            count(entry.cost.flops),
            count(entry.cost.bytes),
        ]);
    }
    table
}

fn count(value: u64) -> Cell {
    Cell::number(value as f64, number::grouped(value))
}

fn parameters(schedule: &Schedule) -> Table {
    let mut table = Table::new(&["variable", "shape", ">values", "starts as"]);
    for group in schedule.graph.groups.clone() {
        for member in &group.members {
            table.row([
                member.name.clone().into(),
                member.shape.to_string().into(),
                count(member.shape.len() as u64),
                format!("{:?}", member.init).into(),
            ]);
        }
    }
    let all = count(schedule.parameters() as u64);
    table.row(["in all".into(), "".into(), all, "".into()]);
    table
}

fn memory(schedule: &Schedule) -> Table {
    let mut table = Table::new(&["buffer", "use", ">bytes"]);
    for (i, buffer) in schedule.memory.buffers.iter().enumerate() {
        let (kind, name) = match &buffer.role {
            Role::Slot => ("slot", format!("slot {i}")),
            Role::Input(name) => ("input", name.clone()),
            Role::State(name) => ("state", name.clone()),
            Role::Output => ("output", format!("output {i}")),
            Role::Gradients => ("gradients", "gradients".into()),
        };
        table.row([name.into(), kind.into(), count(buffer.bytes)]);
    }
    let plan = &schedule.memory;
    for (name, bytes) in [
        ("planned in all", plan.bytes()),
        ("slots planned", plan.slot_bytes()),
        ("slots at least", plan.live_bytes),
    ] {
        table.row([name.into(), "".into(), count(bytes)]);
    }
    table
}

/// A kernel of a step with its assembled WGSL.
struct Shown {
    label: String,
    shader: String,
    wgsl: String,
}

impl Shown {
    fn text(&self) -> String {
        format!("// {}: shaders/{}.wgsl\n{}\n", self.label, self.shader, self.wgsl)
    }
}

fn kernel_table(kernels: &[Shown]) -> Table {
    let mut table = Table::new(&["label", "shader", "wgsl"]);
    for kernel in kernels {
        table.row([kernel.label.as_str(), &kernel.shader, &kernel.wgsl]);
    }
    table
}

fn kernels(schedule: &Schedule, label: &str) -> Result<Vec<Shown>> {
    let found: Vec<_> = schedule.ops.iter().filter(|e| e.label.contains(label)).collect();
    if found.is_empty() {
        return Err(Error::Usage(format!(
            "no op's label contains '{label}'; `fathom show ... --program` lists the labels"
        )));
    }
    let mut kernels: Vec<(&str, &Kernel)> = Vec::new();
    for entry in found {
        for dispatch in &entry.lowered.dispatches {
            if !kernels.iter().any(|(_, k)| *k == &dispatch.kernel) {
                kernels.push((&entry.label, &dispatch.kernel));
            }
        }
    }
    let shown = |(label, kernel): (&str, &Kernel)| {
        Ok(Shown {
            label: label.into(),
            shader: kernel.shader.to_string(),
            wgsl: shader::assemble(kernel)?,
        })
    };
    kernels.into_iter().map(shown).collect()
}
