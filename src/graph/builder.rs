//! A graph under construction, by chaining [`Tensor`]s.
//!
//! Builder methods return tensors, not results: the graph keeps the first error with its place, and
//! [`Builder::finish`] returns it. Model files stay free of `?`.

use std::cell::RefCell;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::{Caps, MOST_RANGES};
use crate::tensor::{DType, Shape, TensorSpec};
use crate::terms::Phase;

use super::op::Op;
use super::{CLOCK, Graph, Init, NodeKind, PARAMETERS, ValueId};

#[derive(Debug, Default)]
struct Inner {
    graph: Graph,
    scope: Vec<String>,
    phase: Option<Phase>,
    clock: Option<ValueId>,
    recording: bool,
    /// Most bytes of one tensor that a kernel can bind, and of one buffer; without a device any number.
    limits: Option<(u64, u64)>,
    /// Tables, ids and rows whose tables learn: see [`Builder::learn_rows`].
    lookups: Vec<[ValueId; 3]>,
    /// The set that takes parameters in the place of [`PARAMETERS`].
    other_parameters: Option<String>,
    error: Option<String>,
}

/// A graph under construction.
#[derive(Debug, Default)]
pub struct Builder {
    inner: RefCell<Inner>,
}

/// A value in a graph: a copyable handle.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'g> {
    pub(crate) id: ValueId,
    graph: &'g Builder,
}

impl<'g> Tensor<'g> {
    /// Shape and type.
    pub fn spec(&self) -> TensorSpec {
        self.graph.inner.borrow().graph.values[self.id.0].clone()
    }

    /// The graph it belongs to.
    pub fn graph(&self) -> &'g Builder {
        self.graph
    }

    /// The same values under another shape of as many elements.
    pub fn reshape(self, shape: impl Into<Shape>) -> Tensor<'g> {
        let (from, shape) = (self.spec(), shape.into());
        if from.shape == shape {
            return self;
        }
        if from.len() != shape.len() {
            let text =
                format!("reshape: {} and {shape} differ in their number of elements", from.shape);
            self.graph.fail(text);
        }
        let spec = TensorSpec::new(shape, from.dtype);
        self.graph.add(NodeKind::Reshape, &[self], vec![spec])[0]
    }
}

