//! A graph as a flat list of dispatches on one device: what is encoded, timed and verified.
//!
//! Nothing is allocated, created or read back between steps: a step is `encode`, nothing else.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::gpu::pipeline::{PARAMS_WINDOW, Pipeline};
use crate::graph::op::{Class, Cost, Io, Op};
use crate::graph::{Graph, NodeKind, ParamGroup, Phase, TABLES, ValueId};
use crate::kernel::{Binding, Caps, Dispatch, Lowered, Operand, Variant};
use crate::pass::choose::Choice;
use crate::pass::fuse::fuse;
use crate::pass::pack::pack;
use crate::pass::plan::{Location, Plan, Role, plan};
use crate::tensor::{Array, HostTensor, TensorSpec};

pub mod check;
pub mod state;

pub use state::State;

/// One dispatch, ready to be encoded.
#[derive(Debug)]
pub(crate) struct BoundDispatch {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) bind_group: wgpu::BindGroup,
    pub(crate) params_offset: u32,
    pub(crate) grid: [u32; 3],
}

/// One op of the program with all that tables and verification need.
#[derive(Debug, Clone)]
pub struct OpInstance {
    /// `dense1.matmul/tile[BM=64,BN=64,BK=16]`.
    pub label: String,
    /// Layer.
    pub scope: String,
    /// The op.
    pub op: Arc<dyn Op>,
    /// The variant chosen.
    pub variant: Variant,
    /// Part of the step.
    pub phase: Phase,
    /// Its inputs.
    pub inputs: Vec<TensorSpec>,
    /// Its outputs.
    pub outputs: Vec<TensorSpec>,
    /// Least work.
    pub cost: Cost,
    /// Its dispatches, as indices of the program's.
    pub steps: Range<usize>,
    node: usize,
}

impl OpInstance {
    /// Op type and class, of the first op where several are fused.
    pub fn kind(&self) -> (&'static str, Class) {
        (self.op.name(), self.op.class())
    }

    /// `matmul/tile[BM=64,BN=64,BK=16]`: what is verified, tuned and forced.
    pub fn kernel(&self) -> String {
        format!("{}/{}", self.op.name(), self.variant)
    }
}

/// Options of compilation.
#[derive(Debug, Clone)]
pub struct Options {
    /// Merge elementwise ops into their neighbours.
    pub fuse: bool,
    /// Forced variants.
    pub choice: Choice,
}

impl Default for Options {
    fn default() -> Self {
        let choice = Choice::default();
        Self { fuse: true, choice }
    }
}

/// What a step will be on a device, before anything is allocated there.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its ops, in order.
    pub entries: Vec<OpInstance>,
    /// Its memory.
    pub plan: Plan,
    nodes: Graph,
    lowered: Vec<Option<Lowered>>,
}

impl Schedule {
    /// Fuses, chooses variants, lowers and plans.
    ///
    /// # Errors
    /// [`Error::Usage`] for a forced variant that cannot run, [`Error::Internal`] for an invalid graph.
    pub fn new(caps: &Caps, nodes: &Graph, options: &Options) -> Result<Self> {
        let nodes = pack(if options.fuse { fuse(nodes.clone()) } else { nodes.clone() });
        let (mut entries, lowered) = lower(caps, &nodes, &options.choice)?;
        let scratch = |l: &Option<Lowered>| l.as_ref().map_or(vec![], |l| l.scratch.clone());
        let plan = plan(&nodes, &lowered.iter().map(scratch).collect::<Vec<_>>())?;
        let mut at = 0;
        for entry in &mut entries {
            let dispatches = lowered[entry.node].as_ref().map_or(0, |l| l.dispatches.len());
            entry.steps = at..at + dispatches;
            at += dispatches;
        }
        Ok(Self { entries, plan, nodes, lowered })
    }

    /// The dispatches of an entry before they are bound, for tools that show them.
    pub fn lowered(&self, entry: &OpInstance) -> Option<&Lowered> {
        self.lowered[entry.node].as_ref()
    }

    /// Number of dispatches in a step.
    pub fn dispatches(&self) -> usize {
        self.entries.iter().map(|e| e.steps.len()).sum()
    }

    /// Least work of a step.
    pub fn cost(&self) -> Cost {
        self.entries.iter().fold(Cost::default(), |sum, e| sum + e.cost)
    }

