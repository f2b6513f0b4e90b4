//! State that outlives steps and is shared by the programs of one model: parameters, optimiser state,
//! the clock.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Init, NodeKind};
use crate::host::parallel::*;
use crate::random::{Stream, stream_id};
use crate::tensor::{Array, TensorSpec};

/// A value in a state buffer, or the part of one that lies there.
#[derive(Debug, Clone)]
struct Slot {
    buffer: String,
    offset: u64,
    /// The whole value's.
    spec: TensorSpec,
    /// The elements that lie here.
    range: Range<usize>,
    init: Init,
}

impl Slot {
    fn bytes(&self) -> u64 {
        (self.range.len() * self.spec.dtype.size()) as u64
    }
}

/// All state of one model on one device.
#[derive(Debug, Default)]
pub struct State {
    seed: u64,
    buffers: HashMap<String, wgpu::Buffer>,
    /// Every named value, in order of declaration; one that is spread over buffers is there once for each.
    values: Vec<(String, Slot)>,
}

impl State {
    /// No state yet; what is added starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The buffer of a variable or group of `graph`, made and initialised where it is new.
    pub(crate) fn buffer(&mut self, gpu: &Gpu, name: &str, graph: &Graph) -> Result<wgpu::Buffer> {
        let slots = slots(name, graph);
        let end = |s: &Slot| s.offset + s.bytes();
        let bytes = slots.iter().map(|(_, s)| end(s)).max().unwrap_or(0);
        if let Some(buffer) = self.buffers.get(name) {
            return if bytes <= buffer.size() {
                Ok(buffer.clone())
            } else {
                let text = format!("two programs disagree on the size of the state {name}");
                Err(Error::Internal(text))
            };
        }
        let buffer = gpu.storage(name, bytes)?;
        self.buffers.insert(name.to_string(), buffer.clone());
        for (name, slot) in slots {
            gpu.write(&buffer, slot.offset, &initial(&name, &slot, self.seed));
            self.values.push((name, slot));
        }
        Ok(buffer)
    }

    /// Sets everything to its start again.
    pub fn restart(&self, gpu: &Gpu) {
        for (name, slot) in &self.values {
            let start = initial(name, slot, self.seed);
            gpu.write(&self.buffers[&slot.buffer], slot.offset, &start);
        }
    }

    /// Names and shapes of all values, in order of declaration.
    pub fn names(&self) -> impl Iterator<Item = (&str, &TensorSpec)> {
        let whole = self.values.iter().filter(|(_, slot)| slot.range.start == 0);
        whole.map(|(name, slot)| (name.as_str(), &slot.spec))
    }

    /// Reads a value by name.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name, [`Error::Gpu`] for a lost device.
    pub fn read(&self, gpu: &Gpu, name: &str) -> Result<Array> {
        let slots = self.slots(name)?;
        let range = |slot: &&Slot| (&self.buffers[&slot.buffer], slot.offset, slot.bytes());
        let bytes = gpu.read_ranges(&slots.iter().map(range).collect::<Vec<_>>())?.concat();
        Ok(Array::from_bytes(slots[0].spec.clone(), &bytes))
    }

    /// Writes a value by name.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name or another shape.
    pub fn write(&self, gpu: &Gpu, name: &str, value: &Array) -> Result<()> {
        let slots = self.slots(name)?;
        if slots[0].spec != value.spec {
            let text = format!("{name} is {}, not {}", slots[0].spec, value.spec);
            return Err(Error::Internal(text));
        }
        let (bytes, size) = (value.to_bytes(), value.spec.dtype.size());
        for slot in slots {
            let part = &bytes[slot.range.start * size..][..slot.bytes() as usize];
            gpu.write(&self.buffers[&slot.buffer], slot.offset, part);
        }
        Ok(())
    }

    /// Where a value lies: one slot, or several in order; never none.
    fn slots(&self, name: &str) -> Result<Vec<&Slot>> {
        let slots = self.values.iter().filter(|(n, _)| n == name).map(|(_, slot)| slot);
        let slots: Vec<_> = slots.collect();
        if slots.is_empty() {
            return Err(Error::Internal(format!("no state named {name}")));
        }
        Ok(slots)
    }
}

/// The named values in state buffer `name`: one variable, or the members of a group.
fn slots(name: &str, graph: &Graph) -> Vec<(String, Slot)> {
    if let Some(group) = graph.groups.iter().find(|group| group.name == name) {
        let layout = group.layout();
        let slot = |(member, offset): (&crate::graph::Member, &usize)| {
            let slot = Slot {
                buffer: name.to_string(),
                offset: *offset as u64 * 4,
                spec: TensorSpec::f32(member.shape.clone()),
                range: member.first()..member.first() + member.len(),
                init: member.init.clone(),
            };
            (member.name.clone(), slot)
        };
        return group.members.iter().zip(&layout.offsets).map(slot).collect();
    }
    let variable = graph.nodes.iter().find_map(|node| match &node.kind {
        NodeKind::Variable { name: known, init } if known == name => {
            Some((graph.values[node.outputs[0].0].clone(), init.clone()))
        }
        _ => None,
    });
    let slot = |(spec, init): (TensorSpec, Init)| {
        let range = 0..spec.len();
        Slot { buffer: name.to_string(), offset: 0, spec, range, init }
    };
    variable.into_iter().map(|v| (name.to_string(), slot(v))).collect()
}

/// The bytes that a slot starts with.
fn initial(name: &str, slot: &Slot, seed: u64) -> Vec<u8> {
    // A copy of a network, `target/conv1.weight`, starts like the network.
    let variable_name = name.rsplit('/').next().unwrap_or(name);
    let stream = Stream { seed, step: 0, id: stream_id(variable_name) };
    let (range, n) = (&slot.range, slot.range.len());
    let each = |f: &(dyn Fn(usize) -> f64 + Sync)| range.clone().into_par_iter().map(f).collect();
    let data = match &slot.init {
        Init::Clock => vec![0.0, f64::from(seed as u32), f64::from((seed >> 32) as u32), 0.0],
        Init::Constant(value) => vec![f64::from(*value); n],
        Init::LossGradient { factor } => vec![f64::from(*factor); n],
        Init::Normal { std } => each(&|i| f64::from(*std) * stream.normal(i)),
        Init::Embedding { std, zeros } => each(&|i| {
            if i < *zeros { 0.0 } else { f64::from(*std) * stream.normal(i) }
        }),
        Init::Uniform { limit } => each(&|i| f64::from(*limit) * (2.0 * stream.uniform(i) - 1.0)),
        Init::Values(values) => values[range.clone()].iter().map(|&v| f64::from(v)).collect(),
    };
    Array::new(TensorSpec::new([n], slot.spec.dtype), data).to_bytes()
}
