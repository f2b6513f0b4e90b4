//! A graph as a flat list of dispatches on one device: what is encoded, timed and verified.
//!
//! Nothing is allocated, created or read back between steps: a step is `encode`, nothing else.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::gpu::pipeline::{PARAMS_WINDOW, Pipeline, side_by_side};
use crate::gpu::timestamp::Timer;
use crate::graph::ValueId;
use crate::host;
use crate::kernel::Dispatch;
use crate::pass::plan::Role;
use crate::pass::{OpInstance, Schedule};
use crate::tensor::{Array, HostTensor, TensorSpec};
use crate::terms::hex;

pub mod check;
mod deal;
mod parts;
mod sampled;
pub mod state;

use deal::deal;
pub use state::State;

/// One dispatch, ready to be encoded.
#[derive(Debug)]
pub(crate) struct BoundDispatch {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) bind_group: wgpu::BindGroup,
    pub(crate) grid: [u32; 3],
}

/// A compiled step.
#[derive(Debug)]
pub struct Program {
    /// What it is.
    pub schedule: Schedule,
    /// SHA-256 over every shader's code, grid, parameter and binding range.
    pub hash: String,
    /// Indices of the ops that are submitted together.
    pub(crate) parts: Vec<Range<usize>>,
    dispatches: Vec<BoundDispatch>,
    buffers: Vec<wgpu::Buffer>,
}

impl Program {
    /// Binds a schedule to a device. State that `state` does not hold yet is made there. `watch` is told the
    /// share of the pipelines that there are.
    ///
    /// # Errors
    /// [`Error::Gpu`] where memory runs out, [`Error::Internal`] for a shader that is not valid, and those of `watch`,
    /// which end it.
    pub(crate) fn new(
        gpu: &Gpu,
        schedule: Schedule,
        state: &mut State,
        watch: &dyn Fn(f64) -> Result<()>,
    ) -> Result<Self> {
        schedule.fits(&gpu.caps)?;
        let mut buffers = Vec::new();
        for (i, buffer) in schedule.memory.buffers.iter().enumerate() {
            buffers.push(match &buffer.role {
                Role::State(name) => state.buffer(gpu, name, &schedule.graph)?,
                Role::Input(name) => gpu.storage(name, buffer.bytes)?,
                role => gpu.storage(&format!("{role:?} {i}"), buffer.bytes)?,
            });
        }
        let mut binder = Binder {
            gpu,
            schedule: &schedule,
            buffers: &buffers,
            dispatches: Vec::new(),
            params: Vec::new(),
            param_offsets: HashMap::new(),
            hash: Sha256::new(),
        };
        let pipelines = gpu.pipelines(&labelled(&schedule.ops), watch)?;
        for ((op, dispatch), pipeline) in dispatches(&schedule.ops).zip(pipelines) {
            binder.bind(op, dispatch, pipeline)?;
        }
        let (dispatches, hash) = binder.finish()?;
        let parts = parts::parts(&schedule.ops, &gpu.pace, gpu.longest_submission);
        Ok(Self { schedule, hash, parts, dispatches, buffers })
    }

    /// Encodes some of its dispatches. What the one before has set stays: each call is checked and kept by wgpu.
    pub(crate) fn encode_range(&self, pass: &mut wgpu::ComputePass<'_>, range: Range<usize>) {
        let mut before: Option<&BoundDispatch> = None;
        for dispatch in &self.dispatches[range] {
            if before.is_none_or(|before| !Arc::ptr_eq(&before.pipeline, &dispatch.pipeline)) {
                pass.set_pipeline(&dispatch.pipeline.raw);
            }
            if before.is_none_or(|before| before.bind_group != dispatch.bind_group) {
                pass.set_bind_group(0, &dispatch.bind_group, &[]);
            }
            let [x, y, z] = dispatch.grid;
            pass.dispatch_workgroups(x, y, z);
            before = Some(dispatch);
        }
    }

    /// Runs `count` steps, in one submission unless a step is too long for that.
    pub(crate) fn run(&self, gpu: &Gpu, count: usize) -> Result<()> {
        for commands in self.encoded(gpu, count, None)? {
            gpu.submit(commands);
        }
        gpu.check()
    }