    /// Whether the device allows every buffer and every binding.
    ///
    /// # Errors
    /// [`Error::Gpu`] with the first that is too large.
    pub fn fits(&self, caps: &Caps) -> Result<()> {
        let total = crate::gpu::size(self.plan.bytes());
        let needs = |what: String, bytes: u64, most: u64| {
            let (bytes, most) = (crate::gpu::size(bytes), crate::gpu::size(most));
            Err(Error::Gpu(format!(
                "out of memory: {what} of {bytes}, and the device allows {most}; the step needs {total} in all"
            )))
        };
        for buffer in &self.plan.buffers {
            if buffer.bytes > caps.max_buffer {
                let what = format!("{} needs a buffer", buffer.role.name());
                return needs(what, buffer.bytes, caps.max_buffer);
            }
        }
        for entry in &self.entries {
            let dispatches = self.lowered[entry.node].iter().flat_map(|l| &l.dispatches);
            for binding in dispatches.flat_map(|d| &d.bindings) {
                let (_, bytes) = extent(&self.plan, &self.nodes, entry, binding)?;
                if bytes > caps.max_binding {
                    let what = format!("{} needs a binding", entry.label);
                    return needs(what, bytes, caps.max_binding);
                }
            }
        }
        Ok(())
    }

    /// Number of values in the model's parameters.
    pub fn parameters(&self) -> usize {
        let learns = |b: &&ParamGroup| b.name == "param" || b.name == TABLES;
        self.nodes.groups.iter().filter(learns).map(ParamGroup::parameters).sum()
    }

    /// The inputs with their shapes.
    pub fn inputs(&self) -> Vec<(&str, &TensorSpec)> {
        let nodes = self.nodes.nodes.iter();
        let input = nodes.filter_map(|n| match &n.kind {
            NodeKind::Input { name } => Some((name.as_str(), &self.nodes.values[n.outputs[0].0])),
            _ => None,
        });
        input.collect()
    }

    /// The outputs with their shapes.
    pub fn outputs(&self) -> Vec<(&str, &TensorSpec)> {
        let spec = |v: ValueId| &self.nodes.values[v.0];
        self.nodes.outputs.iter().map(|(n, v)| (n.as_str(), spec(*v))).collect()
    }

    /// The groups of variables.
    pub fn groups(&self) -> &[ParamGroup] {
        &self.nodes.groups
    }

    /// A line an op: dispatches, label, shapes, work.
    pub fn listing(&self) -> String {
        let shapes = |specs: &[TensorSpec]| {
            specs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let line = |e: &OpInstance| {
            let (inputs, outputs) = (shapes(&e.inputs), shapes(&e.outputs));
            let phase = e.phase.name();
            let Cost { flops, bytes } = e.cost;
            format!(
                "{:5} {phase:8} {:44} {inputs} -> {outputs}  {flops} flop {bytes} B\n",
                e.steps.len(),
                e.label
            )
        };
        self.entries.iter().map(line).collect()
    }
}

/// A compiled step.
#[derive(Debug)]
pub struct Program {
    /// What it is.
    pub schedule: Schedule,
    /// SHA-256 over every shader's text, grid, parameter and binding range.
    pub hash: String,
    pub(crate) steps: Vec<BoundDispatch>,
    params: wgpu::BindGroup,
    buffers: Vec<wgpu::Buffer>,
}

impl Program {
    /// Makes an schedule real on a device. State that `state` does not hold yet is made there.
    ///
    /// # Errors
    /// [`Error::Gpu`] where memory runs out, [`Error::Internal`] for a shader that is not valid.
    pub fn new(gpu: &Gpu, schedule: Schedule, state: &mut State) -> Result<Self> {
        schedule.fits(&gpu.caps)?;
        let Schedule { entries, plan, nodes, lowered } = &schedule;
        let mut buffers = Vec::new();
        for (i, buffer) in plan.buffers.iter().enumerate() {
            buffers.push(match &buffer.role {
                Role::State(name) => state.buffer(gpu, name, nodes)?,
                Role::Input(name) => gpu.storage(name, buffer.bytes)?,
                role => gpu.storage(&format!("{role:?} {i}"), buffer.bytes)?,
            });
        }
        let mut binder = Binder {
            gpu,
            plan,
            buffers: &buffers,
            nodes,
            steps: Vec::new(),
            groups: HashMap::new(),
            params: Vec::new(),
            param_offsets: HashMap::new(),
            hash: Sha256::new(),
        };
        for entry in entries {
            for dispatch in lowered[entry.node].iter().flat_map(|l| &l.dispatches) {
                binder.step(entry, dispatch)?;
            }
        }
        let (steps, params, hash) = binder.finish()?;
        Ok(Self { schedule, hash, steps, params, buffers })
    }