impl Builder {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// An input `name`, written from outside before a step.
    pub fn input(&self, name: &str, shape: impl Into<Shape>, dtype: DType) -> Tensor<'_> {
        let spec = TensorSpec::new(shape, dtype);
        let name = name.to_string();
        self.add(NodeKind::Input { name }, &[], vec![spec])[0]
    }

    /// State that outlives steps, outside any group.
    pub fn variable(&self, name: &str, spec: TensorSpec, init: Init) -> Tensor<'_> {
        let other = self.with_graph(|graph| {
            graph.nodes.iter().any(|node| {
                matches!(&node.kind, NodeKind::Variable { name: known, .. } if known == name)
                    && graph.values[node.outputs[0].0].bytes() != spec.bytes()
            })
        });
        if other {
            self.fail(format!("the state {name} has two sizes"));
        }
        let name = name.to_string();
        self.add(NodeKind::Variable { name, init }, &[], vec![spec])[0]
    }

    /// The gradient of a loss with respect to itself, times `factor`, of any shape.
    pub(crate) fn loss_gradient(&self, spec: TensorSpec, factor: f32) -> Tensor<'_> {
        // State is known by its name: one for each length and factor.
        let name = format!("one.{}.{factor}", spec.len());
        self.variable(&name, spec, Init::LossGradient { factor })
    }

    /// `x` with `shape` and times `factor`, where it is the loss's own gradient, under whatever shape: the same
    /// number, as another constant, costs no dispatch.
    pub(crate) fn constant(&self, x: Tensor<'_>, shape: &Shape, factor: f32) -> Option<Tensor<'_>> {
        let before = self.with_graph(|graph| {
            let mut node = &graph.nodes[graph.makers[x.id.0]];
            while matches!(node.kind, NodeKind::Reshape) {
                node = &graph.nodes[graph.makers[node.inputs[0].0]];
            }
            match node.kind {
                NodeKind::Variable { init: Init::LossGradient { factor }, .. } => Some(factor),
                _ => None,
            }
        })?;
        Some(self.loss_gradient(TensorSpec::f32(shape.clone()), before * factor))
    }

    /// The step's clock, u32 `[4]`: step, seed low, seed high, unused. Random ops read it.
    pub fn clock(&self) -> Tensor<'_> {
        let known = self.inner.borrow().clock;
        known.map_or_else(|| self.start_clock(CLOCK), |id| Tensor { id, graph: self })
    }

    /// The step's clock as state `name`: steps that share the name share the clock.
    pub fn start_clock(&self, name: &str) -> Tensor<'_> {
        let clock = self.variable(name, TensorSpec::u32([4]), Init::Clock);
        self.inner.borrow_mut().clock = Some(clock.id);
        clock
    }

    /// Whether an op reads a value.
    pub(crate) fn is_read(&self, value: Tensor<'_>) -> bool {
        self.with_graph(|graph| graph.nodes.iter().any(|node| node.inputs.contains(&value.id)))
    }

    /// A graph that also outputs every random draw, for snapshots.
    pub fn recording() -> Self {
        let graph = Self::default();
        graph.inner.borrow_mut().recording = true;
        graph
    }

    /// The same for a device: layers cut weights larger than it can bind, and sets of parameters larger than it lets
    /// a buffer be are several groups.
    pub fn for_device(self, caps: &Caps) -> Self {
        self.inner.borrow_mut().limits = Some((caps.max_binding, caps.max_buffer));
        self
    }

    /// Most bytes of one weight of a product.
    pub fn max_weight(&self) -> u64 {
        let limits = self.inner.borrow().limits;
        limits.map_or(u64::MAX, |(binding, buffer)| buffer.min(binding.saturating_mul(MOST_RANGES)))
    }

    /// Most bytes of one buffer.
    pub fn max_buffer(&self) -> u64 {
        self.inner.borrow().limits.map_or(u64::MAX, |(_, buffer)| buffer)
    }

    pub(crate) fn other_parameters(&self) -> Option<String> {
        self.inner.borrow().other_parameters.clone()
    }

    pub(crate) fn parameter_group(&self) -> String {
        self.other_parameters().unwrap_or_else(|| PARAMETERS.into())
    }

    pub(crate) fn replace_parameter_group(&self, group: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.inner.borrow_mut().other_parameters, group)
    }

    /// Notes that `rows` are those of `table` that `ids` name, and that training changes the table there.
    pub(crate) fn learn_rows(&self, table: Tensor<'_>, ids: Tensor<'_>, rows: Tensor<'_>) {
        let mut inner = self.inner.borrow_mut();
        if inner.lookups.iter().any(|known| known[0] == table.id) {
            drop(inner);
            return self.fail("a table is looked up twice in one step: concatenate the ids".into());
        }
        inner.lookups.push([table.id, ids.id, rows.id]);
    }

    /// Table, ids and rows of each lookup so far.
    pub(crate) fn lookups(&self) -> Vec<[Tensor<'_>; 3]> {
        let known = self.inner.borrow().lookups.clone();
        known.into_iter().map(|ids| ids.map(|id| self.tensor(id))).collect()
    }

    /// The name of a group's member, as in a snapshot.
    pub(crate) fn member_name(&self, member: Tensor<'_>) -> String {
        self.with_graph(|graph| match graph.nodes[graph.makers[member.id.0]].kind {
            NodeKind::Member { group, member, .. } => {
                graph.groups[group].members[member].name.clone()
            }
            _ => String::new(),
        })
    }

    /// Whether random draws are to be outputs.
    pub fn is_recording(&self) -> bool {
        self.inner.borrow().recording
    }

    /// Runs `build` with `name` added to the scope of all that it makes.
    pub fn scoped<T>(&self, name: &str, build: impl FnOnce() -> T) -> T {
        self.inner.borrow_mut().scope.push(name.to_string());
        let built = build();
        self.inner.borrow_mut().scope.pop();
        built
    }

    /// The scope, dots between: `encoder.hidden`.
    pub fn scope(&self) -> String {
        self.inner.borrow().scope.join(".")
    }

    /// Sets the part of the step that following nodes belong to.
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.inner.borrow_mut().phase = Some(phase);
    }

    /// Adds an op. An impossible one, as is any with an input of no elements, records the error and yields tensors of none.
    pub fn apply<'g>(&'g self, op: impl Op, inputs: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
        self.apply_shared(Arc::new(op), inputs)
    }

    /// The same for an op that others hold as well.
    pub fn apply_shared<'g>(&'g self, op: Arc<dyn Op>, inputs: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
        let specs: Vec<_> = inputs.iter().map(Tensor::spec).collect();
        let problem = match specs.iter().find(|spec| spec.is_empty()) {
            Some(empty) => Err(format!("{empty} has no elements")),
            None => op.problem(&specs),
        };
        match problem {
            Ok(problem) => {
                let outputs = problem.output_specs();
                self.add(NodeKind::Op { op, problem: Arc::from(problem) }, inputs, outputs)
            }
            Err(why) => {
                self.fail(format!("{}: {why}", op.kind().name));
                // Stand-ins, so that building goes on to its end; the graph is refused there.
                let spec = TensorSpec::f32([0]);
                (0..4).map(|_| self.input("impossible", spec.shape.clone(), spec.dtype)).collect()
            }
        }
    }

    /// Adds an op with one output.
    pub fn apply1<'g>(&'g self, op: impl Op, inputs: &[Tensor<'g>]) -> Tensor<'g> {
        self.apply(op, inputs)[0]
    }

    /// Marks a value to be read from outside after a step.
    pub fn output(&self, name: &str, value: Tensor<'_>) {
        let mut inner = self.inner.borrow_mut();
        inner.graph.outputs.push((name.to_string(), value.id));
    }

    /// Forgets all outputs marked so far.
    pub fn clear_outputs(&self) {
        self.with_graph(|graph| graph.outputs.clear());
    }

    /// Records an error at the present scope; the first one counts.
    pub fn fail(&self, what: String) {
        let scope = self.scope();
        let place = if scope.is_empty() { String::new() } else { format!("{scope}.") };
        self.inner.borrow_mut().error.get_or_insert(place + &what);
    }

    /// The finished graph, without what is not needed.
    ///
    /// # Errors
    /// [`Error::Internal`] with the first error of any builder method.
    pub fn finish(self) -> Result<Graph> {
        let inner = self.inner.into_inner();
        match inner.error {
            Some(error) => Err(Error::Internal(error)),
            None => Ok(inner.graph.pruned()),
        }
    }

    pub(crate) fn add<'g>(
        &'g self,
        kind: NodeKind,
        inputs: &[Tensor<'g>],
        specs: Vec<TensorSpec>,
    ) -> Vec<Tensor<'g>> {
        let scope = self.scope();
        let mut inner = self.inner.borrow_mut();
        let phase = inner.phase.unwrap_or(Phase::Forward);
        let inputs = inputs.iter().map(|t| t.id).collect();
        let outputs = inner.graph.push(kind, inputs, specs, &scope, phase);
        let tensor = |id| Tensor { id, graph: self };
        outputs.into_iter().map(tensor).collect()
    }

    pub(crate) fn tensor(&self, id: ValueId) -> Tensor<'_> {
        Tensor { id, graph: self }
    }

    /// Looks at the graph so far.
    pub(crate) fn with_graph<T>(&self, look: impl FnOnce(&mut Graph) -> T) -> T {
        look(&mut self.inner.borrow_mut().graph)
    }
}
