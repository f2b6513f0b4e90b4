//! Snapshots: every number of one step, as safetensors, so that another framework can repeat it.
//!
//! Tensors are named `param/NAME` (before the step), `input/NAME`, `random/NAME` (each draw used),
//! `output/NAME`, `grad/NAME` (before clipping and weight decay), `after/NAME` (parameters after the
//! step) and `state/NAME.KIND` (the optimiser's state before it). The configuration is JSON under the
//! metadata key `fathom`.

use std::collections::HashMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::group::numbered;
use crate::graph::{CLOCK, Member, PARAMETERS, ParamGroup};
use crate::pass::Options;
use crate::pass::choose::Choice;
use crate::session::Session;
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::{Mode, Preset};
use crate::workload::{DataSource, Samples, Split, Workload, step};

/// The configuration's schema.
pub const SCHEMA: &str = "fathom.snapshot/1";

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Request {
    /// Name of the workload.
    pub workload: &'static str,
    /// Size.
    pub preset: Preset,
    /// Training or inference.
    pub mode: Mode,
    /// Where samples come from, and the seed.
    pub source: DataSource,
    /// Steps run before the one that is written.
    pub skip: u64,
    /// Variants that are forced, by label.
    pub forced: Vec<String>,
}

impl Request {
    /// How the step is compiled.
    pub fn options(&self) -> Options {
        let choice = Choice { forced: self.forced.clone(), ..Choice::default() };
        Options { choice, ..Options::default() }
    }
}

/// The numbers of a step.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Tensors by full name.
    pub tensors: Vec<(String, Array)>,
    /// The configuration.
    pub config: Value,
}

/// Runs a step and takes down its numbers.
///
/// # Errors
/// [`Error::Gpu`], [`Error::Data`] as the step's parts.
pub fn take(gpu: &Gpu, model: &dyn Workload, request: &Request) -> Result<Snapshot> {
    take_on(gpu, model, request, model.samples(&request.source)?.as_mut())
}

/// The same on samples that are open.
///
/// # Errors
/// As [`take`].
pub fn take_on(
    gpu: &Gpu,
    model: &dyn Workload,
    request: &Request,
    data: &mut dyn Samples,
) -> Result<Snapshot> {
    step_of(gpu, model, request, data, None)
}

/// The step of a snapshot once more, from its own parameters and state: the steps before it are not run, whose rounding a
/// driver has of its own.
///
/// # Errors
/// As [`take`]; [`Error::Internal`] where it is of another model.
pub fn take_again(
    gpu: &Gpu,
    model: &dyn Workload,
    request: &Request,
    begun: &Snapshot,
) -> Result<Snapshot> {
    step_of(gpu, model, request, model.samples(&request.source)?.as_mut(), Some(begun))
}

fn step_of(
    gpu: &Gpu,
    model: &dyn Workload,
    request: &Request,
    data: &mut dyn Samples,
    begun: Option<&Snapshot>,
) -> Result<Snapshot> {
    let graph = step::graph(model, request.mode, &gpu.caps, true)?;
    let mut session = Session::new(gpu, request.source.seed);
    let program = session.compile_graph(graph, &request.options())?;
    let groups = &program.schedule.graph.groups;
    match begun {
        Some(begun) => begin_as(gpu, &session, groups, begun)?,
        None => {
            for at in 0..request.skip {
                session.feed(&program, &data.batch(Split::Train, at)?.tensors())?;
                session.run(&program, 1)?;
            }
        }
    }
    // Taken down now: the step updates parameters and the optimiser's state in place.
    let mut tensors = Vec::new();
    let variables: Vec<&Member> =
        groups.iter().flat_map(|group| &group.members).filter(|m| m.begins()).collect();
    for member in &variables {
        tensors.push((format!("param/{}", member.name), session.value(&member.name)?));
    }
    if request.mode == Mode::Train {
        for (kind, flat, group) in optimiser_state(&session, groups) {
            split(group, &session.value(&flat)?, "state/", &format!(".{kind}"), &mut tensors);
        }
        let clock = session.value(CLOCK)?;
        let step = Array::new(TensorSpec::new([1], DType::I32), vec![clock.data[0]]);
        tensors.push(("state/step".into(), step));
    }
    let batch = data.batch(Split::Train, request.skip)?.tensors();
    session.feed(&program, &batch)?;
    session.run(&program, 1)?;
    for (name, _) in program.schedule.inputs() {
        let given = batch.iter().find(|(n, _)| *n == name);
        tensors.extend(given.map(|(_, value)| (format!("input/{name}"), value.array())));
    }
    for (name, _) in program.schedule.outputs() {
        let value = session.output(&program, name)?;
        let gradients_of = dense(groups).into_iter().enumerate();
        let gradients_of = gradients_of.map(|(at, group)| (numbered(step::GRADIENTS, at), group));
        match gradients_of.into_iter().find(|(known, _)| known == name) {
            Some((_, group)) => split(group, &value, "grad/", "", &mut tensors),
            None if name.starts_with("random/") || name.starts_with("grad/") => {
                tensors.push((name.to_string(), value))
            }
            None => tensors.push((format!("output/{name}"), value)),
        }
    }
    if request.mode == Mode::Train {
        for member in variables {
            tensors.push((format!("after/{}", member.name), session.value(&member.name)?));
        }
    }
    let mut config = json!({
        "schema": SCHEMA, "workload": request.workload, "preset": request.preset.name(),
        "mode": request.mode.name(), "batch": model.batch(), "seed": request.source.seed,
        "skip": request.skip, "device": gpu.summary.to_string(), "version": env!("CARGO_PKG_VERSION"),
    });
    if let Some(config) = config.as_object_mut() {
        config.extend(model.config());
    }
    Ok(Snapshot { tensors, config })
}