    /// Encodes one whole step.
    pub(crate) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.encode_range(pass, 0..self.steps.len());
    }

    /// Encodes some of its dispatches.
    pub(crate) fn encode_range(&self, pass: &mut wgpu::ComputePass<'_>, range: Range<usize>) {
        for step in &self.steps[range] {
            pass.set_pipeline(&step.pipeline.raw);
            pass.set_bind_group(0, &step.bind_group, &[]);
            pass.set_bind_group(1, &self.params, &[step.params_offset]);
            let [x, y, z] = step.grid;
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// Runs `count` steps in one submission.
    pub fn run(&self, gpu: &Gpu, count: usize) -> Result<()> {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..count {
            self.encode(&mut pass);
        }
        drop(pass);
        gpu.queue.submit([encoder.finish()]);
        gpu.check()
    }

    /// Writes an input.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name or another shape.
    pub fn write(&self, gpu: &Gpu, name: &str, value: &HostTensor) -> Result<()> {
        let input =
            self.schedule.plan.buffers.iter().position(|b| b.role == Role::Input(name.to_string()));
        let spec = self.schedule.inputs().into_iter().find(|(n, _)| *n == name).map(|(_, s)| s);
        match (input, spec) {
            (Some(at), Some(spec)) if *spec == value.spec => {
                gpu.write(&self.buffers[at], 0, &value.bytes);
                Ok(())
            }
            _ => Err(Error::Internal(format!("no input {name} of {}", value.spec))),
        }
    }

    /// Reads an output after a step.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name, [`Error::Gpu`] for a lost device.
    pub fn read(&self, gpu: &Gpu, name: &str) -> Result<Array> {
        let found = self.schedule.nodes.outputs.iter().find(|(n, _)| n == name);
        match found {
            Some((_, value)) => self.read_value(gpu, *value),
            None => Err(Error::Internal(format!("no output {name}"))),
        }
    }

    fn read_value(&self, gpu: &Gpu, value: ValueId) -> Result<Array> {
        let spec = self.schedule.nodes.values[value.0].clone();
        let at = self.schedule.plan.locations[value.0]
            .ok_or_else(|| Error::Internal("a value was planned no memory".into()))?;
        let bytes = gpu.read(&self.buffers[at.buffer], at.offset, spec.bytes())?;
        Ok(Array::from_bytes(spec, &bytes))
    }

    /// The assembled WGSL of an entry's dispatches.
    pub fn kernel_text(&self, entry: &OpInstance) -> Vec<&str> {
        let steps = &self.steps[entry.steps.clone()];
        steps.iter().map(|s| s.pipeline.text.as_str()).collect()
    }
}

type LoweredNodes = (Vec<OpInstance>, Vec<Option<Lowered>>);

/// Chooses a variant for each op and lowers it.
fn lower(caps: &Caps, nodes: &Graph, choice: &Choice) -> Result<LoweredNodes> {
    let mut entries = Vec::new();
    let mut lowered = Vec::new();
    for (at, node) in nodes.nodes.iter().enumerate() {
        let NodeKind::Op(op) = &node.kind else {
            lowered.push(None);
            continue;
        };
        let (inputs, outputs) = (nodes.specs(&node.inputs), nodes.specs(&node.outputs));
        let variant = choice.of(op.as_ref(), &inputs, caps)?;
        let io = Io { inputs: &inputs, outputs: &outputs, caps };
        lowered.push(Some(op.lower(&variant, &io)));
        let dot = if node.scope.is_empty() { "" } else { "." };
        entries.push(OpInstance {
            label: format!("{}{dot}{}/{variant}", node.scope, op.name()),
            scope: node.scope.clone(),
            cost: op.cost(&inputs),
            op: Arc::clone(op),
            variant,
            phase: node.phase,
            inputs,
            outputs,
            steps: 0..0,
            node: at,
        });
    }
    Ok((entries, lowered))
}

/// Range of a buffer that a binding shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Bound {
    buffer: usize,
    offset: u64,
    bytes: u64,
    write: bool,
}

struct Binder<'a> {
    gpu: &'a Gpu,
    plan: &'a Plan,
    buffers: &'a [wgpu::Buffer],
    nodes: &'a Graph,
    steps: Vec<BoundDispatch>,
    groups: HashMap<Vec<Bound>, wgpu::BindGroup>,
    params: Vec<u8>,
    param_offsets: HashMap<Vec<u32>, u32>,
    hash: Sha256,
}

