//! What must hold of every plan of memory.

use std::ops::Range;

use fathom::graph::NodeKind;
use fathom::kernel::Caps;
use fathom::pass::Schedule;

use crate::caps::large;

/// What lies in a buffer for a while.
struct Kept {
    what: String,
    buffer: usize,
    bytes: Range<u64>,
    /// First and last node of its life.
    life: [usize; 2],
}

/// The values that ops make and their scratch. What is read from outside afterwards lives for ever.
fn kept(schedule: &Schedule) -> Vec<Kept> {
    let (graph, memory) = (&schedule.graph, &schedule.memory);
    let mut root: Vec<usize> = (0..graph.values.len()).collect();
    let mut last: Vec<usize> = vec![0; graph.values.len()];
    for (at, node) in graph.nodes.iter().enumerate() {
        match &node.kind {
            NodeKind::Reshape => root[node.outputs[0].0] = root[node.inputs[0].0],
            NodeKind::Op { problem, .. } => {
                for (output, input) in problem.in_place() {
                    root[node.outputs[output].0] = root[node.inputs[input].0];
                }
            }
            _ => {}
        }
        node.inputs.iter().chain(&node.outputs).for_each(|value| last[root[value.0]] = at);
    }
    graph.outputs.iter().for_each(|(_, value)| last[root[value.0]] = usize::MAX);
    let mut kept = Vec::new();
    for op in &schedule.ops {
        let node = &graph.nodes[op.node];
        for value in node.outputs.iter().filter(|value| root[value.0] == value.0) {
            let place = memory.locations[value.0].unwrap();
            let bytes = place.offset..place.offset + graph.values[value.0].bytes();
            let (what, life) = (format!("{} {}", op.label, value.0), [op.node, last[value.0]]);
            kept.push(Kept { what, buffer: place.buffer, bytes, life });
        }
        for (place, spec) in memory.scratch[op.node].iter().zip(&op.lowered.scratch) {
            let bytes = place.offset..place.offset + spec.bytes();
            let (what, life) = (format!("{} scratch", op.label), [op.node; 2]);
            kept.push(Kept { what, buffer: place.buffer, bytes, life });
        }
    }
    kept
}

/// No two values that are alive together lie in the same bytes, and no dispatch is bound to a buffer both for reading
/// and for writing, or writes what else it is bound to.
pub(crate) fn assert_memory_is_sound(schedule: &Schedule) {
    let meet = |a: &Range<u64>, b: &Range<u64>| a.start < b.end && b.start < a.end;
    let kept = kept(schedule);
    for (i, a) in kept.iter().enumerate() {
        for b in kept[..i].iter().filter(|b| b.buffer == a.buffer && meet(&a.bytes, &b.bytes)) {
            let together = a.life[0] <= b.life[1] && b.life[0] <= a.life[1];
            assert!(!together, "{} {:?} and {} {:?}", a.what, a.life, b.what, b.life);
        }
    }
    for op in &schedule.ops {
        for dispatch in &op.lowered.dispatches {
            let bound = dispatch.bindings.iter().map(|binding| {
                let (place, bytes) = schedule.extent(op, binding).unwrap();
                assert_eq!(place.offset % 256, 0, "{}: {}", op.label, binding.name);
                (binding.write, place.buffer, place.offset..place.offset + bytes)
            });
            let bound: Vec<_> = bound.collect();
            for (i, (write, buffer, bytes)) in bound.iter().enumerate() {
                for (other_write, _, other) in bound[..i].iter().filter(|(_, b, _)| b == buffer) {
                    assert_eq!(write, other_write, "{}: buffer {buffer} both ways", op.label);
                    assert!(!write || !meet(bytes, other), "{}: written twice", op.label);
                }
            }
        }
    }
}

/// The least that WebGPU promises, on a GPU and on a processor, and a GPU that allows more.
pub(crate) fn devices() -> [Caps; 3] {
    [Caps::portable(), Caps::portable_software(), large()]
}
