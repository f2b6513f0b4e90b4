//! State that outlives steps and is shared by the programs of one model: parameters, optimiser state,
//! the clock.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Init, NodeKind};
use crate::host::parallel::*;
use crate::random::{Stream, stream_id};
use crate::tensor::{Array, TensorSpec};

/// A value in a state buffer.
#[derive(Debug, Clone)]
struct Slot {
    buffer: String,
    offset: u64,
    spec: TensorSpec,
    init: Init,
}

/// All state of one model on one device.
#[derive(Debug, Default)]
pub struct State {
    seed: u64,
    buffers: HashMap<String, wgpu::Buffer>,
    /// Every named value, in order of declaration.
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
        let end = |s: &Slot| s.offset + s.spec.bytes();
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
            gpu.write(&buffer, slot.offset, &initial(&name, &slot, self.seed).to_bytes());
            self.values.push((name, slot));
        }
        Ok(buffer)
    }

    /// Sets everything to its start under another seed.
    pub fn reset(&mut self, gpu: &Gpu, seed: u64) {
        self.seed = seed;
        for (name, slot) in &self.values {
            let start = initial(name, slot, seed);
            gpu.write(&self.buffers[&slot.buffer], slot.offset, &start.to_bytes());
        }
    }

    /// Names and shapes of all values, in order of declaration.
    pub fn names(&self) -> impl Iterator<Item = (&str, &TensorSpec)> {
        self.values.iter().map(|(n, s)| (n.as_str(), &s.spec))
    }

    /// Reads a value by name.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name, [`Error::Gpu`] for a lost device.
    pub fn read(&self, gpu: &Gpu, name: &str) -> Result<Array> {
        let slot = self.slot(name)?;
        let bytes = gpu.read(&self.buffers[&slot.buffer], slot.offset, slot.spec.bytes())?;
        Ok(Array::from_bytes(slot.spec.clone(), &bytes))
    }

    /// Writes a value by name.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name or another shape.
    pub fn write(&self, gpu: &Gpu, name: &str, value: &Array) -> Result<()> {
        let slot = self.slot(name)?;
        if slot.spec != value.spec {
            return Err(Error::Internal(format!("{name} is {}, not {}", slot.spec, value.spec)));
        }
        gpu.write(&self.buffers[&slot.buffer], slot.offset, &value.to_bytes());
        Ok(())
    }

    fn slot(&self, name: &str) -> Result<&Slot> {
        let value = self.values.iter().find(|(n, _)| n == name);
        value.map(|(_, s)| s).ok_or_else(|| Error::Internal(format!("no state named {name}")))
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
    let slot = |(spec, init)| Slot { buffer: name.to_string(), offset: 0, spec, init };
    variable.into_iter().map(|v| (name.to_string(), slot(v))).collect()
}

fn initial(name: &str, slot: &Slot, seed: u64) -> Array {
    // A copy of a network, `target/conv1.weight`, starts like the network.
    let variable_name = name.rsplit('/').next().unwrap_or(name);
    let stream = Stream { seed, step: 0, id: stream_id(variable_name) };
    let n = slot.spec.len();
    let each = |f: &(dyn Fn(usize) -> f64 + Sync)| (0..n).into_par_iter().map(f).collect();
    let data = match &slot.init {
        Init::Clock => vec![0.0, f64::from(seed as u32), f64::from((seed >> 32) as u32), 0.0],
        Init::Constant(value) => vec![f64::from(*value); n],
        Init::LossGradient => vec![1.0; n],
        Init::Normal { std } => each(&|i| f64::from(*std) * stream.normal(i)),
        Init::Embedding { std, zeros } => each(&|i| {
            if i < *zeros { 0.0 } else { f64::from(*std) * stream.normal(i) }
        }),
        Init::Uniform { limit } => each(&|i| f64::from(*limit) * (2.0 * stream.uniform(i) - 1.0)),
        Init::Values(values) => values.iter().map(|&v| f64::from(v)).collect(),
    };
    Array::new(slot.spec.clone(), data)
}
