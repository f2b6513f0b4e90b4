//! A model's step: its program, parameters, memory, and the WGSL of its kernels.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::shader;
use crate::graph::Init;
use crate::kernel::{Caps, Kernel};
use crate::measure::estimate::{Estimate, Pace};
use crate::measure::peak;
use crate::pass::plan::Role;
use crate::pass::{OpInstance, Schedule};
use crate::record::RunKey;
use crate::report::column::Quantity::{Bytes, Flops, Grouped, Wait};
use crate::report::column::{Column, count, number, text};
use crate::report::field::Field;
use crate::report::number::{bytes, flops, span};
use crate::report::table::{ColumnOf, Table};
use crate::tensor::TensorSpec;
use crate::terms::{Mode, Precision, Preset, each_once};
use crate::workload::Workload;
use crate::{columns, fields};

/// A column of large counts.
fn grouped(name: &str) -> Column {
    number(name, name, Grouped)
}

/// Which step of which model it is, and what it does, in prose.
pub fn heading(
    model: &dyn Workload,
    mode: Mode,
    preset: Preset,
    precision: Precision,
    schedule: &Schedule,
) -> String {
    let (info, cost) = (model.info(), schedule.cost());
    format!(
        "{} {mode}, preset {preset}, {precision}, batch {}: {}\n{}; {} ops in {} dispatches; {} and {} per step",
        info.name,
        model.batch(),
        info.about,
        info.paper,
        schedule.ops.len(),
        schedule.dispatches(),
        flops(cost.flops as f64),
        bytes(cost.bytes as f64),
    )
}

/// The ops of a step in order.
pub fn program(schedule: &Schedule) -> Table {
    let columns: [ColumnOf<&OpInstance>; 7] = columns![op:
        text("label") => &op.label,
        text("phase") => op.phase,
        count("dispatches") => op.dispatches.len(),
        text("inputs").spare(2) => shapes(&op.inputs),
        text("outputs").spare(1) => shapes(&op.outputs),
        grouped("flops") => op.cost.flops,
        grouped("bytes") => op.cost.bytes,
    ];
    Table::of(columns, &schedule.ops)
}

fn shapes(specs: &[TensorSpec]) -> String {
    specs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The variables with their shapes.
pub fn parameters(schedule: &Schedule) -> Table {
    let mut table =
        Table::new([text("variable"), text("shape"), grouped("values"), text("starts as")]);
    let members = schedule.graph.groups.iter().flat_map(|group| &group.members);
    for member in members.filter(|member| member.begins()) {
        let shape = member.shape.to_string();
        table.row(fields![&member.name, shape, member.shape.len(), start(&member.init)]);
    }
    table.row(fields!["total", "", schedule.parameters(), ""]);
    table
}

/// How a variable starts, in words.
fn start(init: &Init) -> String {
    match init {
        Init::Constant(value) => format!("all {value}"),
        Init::Normal { std } => format!("normal, deviation {std}"),
        Init::Embedding { std, zeros } => format!("normal, deviation {std}, first {zeros} zero"),
        Init::Uniform { limit } => format!("uniform from -{limit} to {limit}"),
        Init::Values(values) => format!("{} given values", values.len()),
        Init::Clock => "step 0 and the seed".into(),
        Init::LossGradient { factor } => format!("all {factor}, for ever"),
    }
}

/// The buffers, then what the plan takes and what the least would be.
pub fn memory(schedule: &Schedule) -> Table {
    let mut table = Table::new([text("buffer"), text("use"), grouped("bytes")]);
    let plan = &schedule.memory;
    for (i, buffer) in plan.buffers.iter().enumerate() {
        let (kind, name) = match &buffer.role {
            Role::Slot => ("slot", format!("slot {i}")),
            Role::Input(name) => ("input", name.clone()),
            Role::State(name) => ("state", name.clone()),
            Role::Output => ("output", format!("output {i}")),
            Role::Gradients => ("gradients", "gradients".into()),
        };
        table.row(fields![name, kind, buffer.bytes]);
    }
    for (name, bytes) in [
        ("planned in total", plan.bytes()),
        ("slots planned", plan.slot_bytes()),
        ("slots, least possible", plan.live_bytes),
    ] {
        table.row(fields![name, "", bytes]);
    }
    table
}

/// What `run` would do.
#[derive(Debug)]
pub struct Planned<'a> {
    /// Which run.
    pub key: RunKey,
    /// Its step.
    pub schedule: &'a Schedule,
    /// How long it would take.
    pub estimate: &'a Estimate,
    /// Whether the device has room for it.
    pub fits: bool,
}

