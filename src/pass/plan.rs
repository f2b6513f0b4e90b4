//! Assigns memory to every value.
//!
//! A slot is one buffer that temporary values lie in (`plan::slots`). Inputs, outputs and state have buffers of their own,
//! the members of a group and the inputs of a pack are ranges of one.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::{Graph, NodeKind, ValueId};

use super::OpInstance;

mod slots;
mod temporaries;

use slots::Layout;
use temporaries::{Owner, most_alive, temporaries};

/// Bytes of guard words behind a value in a guarded plan.
pub const GUARD: u64 = 256;

/// What a buffer is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// Shared by values: those that are alive together lie beside each other.
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
    /// For each node where its scratch tensors lie.
    pub scratch: Vec<Vec<Location>>,
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

/// Plans the memory of `graph`, whose `ops` say what scratch they need and what they read and write, on a device that
/// allows buffers of `max_buffer` bytes. A guarded plan is for verification.
///
/// # Errors
/// [`Error::Internal`] where state is read after the op that updates it.
pub fn plan(graph: &Graph, ops: &[OpInstance], max_buffer: u64, guarded: bool) -> Result<Plan> {
    let roots = roots(graph);
    let mut plan = Plan {
        locations: vec![None; graph.values.len()],
        scratch: vec![Vec::new(); graph.nodes.len()],
        guarded,
        ..Plan::default()
    };
    place_fixed(graph, &roots, &mut plan);
    check_state(graph, &roots)?;
    place_slots(graph, ops, &roots, max_buffer, &mut plan);
    for (value, root) in roots.iter().enumerate() {
        plan.locations[value] = plan.locations[root.0];
    }
    // Last, since values are placed by their size alone.
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

/// Places the values between ops, and scratch. In a guarded plan no two of them share memory, so that what is left of
/// a value stays poison.
fn place_slots(
    graph: &Graph,
    ops: &[OpInstance],
    roots: &[ValueId],
    max_buffer: u64,
    plan: &mut Plan,
) {
    let (owners, temporaries) = temporaries(graph, ops, roots, plan);
    plan.live_bytes = most_alive(&temporaries);
    let layout = if plan.guarded {
        Layout::apart(&temporaries)
    } else {
        slots::place(&temporaries, plan.live_bytes, max_buffer)
    };
    let before = plan.buffers.len();
    for bytes in layout.buffers {
        add(plan, Role::Slot, bytes);
    }
    for (owner, place) in owners.into_iter().zip(layout.places) {
        let place = Location { buffer: before + place.buffer, ..place };
        match owner {
            Owner::Value(value) => plan.locations[value.0] = Some(place),
            Owner::Scratch(node, _) => plan.scratch[node].push(place),
        }
    }
}
