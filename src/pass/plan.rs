//! Assigns memory to every value.
//!
//! A slot is one buffer, since devices track hazards by whole buffer; two values share a slot only when
//! they are never alive together. Inputs, outputs and state have buffers of their own, the members of a
//! group and the inputs of a pack are ranges of one.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::{Graph, NodeKind, ValueId};
use crate::tensor::TensorSpec;

use super::OpInstance;

/// Bytes of guard words behind a value in a guarded plan.
pub const GUARD: u64 = 256;

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
    Gradients,
}

impl Role {
    /// For messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Slot => "an intermediate value",
            Self::Input(name) | Self::State(name) => name,
            Self::Output => "an output",
            Self::Gradients => "the gradients",
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
    /// Whether no two values share memory and each has guard words behind it.
    pub guarded: bool,
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

    /// Bytes of guard words at the end of a buffer. State and gradients have none: their layout is shared
    /// with plans that are not guarded.
    pub fn guard(&self, buffer: usize) -> u64 {
        match self.buffers[buffer].role {
            Role::Slot | Role::Output | Role::Input(_) if self.guarded => GUARD,
            _ => 0,
        }
    }
}

/// Plans the memory of `graph`, whose `ops` say what scratch they need. A guarded plan is for verification.
///
/// # Errors
/// [`Error::Internal`] where state is read after the op that updates it.
pub fn plan(graph: &Graph, ops: &[OpInstance], guarded: bool) -> Result<Plan> {
    let mut scratch: Vec<&[TensorSpec]> = vec![&[]; graph.nodes.len()];
    for op in ops {
        scratch[op.node] = &op.lowered.scratch;
    }
    let roots = roots(graph);
    let mut plan = Plan {
        locations: vec![None; graph.values.len()],
        scratch: vec![Vec::new(); graph.nodes.len()],
        guarded,
        ..Plan::default()
    };
    place_fixed(graph, &roots, &mut plan);
    check_state(graph, &roots)?;
    place_slots(graph, &roots, &scratch, &mut plan);
    for (value, root) in roots.iter().enumerate() {
        plan.locations[value] = plan.locations[root.0];
    }
    // Last, since slots are chosen by the size of their values alone.
    for buffer in 0..plan.buffers.len() {
        plan.buffers[buffer].bytes += plan.guard(buffer);
    }
    log::debug!(
        "plan: {} buffers of {} bytes; temporary values take {}, of which {} are alive at once",
        plan.buffers.len(),
        plan.bytes(),
        plan.slot_bytes(),
        plan.live_bytes
    );
    Ok(plan)
}

/// The value whose memory each value is: its own, unless it is a reshape or an update in place.
pub(super) fn roots(graph: &Graph) -> Vec<ValueId> {
    let mut roots: Vec<_> = (0..graph.values.len()).map(ValueId).collect();
    for node in &graph.nodes {
        match &node.kind {
            NodeKind::Reshape => roots[node.outputs[0].0] = roots[node.inputs[0].0],
            NodeKind::Op { problem, .. } => {
                for (output, input) in problem.in_place() {
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
fn place_fixed(graph: &Graph, roots: &[ValueId], plan: &mut Plan) {
    let at = |buffer, elements: usize| Some(Location { buffer, offset: elements as u64 * 4 });
    let mut groups: HashMap<usize, usize> = HashMap::new();
    for node in &graph.nodes {
        let Some(&value) = node.outputs.first() else {
            continue;
        };
        let bytes = graph.values[value.0].bytes();
        plan.locations[value.0] = match &node.kind {
            NodeKind::Input { name } => at(add(plan, Role::Input(name.clone()), bytes), 0),
            NodeKind::Variable { name, .. } => at(add(plan, Role::State(name.clone()), bytes), 0),
            NodeKind::Member { group, .. } | NodeKind::Group { group } => {
                let layout = graph.groups[*group].layout();
                let buffer = *groups.entry(*group).or_insert_with(|| {
                    let role = Role::State(graph.groups[*group].name.clone());
                    add(plan, role, layout.len as u64 * 4)
                });
                let offset = match &node.kind {
                    NodeKind::Member { member, first, .. } => layout.offsets[*member] + first,
                    _ => 0,
                };
                at(buffer, offset)
            }
            NodeKind::Flat { group } => {
                let layout = graph.groups[*group].layout();
                let buffer = add(plan, Role::Gradients, layout.len as u64 * 4);
                for (input, (_, first)) in node.inputs.iter().zip(graph.parts(*group)) {
                    // Gradients are computed where the update reads them: no copy gathers them.
                    plan.locations[roots[input.0].0] = at(buffer, first);
                }
                at(buffer, 0)
            }
            _ => continue,
        };
    }
    for (_, value) in &graph.outputs {
        // An output that is state or an input has its buffer already.
        let root = roots[value.0].0;
        if plan.locations[root].is_none() {
            plan.locations[root] = at(add(plan, Role::Output, graph.values[root].bytes()), 0);
        }
    }
}

/// State that is updated in place must not be read afterwards under its old name.
fn check_state(graph: &Graph, roots: &[ValueId]) -> Result<()> {
    let mut updated: HashMap<ValueId, ValueId> = HashMap::new();
    for node in &graph.nodes {
        for input in &node.inputs {
            if updated.get(&roots[input.0]).is_some_and(|latest| latest != input) {
                return Err(Error::Internal(format!(
                    "{}: reads state after it was updated in place",
                    node.scope
                )));
            }
        }
        if let NodeKind::Op { problem, .. } = &node.kind {
            for (output, _) in problem.in_place() {
                let value = node.outputs[output];
                updated.insert(roots[value.0], value);
            }
        }
    }
    Ok(())
}

/// Greedy best fit in program order: the smallest free slot that is large enough, else the largest free
/// one, grown, else a new one.
fn place_slots(graph: &Graph, roots: &[ValueId], scratch: &[&[TensorSpec]], plan: &mut Plan) {
    let mut last_use: HashMap<ValueId, usize> = HashMap::new();
    for (at, node) in graph.nodes.iter().enumerate() {
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
    for (at, node) in graph.nodes.iter().enumerate() {
        // What this op is the last to read stays busy: an op must not write over its own inputs.
        busy.retain(|&(last, slot, _)| {
            let over = last < at;
            // In a guarded plan a slot is used once, so that what is left of a value stays poison.
            if over && !plan.guarded {
                free.push(slot);
            }
            !over
        });
        for value in &node.outputs {
            if roots[value.0] == *value && plan.locations[value.0].is_none() {
                let bytes = graph.values[value.0].bytes();
                let slot = take(plan, &mut free, bytes);
                plan.locations[value.0] = Some(Location { buffer: slot, offset: 0 });
                busy.push((last_use.get(value).copied().unwrap_or(at), slot, bytes));
            }
        }
        for spec in scratch[at] {
            let slot = take(plan, &mut free, spec.bytes());
            plan.scratch[at].push(slot);
            busy.push((at, slot, spec.bytes()));
        }
        let live = busy.iter().map(|(_, _, bytes)| bytes).sum();
        plan.live_bytes = plan.live_bytes.max(live);
    }
}