/// What `run` would do, a row a run, with the time that each part of it takes.
pub fn plan(runs: &[Planned<'_>], preset: Preset) -> Table {
    let head = [
        text("workload"),
        text("mode"),
        text("preset").spare(6),
        count("batch"),
        grouped("parameters").spare(4),
        count("ops").spare(7),
        count("dispatches").spare(5),
        number("work/step", "flops", Flops).spare(3),
        number("memory", "memory_bytes", Bytes),
        text("fits"),
    ];
    let parts = runs.iter().flat_map(|run| run.estimate.parts);
    let whole = each_once(parts.filter(|(_, seconds)| *seconds > 0.0).map(|(part, _)| part));
    let parts = whole.iter().map(|part| number(*part, format!("{part}_s"), Wait).spare(1));
    let total = number("in all", "total_s", Wait);
    let mut table = Table::new(head.into_iter().chain(parts).chain([total]));
    for Planned { key, schedule, estimate, fits } in runs {
        let head = fields![
            &key.workload,
            key.mode,
            preset,
            key.batch,
            schedule.parameters(),
            schedule.ops.len(),
            schedule.dispatches(),
            schedule.cost().flops,
            schedule.memory.bytes(),
            *fits
        ];
        let parts = estimate.parts.iter().filter(|(part, _)| whole.contains(part));
        let parts = parts.map(|(_, seconds)| Field::from(*seconds));
        table.row(head.into_iter().chain(parts).chain([Field::from(estimate.total())]));
    }
    table
}

/// How long runs take when each is done `repeat` times, tuning once, ceilings each time: `4 min`. A thorough tuning takes
/// nobody knows how long.
pub fn about(estimates: &[Estimate], repeat: u32, tuning: Option<Duration>) -> String {
    let once = tuning.unwrap_or_default().as_secs_f64();
    let thorough = if tuning.is_none() { " and a thorough tuning" } else { "" };
    span(once + f64::from(repeat) * each(estimates)) + thorough
}

/// Of all runs, with the ceilings before them.
fn each(estimates: &[Estimate]) -> f64 {
    peak::ABOUT.as_secs_f64() + Pace::new(estimates.to_vec()).total()
}

/// `in all up to about 4 min: tuning 10 s, ceilings 4 s, building 20 s, verifying 40 s, timing 2 min, profiling 16 s`.
pub fn in_all(estimates: &[Estimate], repeat: u32, tuning: Option<Duration>) -> String {
    let part =
        |(part, seconds): (&str, f64)| (seconds > 0.0).then(|| format!("{part} {}", span(seconds)));
    let tuned = part(("tuning", tuning.unwrap_or_default().as_secs_f64()));
    let once = tuned.map_or(String::new(), |tuned| tuned + ", ");
    let often = match repeat {
        1 => String::new(),
        n => format!("{n} times {}, which is ", span(each(estimates))),
    };
    let parts = std::iter::once(("ceilings", peak::ABOUT.as_secs_f64()));
    let parts: Vec<_> = parts.chain(Estimate::sum(estimates).parts).filter_map(part).collect();
    let all = about(estimates, repeat, tuning);
    format!("in all up to about {all}: {once}{often}{}", parts.join(", "))
}

/// A kernel of a step with its assembled WGSL.
#[derive(Debug)]
pub struct KernelText {
    label: String,
    shader: String,
    wgsl: String,
}

/// The kernels of the ops whose label contains `label`, each once, as a device of these abilities is given them.
///
/// # Errors
/// [`Error::Usage`] where there is none; as [`shader::assemble`].
pub fn sources(schedule: &Schedule, label: &str, caps: &Caps) -> Result<Vec<KernelText>> {
    let mut kernels: Vec<(&str, &Kernel)> = Vec::new();
    for op in schedule.ops.iter().filter(|op| op.label.contains(label)) {
        for dispatch in &op.lowered.dispatches {
            if !kernels.iter().any(|(_, known)| *known == &dispatch.kernel) {
                kernels.push((&op.label, &dispatch.kernel));
            }
        }
    }
    if kernels.is_empty() {
        return Err(Error::Usage(format!(
            "no op's label contains '{label}'; `fathom show` with --program lists the labels"
        )));
    }
    let text = |(label, kernel): (&str, &Kernel)| {
        Ok(KernelText {
            label: label.into(),
            shader: kernel.shader.to_string(),
            wgsl: shader::assemble_for(kernel, caps)?,
        })
    };
    kernels.into_iter().map(text).collect()
}

impl KernelText {
    /// The WGSL under its label.
    pub fn text(&self) -> String {
        format!("// {}: shaders/{}.wgsl\n{}\n", self.label, self.shader, self.wgsl)
    }
}

/// The same as rows.
pub fn source_table(sources: &[KernelText]) -> Table {
    let columns: [ColumnOf<&KernelText>; 3] = columns![source:
        text("label") => &source.label,
        text("shader") => &source.shader,
        text("wgsl") => &source.wgsl,
    ];
    Table::of(columns, sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_variable_starts_is_said_in_words() {
        for (init, words) in [
            (Init::Constant(0.0), "all 0"),
            (Init::Normal { std: 0.1 }, "normal, deviation 0.1"),
            (Init::Embedding { std: 0.1, zeros: 50 }, "normal, deviation 0.1, first 50 zero"),
            (Init::Uniform { limit: 0.5 }, "uniform from -0.5 to 0.5"),
            (Init::Values(vec![1.0; 3].into()), "3 given values"),
        ] {
            assert_eq!(start(&init), words);
        }
    }
}
