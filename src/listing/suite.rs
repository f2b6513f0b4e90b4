//! Workloads, presets, games, devices.

use crate::error::Result;
use crate::fields;
use crate::game::GAMES;
use crate::gpu::adapter::{self, AdapterSummary};
use crate::kernel::Caps;
use crate::pass::Options;
use crate::report::column::Kind::{Bytes, Flops, Grouped};
use crate::report::column::{count, number, text};
use crate::report::table::Table;
use crate::session::schedule;
use crate::terms::{Mode, Preset};
use crate::workload::WORKLOADS;

/// Models with parameters, work, memory and data, a row a preset, as they are planned for a device.
///
/// # Errors
/// As [`schedule`].
pub fn workloads(caps: &Caps) -> Result<Table> {
    let mut table = Table::new([
        text("workload"),
        text("preset"),
        count("batch"),
        number("parameters", "parameters", Grouped),
        number("forward/sample", "forward_flops", Flops).spare(3),
        number("training/sample", "training_flops", Flops).spare(2),
        number("memory", "memory_bytes", Bytes),
        text("model"),
        text("built-in data").spare(4),
        text("real data").spare(5),
    ]);
    for workload in WORKLOADS {
        for preset in Preset::ALL {
            let model = (workload.configure)(preset, None);
            let step = |mode| schedule(model.as_ref(), mode, caps, &Options::default());
            let (train, infer) = (step(Mode::Train)?, step(Mode::Infer)?);
            let [forward, training] =
                [&infer, &train].map(|s| s.cost().flops as f64 / model.batch() as f64);
            // Said once: it holds for both presets.
            let about = if preset == Preset::Full {
                [workload.about, workload.data.0, workload.data.1]
            } else {
                [""; 3]
            };
            let [model_about, built_in, real] = about;
            table.row(fields![
                workload.name,
                preset,
                model.batch(),
                train.parameters(),
                forward,
                training,
                train.memory.bytes(),
                model_about,
                built_in,
                real
            ]);
        }
    }
    Ok(table)
}

/// Devices with what they are known by and what they lack.
///
/// # Errors
/// [`crate::error::Error::Device`] where there are none.
pub fn devices(devices: &[AdapterSummary]) -> Result<Table> {
    let mut table = Table::new([
        count("index"),
        text("name"),
        text("backend"),
        text("driver"),
        text("type"),
        text("software").programs(),
        text("device").named("id"),
        text("pci").programs(),
        count("vendor").programs(),
        count("device").named("device").programs(),
        count("subgroup_min").programs(),
        count("subgroup_max").programs(),
        number("memory", "memory_bytes", Bytes),
        text("missing"),
        text("switch").programs(),
    ]);
    if devices.is_empty() {
        return Err(adapter::none_found());
    }
    for device in devices {
        let switch = device.noncompliant.then_some(ALLOW);
        let hidden = switch.map(|switch| format!("hidden without {switch}"));
        let lacks = device.missing.iter().map(ToString::to_string).chain(hidden);
        let missing = lacks.collect::<Vec<_>>().join(", ");
        table.row(fields![
            device.index,
            &device.name,
            device.backend,
            &device.driver,
            device.kind,
            device.software,
            device.id(),
            device.pci.as_ref(),
            device.vendor,
            device.device,
            device.subgroups.0,
            device.subgroups.1,
            device.memory,
            Some(missing).filter(|missing| !missing.is_empty()),
            switch
        ]);
    }
    Ok(table)
}

/// What admits a device whose driver does not conform to its standard.
const ALLOW: &str = "--allow-noncompliant";

/// Sizes of a model.
pub fn presets() -> Table {
    let mut table = Table::new([text("preset"), text("what")]);
    for preset in Preset::ALL {
        let about = match preset {
            Preset::Full => "the model at the size of its paper: the default on a GPU",
            Preset::Tiny => {
                "the same layers and ops at small sizes: the default on a software adapter"
            }
        };
        table.row(fields![preset, about]);
    }
    table
}

/// Games that deepq plays.
pub fn games() -> Table {
    let mut table = Table::new([text("game"), text("what")]);
    for game in GAMES {
        table.row(fields![game.name, game.about]);
    }
    table
}
