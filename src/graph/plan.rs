//! Gives every value its memory.
//!
//! A slot is one buffer, since devices track hazards by whole buffer; two values share a slot only when
//! they are never alive together. Inputs, outputs and state have buffers of their own, the members of a
//! bank and the inputs of a pack are ranges of one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::op::map::{Function, Map};
use crate::tensor::TensorSpec;

use super::{Kind, Nodes, Phase, ValueId};

/// What a buffer is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// Shared by values that are never alive together.
    Slot,
    /// An input, written from outside.
    Input(String),
    /// State by name, shared with other programs.
    State(String),
    /// Read from outside.
    Output,
    /// Gradients in the parameters' layout; zeroed once, since the gaps stay zero.
    Pack,
}

impl Role {
    /// For messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Slot => "an intermediate value",
            Self::Input(name) | Self::State(name) => name,
            Self::Output => "an output",
            Self::Pack => "the gradients",
        }
    }
}

/// One buffer to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffer {
    /// Its use.
    pub role: Role,
    /// Its size.
    pub bytes: u64,
}

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    /// Index in [`Plan::buffers`].
    pub buffer: usize,
    /// First byte.
    pub offset: u64,
}

/// Memory for a whole program.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Buffers to make.
    pub buffers: Vec<Buffer>,
    /// For each value its place; `None` for values nobody makes.
    pub locations: Vec<Option<Location>>,
    /// For each node its scratch buffers.
    pub scratch: Vec<Vec<usize>>,
    /// The most bytes of temporary values alive at once: no plan can take less for them.
    pub live_bytes: u64,
}

impl Plan {
    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.buffers.iter().map(|b| b.bytes).sum()
    }

    /// Bytes of the slots that temporary values share.
    pub fn slot_bytes(&self) -> u64 {
        let slots = self.buffers.iter().filter(|b| b.role == Role::Slot);
        slots.map(|b| b.bytes).sum()
    }
}

/// Plans `nodes`; `scratch` are the scratch tensors of each node.
///
/// # Errors
/// [`Error::Internal`] where state is read after the op that updates it.
pub fn plan(nodes: &Nodes, scratch: &[Vec<TensorSpec>]) -> Result<Plan> {
    let roots = roots(nodes);
    let mut plan = Plan {
        locations: vec![None; nodes.values.len()],
        scratch: vec![Vec::new(); nodes.nodes.len()],
        ..Plan::default()
    };
    place_fixed(nodes, &roots, &mut plan);
    check_state(nodes, &roots)?;
    place_slots(nodes, &roots, scratch, &mut plan);
    for (value, root) in roots.iter().enumerate() {
        plan.locations[value] = plan.locations[root.0];
    }
    Ok(plan)
}

/// The value whose memory each value is: its own, unless it is a reshape or an update in place.
fn roots(nodes: &Nodes) -> Vec<ValueId> {
    let mut roots: Vec<_> = (0..nodes.values.len()).map(ValueId).collect();
    for node in &nodes.nodes {
        match &node.kind {
            Kind::Reshape => roots[node.outputs[0].0] = roots[node.inputs[0].0],
            Kind::Op(op) => {
                for (output, input) in op.in_place() {
                    roots[node.outputs[output].0] = roots[node.inputs[input].0];
                }
            }
            _ => {}
        }
    }
    roots
}

fn add(plan: &mut Plan, role: Role, bytes: u64) -> usize {
    plan.buffers.push(Buffer { role, bytes });
    plan.buffers.len() - 1
}

/// Places inputs, state, packs and outputs.
fn place_fixed(nodes: &Nodes, roots: &[ValueId], plan: &mut Plan) {
    let at = |buffer, elements: usize| Some(Location { buffer, offset: elements as u64 * 4 });
    let mut banks: HashMap<usize, usize> = HashMap::new();
    for node in &nodes.nodes {
        let Some(&value) = node.outputs.first() else {
            continue;
        };
        let bytes = nodes.values[value.0].bytes();
        plan.locations[value.0] = match &node.kind {
            Kind::Input { name } => at(add(plan, Role::Input(name.clone()), bytes), 0),
            Kind::Variable { name, .. } => at(add(plan, Role::State(name.clone()), bytes), 0),
            Kind::Member { bank, .. } | Kind::Bank { bank } => {
                let layout = nodes.banks[*bank].layout();
                let buffer = *banks.entry(*bank).or_insert_with(|| {
                    let role = Role::State(nodes.banks[*bank].name.clone());
                    add(plan, role, layout.len as u64 * 4)
                });
                let offset = match &node.kind {
                    Kind::Member { member, first, .. } => layout.offsets[*member] + first,
                    _ => 0,
                };
                at(buffer, offset)
            }
            Kind::Pack { bank } => {
                let layout = nodes.banks[*bank].layout();
                let buffer = add(plan, Role::Pack, layout.len as u64 * 4);
                for (input, (_, first)) in node.inputs.iter().zip(nodes.parts(*bank)) {
                    plan.locations[roots[input.0].0] = at(buffer, first);
                }
                at(buffer, 0)
            }
            _ => continue,
        };
    }
    for (_, value) in &nodes.outputs {
        let root = roots[value.0].0;
        if plan.locations[root].is_none() {
            plan.locations[root] = at(add(plan, Role::Output, nodes.values[root].bytes()), 0);
        }
    }
}