    /// Runs one of its ops, and waits for it.
    pub(crate) fn run_op(&self, gpu: &Gpu, op: &OpInstance) -> Result<()> {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        self.encode_range(&mut pass, op.dispatches.clone());
        drop(pass);
        gpu.submit([encoder.finish()]);
        gpu.wait()
    }

    /// The commands of `count` steps, each submission's together; `timer`'s first pair says when they begin and end.
    ///
    /// # Errors
    /// None of the device: those come from a later call on it.
    pub(crate) fn encoded(
        &self,
        gpu: &Gpu,
        count: usize,
        timer: Option<&Timer>,
    ) -> Result<Vec<Vec<wgpu::CommandBuffer>>> {
        // As few passes as possible: within one wgpu sets a barrier wherever a dispatch needs what one before it wrote.
        let submissions: Vec<Vec<Range<usize>>> = match &self.parts[..] {
            [whole] => vec![vec![self.dispatches_of(whole); count]],
            parts => {
                let step = parts.iter().map(|part| vec![self.dispatches_of(part)]);
                std::iter::repeat_n(step, count).flatten().collect()
            }
        };
        let dealt = submissions.into_iter().map(|ranges| deal(&ranges, host::cores()));
        let dealt: Vec<_> = dealt.collect();
        let lengths: Vec<usize> = dealt.iter().map(Vec::len).collect();
        let passes: Vec<_> = dealt.into_iter().flatten().enumerate().collect();
        let last = passes.len().saturating_sub(1);
        let encode = |(at, ranges): &(usize, Vec<Range<usize>>)| {
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("steps"),
                timestamp_writes: timer.and_then(|timer| timer.around(*at == 0, *at == last)),
            });
            ranges.iter().for_each(|range| self.encode_range(&mut pass, range.clone()));
            drop(pass);
            if let Some(timer) = timer.filter(|_| *at == last) {
                timer.resolve(&mut encoder);
            }
            Ok(encoder.finish())
        };
        let mut buffers = side_by_side(&passes, encode)?.into_iter();
        Ok(lengths.into_iter().map(|length| buffers.by_ref().take(length).collect()).collect())
    }

    /// The dispatches of neighbouring ops.
    fn dispatches_of(&self, ops: &Range<usize>) -> Range<usize> {
        let ops = &self.schedule.ops[ops.clone()];
        let begin = ops.first().map_or(0, |op| op.dispatches.start);
        begin..ops.last().map_or(begin, |op| op.dispatches.end)
    }

    /// Writes an input.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name or another shape.
    pub(crate) fn write(&self, gpu: &Gpu, name: &str, value: &HostTensor) -> Result<()> {
        let input = self
            .schedule
            .memory
            .buffers
            .iter()
            .position(|b| b.role == Role::Input(name.to_string()));
        let spec = self.schedule.inputs().into_iter().find(|(n, _)| *n == name).map(|(_, s)| s);
        match (input, spec) {
            (Some(at), Some(spec)) if *spec == value.spec => {
                gpu.write(&self.buffers[at], 0, &value.bytes);
                Ok(())
            }
            _ => Err(Error::Internal(format!("there is no input {name} of {}", value.spec))),
        }
    }

    /// Reads an output after a step.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name, [`Error::Gpu`] for a lost device.
    pub(crate) fn read(&self, gpu: &Gpu, name: &str) -> Result<Array> {
        let output = self.schedule.graph.outputs.iter().find(|(n, _)| n == name);
        match output {
            Some((_, value)) => Ok(self.read_values(gpu, &[*value])?.swap_remove(0)),
            None => Err(Error::Internal(format!("there is no output {name}"))),
        }
    }

    /// Reads single floats of a value.
    fn read_places(&self, gpu: &Gpu, value: ValueId, places: &[usize]) -> Result<Vec<f64>> {
        let at = self.schedule.memory.locations[value.0]
            .ok_or_else(|| Error::Internal("the plan has no memory for a value".into()))?;
        // Devices copy whole words: of a half the one that it lies in.
        let dtype = self.schedule.graph.values[value.0].dtype;
        let each = 4 / dtype.size();
        let range =
            |place: &usize| (&self.buffers[at.buffer], at.offset + 4 * (*place / each) as u64, 4);
        let read = gpu.read_ranges(&places.iter().map(range).collect::<Vec<_>>())?;
        let word = TensorSpec::new([each], dtype);
        let number = |(bytes, place): (Vec<u8>, &usize)| {
            Array::from_bytes(word.clone(), &bytes).data[place % each]
        };
        Ok(read.into_iter().zip(places).map(number).collect())
    }

    /// Reads values in one go.
    fn read_values(&self, gpu: &Gpu, values: &[ValueId]) -> Result<Vec<Array>> {
        self.read_rows(gpu, values, &vec![None; values.len()])
    }

    /// Reads values in one go, of each some rows or all that there are. Rows are whole words.
    fn read_rows(
        &self,
        gpu: &Gpu,
        values: &[ValueId],
        rows: &[Option<Range<usize>>],
    ) -> Result<Vec<Array>> {
        let (mut specs, mut ranges) = (Vec::new(), Vec::new());
        for (value, rows) in values.iter().zip(rows) {
            let at = self.schedule.memory.locations[value.0]
                .ok_or_else(|| Error::Internal("the plan has no memory for a value".into()))?;
            let (mut spec, mut offset) = (self.schedule.graph.values[value.0].clone(), at.offset);
            if let Some(rows) = rows {
                offset += spec.bytes() / spec.dims()[0] as u64 * rows.start as u64;
                spec = spec.with_rows(rows.len());
            }
            ranges.push((&self.buffers[at.buffer], offset, spec.bytes()));
            specs.push(spec);
        }
        gpu.read_as(&ranges, |at, bytes| Array::from_bytes(specs[at].clone(), bytes))
    }
}