/// Sets parameters, the optimiser's state and the clock to what they were before a snapshot's step.
fn begin_as(
    gpu: &Gpu,
    session: &Session<'_>,
    groups: &[ParamGroup],
    begun: &Snapshot,
) -> Result<()> {
    let find = |name: String| {
        begun.get(&name).ok_or_else(|| Error::Internal(format!("the snapshot has no {name}")))
    };
    let state = session.state();
    for member in groups.iter().flat_map(|group| &group.members).filter(|m| m.begins()) {
        state.write(gpu, &member.name, find(format!("param/{}", member.name))?)?;
    }
    for (kind, flat, group) in optimiser_state(session, groups) {
        let mut values = session.value(&flat)?;
        for (member, offset) in group.members.iter().zip(group.layout().offsets) {
            let whole = find(format!("state/{}.{kind}", member.name))?;
            let part = &whole.data[member.first()..][..member.len()];
            values.data[offset..offset + member.len()].copy_from_slice(part);
        }
        state.write(gpu, &flat, &values)?;
    }
    let mut clock = session.value(CLOCK)?;
    clock.data[0] = find("state/step".into())?.data[0];
    state.write(gpu, CLOCK, &clock)
}

/// The optimiser's state that there is: its kind, the name of the flat tensor and the group whose layout it has.
fn optimiser_state<'a>(
    session: &Session<'_>,
    groups: &'a [ParamGroup],
) -> Vec<(&'static str, String, &'a ParamGroup)> {
    let known: Vec<&str> = session.state().names().map(|(name, _)| name).collect();
    let of_kind = |&kind| {
        let flat = move |(at, group)| (kind, numbered(kind, at), group);
        dense(groups).into_iter().enumerate().map(flat)
    };
    let all = step::STATE.iter().flat_map(of_kind);
    all.filter(|(_, flat, _)| known.contains(&flat.as_str())).collect()
}

/// The groups whose gradients are dense.
fn dense(groups: &[ParamGroup]) -> Vec<&ParamGroup> {
    groups.iter().filter(|group| group.set == PARAMETERS).collect()
}

/// Cuts a flat tensor into a group's members, each joined with what of it lies in groups before.
fn split(
    group: &ParamGroup,
    flat: &Array,
    prefix: &str,
    suffix: &str,
    tensors: &mut Vec<(String, Array)>,
) {
    for (member, offset) in group.members.iter().zip(group.layout().offsets) {
        let name = format!("{prefix}{}{suffix}", member.name);
        if member.begins() {
            tensors.push((name.clone(), Array::zeros(TensorSpec::f32(member.shape.clone()))));
        }
        if let Some((_, whole)) = tensors.iter_mut().rfind(|(known, _)| *known == name) {
            let values = &flat.data[offset..offset + member.len()];
            whole.data[member.first()..][..member.len()].copy_from_slice(values);
        }
    }
}

impl Snapshot {
    /// A tensor by name.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.tensors.iter().find(|(n, _)| n == name).map(|(_, a)| a)
    }

    /// Writes the file. u32 values are stored as I32, the rest of the integers as they are.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written; nothing is left behind then.
    pub fn save(&self, path: &Path) -> Result<()> {
        let stored: Vec<_> = self.tensors.iter().map(|(n, a)| (n, a.to_bytes(), a)).collect();
        let views: std::result::Result<Vec<_>, _> = stored
            .iter()
            .map(|(name, bytes, array)| {
                let dtype = match array.spec.dtype {
                    DType::F32 => Dtype::F32,
                    DType::U32 | DType::I32 => Dtype::I32,
                    DType::U8 => Dtype::U8,
                    // Inside a step alone, if at all: what it reads and writes outside is f32.
                    DType::F16 | DType::ScaledF16 => Dtype::F16,
                };
                // Bytes are padded to whole words for the device; the file has none of that.
                let exact = &bytes[..array.spec.len() * array.spec.dtype.size()];
                TensorView::new(dtype, array.dims().to_vec(), exact)
                    .map(|view| (name.as_str(), view))
            })
            .collect();
        let fault = |e: safetensors::SafeTensorError| Error::Internal(format!("a snapshot: {e}"));
        let metadata = HashMap::from([("fathom".to_string(), self.config.to_string())]);
        let bytes = safetensors::serialize(views.map_err(fault)?, Some(metadata)).map_err(fault)?;
        crate::host::write_atomically(path, &bytes)
    }

    /// Reads a file that [`Snapshot::save`] or another framework wrote.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Data`] with what is wrong.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = crate::host::read(path)?;
        let bad = |what: String| Error::data(path, "safetensors", what);
        let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| bad(e.to_string()))?;
        let (_, header) =
            safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| bad(e.to_string()))?;
        let config = header.metadata().as_ref().and_then(|m| m.get("fathom"));
        let config = config.ok_or_else(|| {
            bad("no metadata key 'fathom': this is not a snapshot of fathom".into())
        })?;
        let config = serde_json::from_str(config).map_err(|e| bad(format!("metadata: {e}")))?;
        let mut tensors = Vec::new();
        for (name, view) in file.tensors() {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::I32 => DType::I32,
                Dtype::U8 => DType::U8,
                other => {
                    return Err(bad(format!("'{name}' is {other:?}: expected F32, I32 or U8")));
                }
            };
            let spec = TensorSpec::new(view.shape(), dtype);
            tensors.push((name, Array::from_bytes(spec, view.data())));
        }
        Ok(Self { tensors, config })
    }
}
