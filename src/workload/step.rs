//! From a model to a whole step: gradients, clipping, the update, the clock.

use std::collections::HashMap;

use crate::error::Result;
use crate::graph::group::{ALIGNMENT, numbered};
use crate::graph::{Builder, CLOCK, Graph, Init, PARAMETERS, Tensor, ValueId};
use crate::kernel::Caps;
use crate::nn::as_rows;
use crate::op::optimizer::{self, Rule};
use crate::op::sparse::Touched;
use crate::tensor::TensorSpec;
use crate::terms::{Mode, Phase};

use super::model::Model;

/// Name of the loss among a training program's outputs.
pub const LOSS: &str = "loss";

/// Name of the packed gradients among the outputs of a program that records; those of further groups are numbered.
pub const GRADIENTS: &str = "gradients";

/// Names of optimiser state, each flat in the parameters' layout; that of further groups is numbered.
pub const STATE: &[&str] = &["velocity", "m", "v", "mean", "square"];

/// The graph of a whole step for a device. One that records also outputs the model's values, every random
/// draw and the gradients; else a training step outputs its loss only.
///
/// # Errors
/// [`crate::error::Error::Internal`] with the first fault of the model's graph.
pub fn graph(model: &dyn Model, mode: Mode, caps: &Caps, recording: bool) -> Result<Graph> {
    let g = if recording { Builder::recording() } else { Builder::new() };
    let g = g.for_device(caps);
    // The clock comes first, so that every program has it. Inference has its own, which it advances if it draws: what it
    // draws between two steps of training changes nothing of what training draws.
    let clock = g.start_clock(match mode {
        Mode::Train => CLOCK,
        Mode::Infer => "clock.infer",
    });
    if let Some(loss) = model.build(&g, mode) {
        if !recording {
            g.clear_outputs();
        }
        g.output(LOSS, loss);
        train(&g, loss, model, recording);
    }
    if mode == Mode::Train || g.is_read(clock) {
        g.set_phase(Phase::Update);
        g.advance_step(clock);
    }
    g.finish()
}

/// Backward pass, clip and update.
fn train<'g>(g: &'g Builder, loss: Tensor<'g>, model: &dyn Model, recording: bool) {
    let optimizer = model.optimizer();
    let (parameters, lookups) = (g.parameters(), g.lookups());
    let rows = lookups.iter().map(|[_, _, rows]| *rows);
    let targets: Vec<_> = parameters.iter().copied().chain(rows).collect();
    let mut gradients = g.gradients(loss, &targets);
    let rows = gradients.split_off(parameters.len());
    let gradients = g.pack(PARAMETERS, &gradients);
    if recording {
        for (at, gradient) in gradients.iter().enumerate() {
            g.output(&numbered(GRADIENTS, at), *gradient);
        }
    }
    let touched = touched(g, &lookups, &rows, recording);
    g.set_phase(Phase::Update);
    let scale = match optimizer.clip {
        Some(norm) => {
            let sums = touched.iter().map(|(_, touched)| flat(touched.sums));
            g.clip_factor(&gradients.iter().copied().chain(sums).collect::<Vec<_>>(), norm)
        }
        None => g.variable("unclipped", TensorSpec::f32([]), Init::Constant(1.0)),
    };
    let rule = optimizer.rule;
    let mut updated = Vec::new();
    for (at, ((parameters, layout), gradient)) in
        g.flat(PARAMETERS).into_iter().zip(gradients).enumerate()
    {
        let spec = TensorSpec::f32([layout.len]);
        let state =
            |name: &&str| g.variable(&numbered(name, at), spec.clone(), Init::Constant(0.0));
        let before = [g.clock(), scale, gradient, parameters];
        let inputs: Vec<_> = before.into_iter().chain(rule.state().iter().map(state)).collect();
        let op = optimizer::Optimizer { rule, decayed: layout.decayed, advances: false };
        updated.push(g.scoped("optimizer", || g.apply(op, &inputs))[0]);
    }
    for (table, touched) in touched {
        let Rule::Sgd { rate } = rule else {
            return g.fail("tables updated by rows need plain gradient descent".into());
        };
        g.scoped(&g.member_name(table), || g.sparse_sgd(as_rows(table), touched, scale, rate));
    }
    model.after_update(g, &updated);
}

/// The gradients of the tables that were looked up, by the rows they were looked up at.
fn touched<'g>(
    g: &'g Builder,
    lookups: &[[Tensor<'g>; 3]],
    rows: &[Tensor<'g>],
    recording: bool,
) -> Vec<(Tensor<'g>, Touched<'g>)> {
    let mut orders: HashMap<ValueId, Tensor<'g>> = HashMap::new();
    let touch = |(&[table, ids, _], rows): (&[Tensor<'g>; 3], &Tensor<'g>)| {
        let name = g.member_name(table);
        let touched = g.scoped(&name, || {
            let places = ids.spec().len();
            let flat = ids.reshape([places]);
            let order = *orders.entry(ids.id).or_insert_with(|| flat.sort_ids());
            let width = as_rows(table).spec().shape.last();
            g.touched(flat, order, rows.reshape([places, width]))
        });
        if recording {
            let shape = table.spec().shape;
            let dense = touched.dense(shape.dims()[0]).reshape(shape);
            g.output(&format!("grad/{name}"), dense);
        }
        (table, touched)
    };
    lookups.iter().zip(rows).map(touch).collect()
}

/// A tensor as one row, filled up to whole 256 bytes.
fn flat(x: Tensor<'_>) -> Tensor<'_> {
    let len = x.spec().len();
    let gap = len.next_multiple_of(ALIGNMENT) - len;
    let flat = x.reshape([len]);
    if gap > 0 { flat.pad(0, 0, gap) } else { flat }
}