/// Makes the pipelines of several schedules side by side, before they become programs one after the other. `watch` is told
/// the share that there is.
///
/// # Errors
/// [`Error::Internal`] for a shader that is not valid, and those of `watch`, which end it.
pub fn make_pipelines(
    gpu: &Gpu,
    schedules: &[Schedule],
    watch: &dyn Fn(f64) -> Result<()>,
) -> Result<()> {
    let ops = schedules.iter().flat_map(|schedule| &schedule.ops);
    gpu.pipelines(&labelled(ops), watch).map(|_| ())
}

/// Makes the pipelines of ops in their order, as long as it `goes_on`, which is asked before each with what the longest so
/// far took; and tells which ops have theirs then.
///
/// # Errors
/// [`Error::Internal`] for a shader that is not valid.
pub fn make_pipelines_while(
    gpu: &Gpu,
    ops: &[&OpInstance],
    goes_on: &(dyn Fn(Duration) -> bool + Sync),
) -> Result<Vec<bool>> {
    let mut made = gpu.pipelines_while(&labelled(ops.iter().copied()), goes_on)?.into_iter();
    let has_all = |op: &&OpInstance| {
        let dispatches: Vec<bool> = made.by_ref().take(op.lowered.dispatches.len()).collect();
        dispatches.into_iter().all(|made| made)
    };
    Ok(ops.iter().map(has_all).collect())
}

/// The dispatches of ops in their order.
fn dispatches<'a>(
    ops: impl IntoIterator<Item = &'a OpInstance>,
) -> impl Iterator<Item = (&'a OpInstance, &'a Dispatch)> {
    let of = |op: &'a OpInstance| op.lowered.dispatches.iter().map(move |dispatch| (op, dispatch));
    ops.into_iter().flat_map(of)
}

/// The same with the kernels that they are of.
fn labelled<'a>(ops: impl IntoIterator<Item = &'a OpInstance>) -> Vec<(&'a Dispatch, String)> {
    dispatches(ops).map(|(op, dispatch)| (dispatch, op.kernel())).collect()
}

/// Range of a buffer that a binding shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Bound {
    buffer: usize,
    offset: u64,
    bytes: u64,
    write: bool,
}

/// What a dispatch is bound to: its ranges, and where its parameters begin.
type Bindings = (Vec<Bound>, u32);

/// A dispatch whose parameters are not on the device yet.
struct Unbound<'a> {
    label: &'a str,
    pipeline: Arc<Pipeline>,
    bindings: Bindings,
    grid: [u32; 3],
}

struct Binder<'a> {
    gpu: &'a Gpu,
    schedule: &'a Schedule,
    buffers: &'a [wgpu::Buffer],
    dispatches: Vec<Unbound<'a>>,
    params: Vec<u8>,
    param_offsets: HashMap<Vec<u32>, u32>,
    hash: Sha256,
}

