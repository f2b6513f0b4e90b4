//! `fathom list`: what there is.

use clap::{Args, ValueEnum};

use crate::error::Result;
use crate::game::GAMES;
use crate::gpu::adapter;
use crate::kernel::Caps;
use crate::op::LIST;
use crate::pass::{Options, Schedule, compile};
use crate::terms::{Mode, Preset};
use crate::workload::{WORKLOADS, step};

use super::table::Table;
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
    /// workloads, kernels, devices, presets or games [default: workloads]
    #[arg(default_value = "workloads", hide_default_value = true)]
    pub what: What,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Prints a list.
///
/// # Errors
/// As [`output::emit`]; [`crate::error::Error::Device`] where devices are asked for and there are none.
pub fn execute(args: &ListArgs) -> Result<()> {
    print(args.what, &args.out)
}

pub(super) fn print(what: What, out: &OutputArgs) -> Result<()> {
    let table = match what {
        What::Workloads => workloads()?,
        What::Kernels => kernels(),
        What::Devices => devices()?,
        What::Presets => presets(),
        What::Games => games(),
    };
    output::emit(out, |form| table.render(form))
}

fn workloads() -> Result<Table> {
    let mut table = Table::new(&[
        "workload",
        "preset",
        ">batch",
        ">parameters",
        ">forward/sample",
        ">training/sample",
        ">memory",
        "model",
        "built-in data",
        "real data",
    ]);
    for entry in WORKLOADS {
        for preset in Preset::ALL {
            let model = (entry.configure)(preset, None);
            let schedule = |mode| {
                let nodes = step::nodes(model.as_ref(), mode, &Caps::portable(), false)?;
                compile(nodes, &Caps::portable(), &Options::default())
            };
            let (train, infer) = (schedule(Mode::Train)?, schedule(Mode::Infer)?);
            let flops = |o: &Schedule| {
                crate::report::number::flops(o.cost().flops as f64 / model.batch() as f64)
            };
            let first = preset == Preset::Full;
            let only_first = |text: &str| {
                if first { text.to_string() } else { String::new() }
            };
            table.row([
                entry.name.to_string(),
                preset.to_string(),
                model.batch().to_string(),
                crate::report::number::grouped(train.parameters() as u64),
                flops(&infer),
                flops(&train),
                crate::report::number::bytes(train.memory.bytes() as f64),
                only_first(entry.about),
                only_first(entry.data.0),
                only_first(entry.data.1),
            ]);
        }
    }
    Ok(table)
}

fn kernels() -> Table {
    let mut table = Table::new(&["op", "class", ">cases", "variants"]);
    for family in LIST {
        let cases = family.cases();
        let mut variants: Vec<String> = Vec::new();
        for case in &cases {
            for caps in [Caps::portable(), Caps::portable_software()] {
                for variant in case.problem().variants(&caps) {
                    let text = variant.to_string();
                    if !variants.contains(&text) {
                        variants.push(text);
                    }
                }
            }
        }
        let class = cases.first().map_or(' ', |c| c.op.kind().class.letter());
        table.row([
            family.name().to_string(),
            class.to_string(),
            cases.len().to_string(),
            variants.join(" "),
        ]);
    }
    table
}

fn devices() -> Result<Table> {
    let mut table = Table::new(&[">index", "name", "backend", "driver", "type", "missing"]);
    let found = adapter::list(None)?;
    if found.is_empty() {
        return Err(adapter::none_found());
    }
    for summary in found {
        let missing =
            if summary.missing.is_empty() { "-".into() } else { summary.missing.join(", ") };
        table.row([
            summary.index.to_string(),
            summary.name,
            summary.backend.to_string(),
            summary.driver,
            summary.kind.to_string(),
            missing,
        ]);
    }
    Ok(table)
}

fn presets() -> Table {
    let mut table = Table::new(&["preset", "what"]);
    let about = |preset| match preset {
        Preset::Full => "the seminal model at its real size: the default on a GPU",
        Preset::Tiny => "the same topology and ops, small: the default on a software adapter",
    };
    for preset in Preset::ALL {
        table.row([preset.to_string(), about(preset).to_string()]);
    }
    table
}

fn games() -> Table {
    let mut table = Table::new(&["game", "what"]);
    for game in GAMES {
        table.row([game.name.to_string(), game.about.to_string()]);
    }
    table
}
