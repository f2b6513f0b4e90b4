//! Computes over parts of the batch what is longer than the device can bind.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::by_rows::{ByRows, Joined};
use crate::graph::chain::{Chain, Function};
use crate::graph::op::Op;
use crate::graph::{Graph, Node, NodeKind, ValueId};
use crate::kernel::Caps;
use crate::op::concat::{self, Concat};
use crate::op::slice::Slice;
use crate::tensor::TensorSpec;

/// The same graph in which no value that ops compute is longer than a binding: every op that reads or makes a longer
/// one runs once for each part of its rows, and the parts are values of their own. Other values are cut and joined
/// where both kinds of op meet.
///
/// A graph without such values stays as it is, and so does one in which an op cannot be cut:
/// [`super::Schedule::fits`] then names it.
///
/// # Errors
/// [`Error::Internal`] where an op refuses a part of inputs that it took whole.
pub fn split(graph: Graph, caps: &Caps) -> Result<Graph> {
    let most = caps.max_binding.min(caps.max_buffer);
    match Cuts::of(&graph, most) {
        Some(cuts) => Splitting::new(&graph, cuts).graph(),
        None => Ok(graph),
    }
}

/// Where a graph is cut.
#[derive(Debug)]
struct Cuts {
    /// The ops that are, by their nodes.
    ops: HashMap<usize, ByRows>,
    /// What every first axis that is cut is a multiple of: the batch.
    units: usize,
    /// The units of each part.
    parts: Vec<Range<usize>>,
}

impl Cuts {
    /// The cuts after which no value has more than `most` bytes; none where they are not needed or not possible.
    fn of(graph: &Graph, most: u64) -> Option<Self> {
        let large: HashSet<ValueId> = large(graph, most).collect();
        // What is read or written from outside is one value, which the ops that would cut it or join it have to bind.
        let outputs = graph.outputs.iter().map(|(_, value)| value);
        let inputs = graph.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Input { .. }));
        let mut outside = inputs.flat_map(|node| &node.outputs).chain(outputs);
        if large.is_empty() || outside.any(|value| large.contains(value)) {
            return None;
        }
        let mut ops = HashMap::new();
        let mut units = 0;
        for (at, node) in graph.nodes.iter().enumerate() {
            let mut touched = node.inputs.iter().chain(&node.outputs);
            if !touched.any(|value| large.contains(value)) {
                continue;
            }
            match &node.kind {
                NodeKind::Op { op, .. } => {
                    let by_rows = op.by_rows(&graph.specs(&node.inputs))?;
                    let whole = node.inputs.iter().zip(&by_rows.inputs).filter(|(_, cut)| !**cut);
                    let summed = node.outputs.iter().zip(&by_rows.outputs);
                    let summed = summed.filter(|(_, joined)| **joined == Joined::Sum);
                    let mut uncut = whole.map(|(v, _)| v).chain(summed.map(|(v, _)| v));
                    if uncut.any(|value| large.contains(value)) {
                        return None;
                    }
                    units = gcd(units, by_rows.rows);
                    ops.insert(at, by_rows);
                }
                NodeKind::Reshape => {
                    for value in node.inputs.iter().chain(&node.outputs) {
                        units = gcd(units, rows(&graph.values[value.0]));
                    }
                }
                _ => return None,
            }
        }
        let longest = large.iter().map(|value| graph.values[value.0].bytes()).max()?;
        let each = (most / longest.div_ceil(units.max(1) as u64)) as usize;
        let count = units.div_ceil(Some(each).filter(|each| *each > 0)?);
        // As many units in each as in the others, or one fewer.
        let parts = (0..count).map(|i| i * units / count..(i + 1) * units / count).collect();
        log::debug!("split: {} ops run over {count} parts of {units} rows", ops.len());
        Some(Self { ops, units, parts })
    }

    /// The rows of each part of a first axis of `rows`.
    fn ranges(&self, rows: usize) -> impl Iterator<Item = Range<usize>> {
        let each = rows / self.units;
        self.parts.iter().map(move |part| part.start * each..part.end * each)
    }
}

