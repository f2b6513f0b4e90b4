//! Workloads, presets, games, devices.

use crate::error::Result;
use crate::game::{GAMES, GameInfo};
use crate::gpu::adapter::{self, AdapterSummary};
use crate::kernel::Caps;
use crate::pass::Options;
use crate::report::column::Quantity::{Bytes, Flops, Grouped};
use crate::report::column::{count, number, text};
use crate::report::table::{ColumnOf, Table};
use crate::session::schedule;
use crate::terms::{Mode, Preset};
use crate::workload::WORKLOADS;
use crate::{columns, fields};

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
            let [about, built_in_data, real_data] = match preset {
                Preset::Full => {
                    [workload.about, workload.built_in_data, workload.real_data.unwrap_or("none")]
                }
                Preset::Tiny => [""; 3],
            };
            table.row(fields![
                workload.name,
                preset,
                model.batch(),
                train.parameters(),
                forward,
                training,
                train.memory.bytes(),
                about,
                built_in_data,
                real_data
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
    if devices.is_empty() {
        return Err(adapter::none_found());
    }
    let columns: [ColumnOf<&AdapterSummary>; 15] = columns![device:
        count("index") => device.index,
        text("name") => &device.name,
        text("backend") => device.backend,
        text("driver") => &device.driver,
        text("type") => device.kind,
        text("software").programs() => device.software,
        text("device").named("id") => device.id(),
        text("pci").programs() => device.pci.as_ref(),
        count("vendor").programs() => device.vendor,
        count("device").named("device").programs() => device.device,
        count("subgroup_min").programs() => device.subgroups.0,
        count("subgroup_max").programs() => device.subgroups.1,
        number("memory", "memory_bytes", Bytes) => device.memory,
        text("missing") => lacks(device),
        text("switch").programs() => switch(device),
    ];
    Ok(Table::of(columns, devices.iter()))
}

/// What admits a device whose driver does not conform to its standard.
const ALLOW: &str = "--allow-noncompliant";

/// How a device is admitted that is hidden otherwise.
fn switch(device: &AdapterSummary) -> Option<&'static str> {
    device.noncompliant.then_some(ALLOW)
}

/// What a device lacks, in words; nothing where it has everything.
fn lacks(device: &AdapterSummary) -> Option<String> {
    let hidden = switch(device).map(|switch| format!("hidden without {switch}"));
    let lacks = device.missing.iter().map(ToString::to_string).chain(hidden);
    let lacks = lacks.collect::<Vec<_>>().join(", ");
    (!lacks.is_empty()).then_some(lacks)
}

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
    let columns: [ColumnOf<&GameInfo>; 2] =
        columns![game: text("game") => game.name, text("what") => game.about];
    Table::of(columns, GAMES)
}