impl<'a> Binder<'a> {
    fn bind(
        &mut self,
        op: &'a OpInstance,
        dispatch: &Dispatch,
        pipeline: Arc<Pipeline>,
    ) -> Result<()> {
        let bound = self.bound(op, dispatch)?;
        // Labels stay out: the same kernels on the same ranges are the same work, whatever its layers are called.
        self.hash.update(pipeline.digest);
        self.hash.update(format!("{:?}{:?}{bound:?}", dispatch.grid, dispatch.words()));
        let params = self.params(&dispatch.words());
        let (label, bindings, grid) = (op.label.as_str(), (bound, params), dispatch.grid);
        self.dispatches.push(Unbound { label, pipeline, bindings, grid });
        Ok(())
    }

    fn params(&mut self, words: &[u32]) -> u32 {
        debug_assert!(words.len() * 4 <= PARAMS_WINDOW as usize);
        let at = self.params.len() as u32;
        // Dispatches with the same numbers share a window, as repeated layers do.
        let offset = *self.param_offsets.entry(words.to_vec()).or_insert(at);
        if offset == at {
            self.params.extend(words.iter().flat_map(|w| w.to_le_bytes()));
            let padded = self.params.len().next_multiple_of(PARAMS_WINDOW as usize);
            self.params.resize(padded.max(at as usize + PARAMS_WINDOW as usize), 0);
        }
        offset
    }

    fn bound(&self, op: &OpInstance, dispatch: &Dispatch) -> Result<Vec<Bound>> {
        let bound = dispatch.bindings.iter().map(|binding| {
            let (at, bytes) = self.schedule.extent(op, binding)?;
            // Guard words are bound too: a device may drop what is written outside a binding.
            let guarded = binding.write && binding.len.is_none();
            let guard = if guarded { self.schedule.memory.guard(at.buffer) } else { 0 };
            let guard = guard.min(self.gpu.caps.max_binding.saturating_sub(bytes));
            Ok(Bound {
                buffer: at.buffer,
                offset: at.offset,
                // vec4 arrays need whole vectors; buffers are padded to 256 bytes.
                bytes: bytes.next_multiple_of(16).max(16) + guard,
                write: binding.write,
            })
        });
        bound.collect()
    }

    /// The dispatches with their bind groups, of which those that show the same share one: access is part of a range, so
    /// that they agree in their layout too.
    fn finish(self) -> Result<(Vec<BoundDispatch>, String)> {
        let bytes =
            if self.params.is_empty() { vec![0; PARAMS_WINDOW as usize] } else { self.params };
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = self.gpu.buffer("params", bytes.len() as u64, usage)?;
        self.gpu.write(&params, 0, &bytes);
        let mut groups: HashMap<Bindings, wgpu::BindGroup> = HashMap::new();
        let mut dispatches = Vec::new();
        for dispatch in self.dispatches {
            let bind_group = match groups.get(&dispatch.bindings) {
                Some(group) => group.clone(),
                None => {
                    let group = group(self.gpu, &dispatch, self.buffers, &params);
                    groups.insert(dispatch.bindings, group.clone());
                    group
                }
            };
            let (pipeline, grid) = (dispatch.pipeline, dispatch.grid);
            dispatches.push(BoundDispatch { pipeline, bind_group, grid });
        }
        self.gpu.check()?;
        Ok((dispatches, format!("sha256:{}", hex(&self.hash.finalize()))))
    }
}

fn group(
    gpu: &Gpu,
    dispatch: &Unbound<'_>,
    buffers: &[wgpu::Buffer],
    params: &wgpu::Buffer,
) -> wgpu::BindGroup {
    let (bound, first) = &dispatch.bindings;
    let storage = bound.iter().map(|b| (&buffers[b.buffer], b.offset, b.bytes));
    let ranges = storage.chain([(params, u64::from(*first), PARAMS_WINDOW)]);
    let entries: Vec<_> = (0u32..)
        .zip(ranges)
        .map(|(binding, (buffer, offset, bytes))| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset,
                size: std::num::NonZeroU64::new(bytes),
            }),
        })
        .collect();
    gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(dispatch.label),
        layout: &dispatch.pipeline.layout,
        entries: &entries,
    })
}