/// Values that ops compute, or that are written from outside, of more than `most` bytes. State and the gradients of
/// parameters are not among them: ops over a whole group bind these range by range, and so do products a weight.
fn large(graph: &Graph, most: u64) -> impl Iterator<Item = ValueId> {
    let flat = |node: &&Node| matches!(node.kind, NodeKind::Flat { .. });
    let gradients: HashSet<ValueId> =
        graph.nodes.iter().filter(flat).flat_map(|node| node.inputs.iter().copied()).collect();
    let computed = graph.nodes.iter().filter(|node| match &node.kind {
        NodeKind::Op { problem, .. } => problem.in_place().next().is_none(),
        NodeKind::Reshape | NodeKind::Input { .. } => true,
        _ => false,
    });
    let values = computed.flat_map(|node| &node.outputs).copied();
    values.filter(move |value| graph.values[value.0].bytes() > most && !gradients.contains(value))
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn rows(spec: &TensorSpec) -> usize {
    spec.dims().first().copied().unwrap_or(1)
}

/// The graph as it is rewritten.
struct Splitting<'a> {
    graph: &'a Graph,
    cuts: Cuts,
    out: Graph,
    /// The parts of values that are there in parts.
    parts: HashMap<ValueId, Vec<ValueId>>,
    /// Values that are there in parts only.
    apart: HashSet<ValueId>,
}

impl<'a> Splitting<'a> {
    fn new(graph: &'a Graph, cuts: Cuts) -> Self {
        let out = Graph { nodes: Vec::new(), ..graph.clone() };
        Self { graph, cuts, out, parts: HashMap::new(), apart: HashSet::new() }
    }

    fn graph(mut self) -> Result<Graph> {
        for (at, node) in self.graph.nodes.iter().enumerate() {
            match (&node.kind, self.cuts.ops.get(&at).cloned()) {
                (NodeKind::Op { op, .. }, Some(by_rows)) => self.op(node, op, &by_rows)?,
                (NodeKind::Reshape, _) if self.stays_apart(node) => self.reshape(node),
                _ => {
                    for &value in &node.inputs {
                        self.whole(value, node)?;
                    }
                    self.out.nodes.push(node.clone());
                }
            }
        }
        for (_, value) in &self.graph.outputs {
            self.whole(*value, &self.graph.nodes[self.graph.makers[value.0]])?;
        }
        self.out.index_makers();
        Ok(self.out)
    }

    /// Adds an op over all its parts.
    fn op(&mut self, node: &Node, op: &Arc<dyn Op>, by_rows: &ByRows) -> Result<()> {
        let mut inputs = vec![Vec::new(); self.cuts.parts.len()];
        for (&value, &cut) in node.inputs.iter().zip(&by_rows.inputs) {
            if cut {
                let parts = self.parts_of(value, node)?;
                inputs.iter_mut().zip(parts).for_each(|(inputs, part)| inputs.push(part));
            } else {
                self.whole(value, node)?;
                inputs.iter_mut().for_each(|inputs| inputs.push(value));
            }
        }
        let specs = self.graph.specs(&node.inputs);
        let ranges: Vec<_> = self.cuts.ranges(by_rows.rows).collect();
        let mut results = vec![Vec::new(); node.outputs.len()];
        for (inputs, range) in inputs.into_iter().zip(ranges) {
            let part = op.over_rows(&specs, range).unwrap_or_else(|| Arc::clone(op));
            let made = self.add(part, inputs, node)?;
            results.iter_mut().zip(made).for_each(|(parts, value)| parts.push(value));
        }
        for ((&value, parts), joined) in node.outputs.iter().zip(results).zip(&by_rows.outputs) {
            match joined {
                Joined::Rows => {
                    self.parts.insert(value, parts);
                    self.apart.insert(value);
                }
                Joined::Sum => self.sum(value, &parts, node)?,
            }
        }
        Ok(())
    }