impl Binder<'_> {
    fn step(&mut self, entry: &OpInstance, dispatch: &Dispatch) -> Result<()> {
        let pipeline = self.gpu.pipeline(dispatch, &entry.kernel())?;
        let bound = self.bound(entry, dispatch)?;
        self.hash.update(&pipeline.text);
        self.hash.update(format!("{:?}{:?}{bound:?}", dispatch.grid, dispatch.params));
        let (buffers, device) = (self.buffers, &self.gpu.device);
        let make = |bound: &Vec<Bound>| {
            group(device, &pipeline.storage_layout, &entry.label, bound, buffers)
        };
        let bind_group = match self.groups.get(&bound) {
            Some(group) => group.clone(),
            None => {
                let group = make(&bound);
                self.groups.insert(bound, group.clone());
                group
            }
        };
        let params_offset = self.params(&dispatch.params);
        self.steps.push(BoundDispatch { pipeline, bind_group, params_offset, grid: dispatch.grid });
        Ok(())
    }

    fn params(&mut self, words: &[u32]) -> u32 {
        debug_assert!(words.len() * 4 <= PARAMS_WINDOW as usize);
        let at = self.params.len() as u32;
        let offset = *self.param_offsets.entry(words.to_vec()).or_insert(at);
        if offset == at {
            self.params.extend(words.iter().flat_map(|w| w.to_le_bytes()));
            let padded = self.params.len().next_multiple_of(PARAMS_WINDOW as usize);
            self.params.resize(padded.max(at as usize + PARAMS_WINDOW as usize), 0);
        }
        offset
    }

    fn bound(&self, entry: &OpInstance, dispatch: &Dispatch) -> Result<Vec<Bound>> {
        let bound = dispatch.bindings.iter().map(|binding| {
            let (at, bytes) = extent(self.plan, self.nodes, entry, binding)?;
            Ok(Bound {
                buffer: at.buffer,
                offset: at.offset,
                // vec4 arrays need whole vectors; buffers are padded to 256 bytes.
                bytes: bytes.next_multiple_of(16).max(16),
                write: binding.write,
            })
        });
        bound.collect()
    }

    fn finish(self) -> Result<(Vec<BoundDispatch>, wgpu::BindGroup, String)> {
        let bytes =
            if self.params.is_empty() { vec![0; PARAMS_WINDOW as usize] } else { self.params };
        let device = &self.gpu.device;
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.gpu.write(&buffer, 0, &bytes);
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("params"),
            layout: &self.gpu.params_layout(),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &buffer,
                    offset: 0,
                    size: std::num::NonZeroU64::new(PARAMS_WINDOW),
                }),
            }],
        });
        self.gpu.check()?;
        let hash = self.hash.finalize();
        let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
        Ok((self.steps, group, format!("sha256:{hex}")))
    }
}

/// Where a binding begins and how many bytes it shows.
fn extent(
    plan: &Plan,
    nodes: &Graph,
    entry: &OpInstance,
    binding: &Binding,
) -> Result<(Location, u64)> {
    let node = &nodes.nodes[entry.node];
    let value = |v: ValueId| {
        let missing = || Error::Internal(format!("{}: a value has no memory", entry.label));
        let place = plan.locations[v.0].ok_or_else(missing)?;
        Ok::<_, Error>((place, nodes.values[v.0].clone()))
    };
    let (place, spec) = match binding.operand {
        Operand::Input(n) => value(node.inputs[n])?,
        Operand::Output(n) => value(node.outputs[n])?,
        Operand::Scratch(n) => {
            let buffer = plan.scratch[entry.node][n];
            let words = plan.buffers[buffer].bytes as usize / 4;
            let place = Location { buffer, offset: 0 };
            (place, TensorSpec::u32([words]))
        }
    };
    let size = spec.dtype.size() as u64;
    let bytes = match binding.len {
        Some(len) => (len as u64 * size).next_multiple_of(4),
        None => spec.bytes() - binding.offset as u64 * size,
    };
    let place = Location { offset: place.offset + binding.offset as u64 * size, ..place };
    Ok((place, bytes))
}

fn group(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    label: &str,
    bound: &[Bound],
    buffers: &[wgpu::Buffer],
) -> wgpu::BindGroup {
    let entries: Vec<_> = (0u32..)
        .zip(bound)
        .map(|(binding, b)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &buffers[b.buffer],
                offset: b.offset,
                size: std::num::NonZeroU64::new(b.bytes),
            }),
        })
        .collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(label),
        layout,
        entries: &entries,
    })
}