/// State that is updated in place must not be read afterwards under its old name.
fn check_state(nodes: &Nodes, roots: &[ValueId]) -> Result<()> {
    let mut updated: HashMap<ValueId, ValueId> = HashMap::new();
    for node in &nodes.nodes {
        for input in &node.inputs {
            if updated.get(&roots[input.0]).is_some_and(|latest| latest != input) {
                return Err(Error::Internal(format!(
                    "{}: reads state after it was updated in place",
                    node.scope
                )));
            }
        }
        if let Kind::Op(op) = &node.kind {
            for (output, _) in op.in_place() {
                let value = node.outputs[output];
                updated.insert(roots[value.0], value);
            }
        }
    }
    Ok(())
}

/// Greedy best fit in program order: the smallest free slot that is large enough, else the largest free
/// one, grown, else a new one.
fn place_slots(nodes: &Nodes, roots: &[ValueId], scratch: &[Vec<TensorSpec>], plan: &mut Plan) {
    let mut last_use: HashMap<ValueId, usize> = HashMap::new();
    for (at, node) in nodes.nodes.iter().enumerate() {
        for value in node.inputs.iter().chain(&node.outputs) {
            last_use.insert(roots[value.0], at);
        }
    }
    let mut free: Vec<usize> = Vec::new();
    let mut busy: Vec<(usize, usize, u64)> = Vec::new(); // last use, slot, bytes
    let take = |plan: &mut Plan, free: &mut Vec<usize>, bytes: u64| {
        let size = |slot: &usize| plan.buffers[*slot].bytes;
        let fitting = free.iter().filter(|s| size(s) >= bytes).min_by_key(|s| size(s));
        let chosen = fitting.or_else(|| free.iter().max_by_key(|s| size(s))).copied();
        match chosen {
            Some(slot) => {
                free.retain(|s| *s != slot);
                plan.buffers[slot].bytes = plan.buffers[slot].bytes.max(bytes);
                slot
            }
            None => add(plan, Role::Slot, bytes),
        }
    };
    for (at, node) in nodes.nodes.iter().enumerate() {
        busy.retain(|&(last, slot, _)| {
            let over = last < at;
            if over {
                free.push(slot);
            }
            !over
        });
        for value in &node.outputs {
            if roots[value.0] == *value && plan.locations[value.0].is_none() {
                let bytes = nodes.values[value.0].bytes();
                let slot = take(plan, &mut free, bytes);
                plan.locations[value.0] = Some(Location { buffer: slot, offset: 0 });
                busy.push((last_use.get(value).copied().unwrap_or(at), slot, bytes));
            }
        }
        for spec in scratch.get(at).into_iter().flatten() {
            let slot = take(plan, &mut free, spec.bytes());
            plan.scratch[at].push(slot);
            busy.push((at, slot, spec.bytes()));
        }
        let live = busy.iter().map(|(_, _, bytes)| bytes).sum();
        plan.live_bytes = plan.live_bytes.max(live);
    }
}

impl Nodes {
    /// The same graph in which every input of a pack can be computed in its place there: a copy is put
    /// in front where the value has a place already, is packed twice, or is made by an op that reads
    /// from the same pack, which one dispatch may not do.
    pub fn with_packable(&self) -> Self {
        let roots = roots(self);
        let mut times: HashMap<ValueId, usize> = HashMap::new();
        let packs =
            || self.nodes.iter().enumerate().filter(|(_, n)| matches!(n.kind, Kind::Pack { .. }));
        for input in packs().flat_map(|(_, n)| &n.inputs) {
            *times.entry(roots[input.0]).or_default() += 1;
        }
        let mut copies: Vec<(usize, usize)> = Vec::new(); // pack node, input
        for (at, node) in packs() {
            let inside = |v: &ValueId| node.inputs.iter().any(|p| roots[p.0] == roots[v.0]);
            for (i, input) in node.inputs.iter().enumerate() {
                let root = roots[input.0];
                let maker = &self.nodes[self.makers[root.0]];
                let computed = matches!(maker.kind, Kind::Op(_));
                if !computed || times[&root] > 1 || maker.inputs.iter().any(inside) {
                    copies.push((at, i));
                }
            }
        }
        let mut out = Self { nodes: Vec::new(), ..self.clone() };
        for (at, node) in self.nodes.iter().enumerate() {
            let mut node = node.clone();
            for (_, i) in copies.iter().filter(|(pack, _)| *pack == at) {
                let from = node.inputs[*i];
                let spec = self.values[from.0].clone();
                let kind = Kind::Op(Arc::new(Map::one(Function::Copy)));
                let copy = out.push(kind, vec![from], vec![spec], &node.scope, Phase::Backward);
                node.inputs[*i] = copy[0];
            }
            out.nodes.push(node);
        }
        out.index_makers();
        out
    }
}