    /// `value` as the sum of its parts, from the first on.
    fn sum(&mut self, value: ValueId, parts: &[ValueId], node: &Node) -> Result<()> {
        let (&last, before) = parts.split_last().ok_or_else(no_parts)?;
        let (&first, others) = before.split_first().ok_or_else(no_parts)?;
        let add: Arc<dyn Op> = Arc::new(Chain::one(Function::Add));
        let mut sum = first;
        for &part in others {
            sum = self.add(Arc::clone(&add), vec![sum, part], node)?[0];
        }
        self.add_as(add, vec![sum, last], node, Some(value)).map(drop)
    }

    /// Whether a reshape's parts are those of its input.
    fn stays_apart(&self, node: &Node) -> bool {
        let whole =
            |value: &ValueId| rows(&self.graph.values[value.0]).is_multiple_of(self.cuts.units);
        self.apart.contains(&node.inputs[0]) && whole(&node.inputs[0]) && whole(&node.outputs[0])
    }

    fn reshape(&mut self, node: &Node) {
        let (from, to) = (node.inputs[0], node.outputs[0]);
        let spec = &self.graph.values[to.0];
        let ranges: Vec<_> = self.cuts.ranges(rows(spec)).collect();
        let parts = self.parts[&from].clone().into_iter().zip(ranges).map(|(part, range)| {
            let spec = spec.with_rows(range.len());
            self.out.push(NodeKind::Reshape, vec![part], vec![spec], &node.scope, node.phase)[0]
        });
        let parts = parts.collect();
        self.parts.insert(to, parts);
        self.apart.insert(to);
    }

    /// The parts of a value for `node`: cut out of it where it is there as a whole.
    fn parts_of(&mut self, value: ValueId, node: &Node) -> Result<Vec<ValueId>> {
        if let Some(parts) = self.parts.get(&value) {
            return Ok(parts.clone());
        }
        let ranges: Vec<_> = self.cuts.ranges(rows(&self.graph.values[value.0])).collect();
        let mut parts = Vec::new();
        for range in ranges {
            let slice = Arc::new(Slice { axis: 0, start: range.start, len: range.len() });
            parts.push(self.add(slice, vec![value], node)?[0]);
        }
        self.parts.insert(value, parts.clone());
        Ok(parts)
    }

    /// Sees to it that a value is there as a whole for `node`.
    fn whole(&mut self, value: ValueId, node: &Node) -> Result<()> {
        if !self.apart.remove(&value) {
            return Ok(());
        }
        let mut parts = self.parts[&value].clone();
        let concat = Arc::new(Concat { axis: 0 });
        while parts.len() > concat::MOST_INPUTS {
            let mut fewer = Vec::new();
            for some in parts.chunks(concat::MOST_INPUTS) {
                fewer.push(self.add(Arc::clone(&concat) as _, some.to_vec(), node)?[0]);
            }
            parts = fewer;
        }
        self.add_as(concat, parts, node, Some(value)).map(drop)
    }

    fn add(&mut self, op: Arc<dyn Op>, inputs: Vec<ValueId>, node: &Node) -> Result<Vec<ValueId>> {
        self.add_as(op, inputs, node, None)
    }

    /// Adds an op of `node`'s layer and phase; its only result is `value` where one is given.
    fn add_as(
        &mut self,
        op: Arc<dyn Op>,
        inputs: Vec<ValueId>,
        node: &Node,
        value: Option<ValueId>,
    ) -> Result<Vec<ValueId>> {
        let refused = |why| Error::Internal(format!("{} in parts: {why}", node.scope));
        let problem = op.problem(&self.out.specs(&inputs)).map_err(refused)?;
        let specs = problem.output_specs();
        let kind = NodeKind::Op { op, problem: Arc::from(problem) };
        let (scope, phase) = (node.scope.clone(), node.phase);
        Ok(match value {
            Some(value) => {
                let outputs = vec![value];
                self.out.nodes.push(Node { kind, inputs, outputs: outputs.clone(), scope, phase });
                outputs
            }
            None => self.out.push(kind, inputs, specs, &scope, phase),
        })
    }
}

fn no_parts() -> Error {
    Error::Internal("a value in fewer than two parts".into())
}
