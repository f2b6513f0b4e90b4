//! Connectionist temporal classification (Graves 2006): the loss of unsegmented label sequences and
//! its gradient, by the forward-backward algorithm.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{
    Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch, unnamed,
};
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

mod reference;
#[cfg(test)]
mod tests;

/// Operations of one state of one frame: an exponential, two additions and a product in each direction,
/// and two products and an addition for its share of the gradient.
const EACH: u64 = 10;

/// Rows of the trellis in memory, for sequences whose rows workgroup memory does not hold.
const ROWS_IN_MEMORY: &str = "\
@group(0) @binding(7) var<storage, read_write> rows: array<vec2<i32>>;
fn row(b: u32, i: u32) -> vec2<i32> { return rows[b * 2u * ROW + i]; }
fn set_row(b: u32, i: u32, value: vec2<i32>) { rows[b * 2u * ROW + i] = value; }
fn synchronise() { storageBarrier(); }
";

/// Inputs log_probs [B, T, C], frames u32 `[B]`, labels u32 [B, L], label_lengths u32 `[B]`; the last class
/// is the blank, labels are below it, and what lies behind an utterance's own length is not read.
/// Outputs:
/// - loss `[B]`: -ln p(labels | log_probs), natural logarithm; no label in no frame costs 0;
/// - grad [B, T, C]: d loss`[b]` / d log_probs[b, t, c] with log_probs taken as free variables: minus the
///   posterior probability that frame t is of class c; 0 at t >= frames`[b]`.
///
/// Labels that do not fit into the frames (repeated ones need a blank between) have probability 0: the
/// loss is +infinity and the gradient 0. A log-probability below -100,000 counts as minus infinity.
/// grad has no gradient itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ctc;

/// Sizes of one problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    batch: usize,
    steps: usize,
    classes: usize,
    labels: usize,
}

impl Size {
    fn of(inputs: &[TensorSpec]) -> Result<Self, String> {
        let (log_probs, labels) = (&inputs[0], &inputs[2]);
        let (&[batch, steps, classes], DType::F32) = (log_probs.dims(), log_probs.dtype) else {
            return Err(format!("takes an f32 [B, T, C], not {log_probs}"));
        };
        let &[_, length] = labels.dims() else {
            return Err(format!("the labels of {log_probs} cannot be {labels}"));
        };
        if steps * batch * length == 0 || classes < 2 {
            return Err(format!(
                "{log_probs} and {labels}: every axis needs a length, and there are a class and the blank"
            ));
        }
        let each = TensorSpec::u32([batch]);
        if *labels != TensorSpec::u32([batch, length]) || inputs[1] != each || inputs[3] != each {
            return Err(format!(
                "{log_probs} takes frames u32[{batch}], labels u32[{batch}, L] and their lengths \
                 u32[{batch}], not {}, {labels} and {}",
                inputs[1], inputs[3]
            ));
        }
        Ok(Self { batch, steps, classes, labels: length })
    }

    /// The labels and the blanks around them.
    fn states(self) -> usize {
        2 * self.labels + 1
    }

    /// Words of two rows with what surrounds them: a value is a mantissa and an exponent.
    fn rows(self) -> usize {
        2 * 2 * (self.states() + 4)
    }
}

impl OldOp for Ctc {
    fn name(&self) -> &'static str {
        "ctc"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let size = Size::of(inputs)?;
        Ok(vec![TensorSpec::f32([size.batch]), inputs[0].clone()])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = Size::of(inputs)
            .map_or(0, |size| (size.batch * size.steps * size.states()) as u64 * EACH);
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        let Ok(size) = Size::of(inputs) else {
            return vec![];
        };
        let by = |lanes: usize, shared: u32| {
            Variant::new("trellis", [("LANES", lanes as u32), ("SHARED", shared)])
        };
        let most = caps.max_invocations.min(256) as usize;
        let one_each = size.states().next_multiple_of(32).min(most);
        let mut all = Vec::new();
        if size.rows() * 4 <= caps.max_shared as usize {
            all.push(by(one_each, 1));
            if one_each > 32 {
                all.push(by((one_each / 2).next_multiple_of(32), 1));
            }
        }
        all.push(by(one_each, 0));
        all
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = Size::of(io.inputs) else {
            return Lowered::default();
        };
        let lanes = variant.get("LANES");
        let states = size.states() as u32;
        let consts = [("LANES", lanes), ("STATES", states), ("PER", states.div_ceil(lanes))];
        let mut kernel = Kernel::new("ctc/trellis").with_consts(&consts);
        let mut bindings: Vec<_> = (0..4).map(input).collect();
        bindings.extend([output(0), output(1), scratch(0)]);
        let mut made = vec![TensorSpec::u32([size.batch, size.steps, size.states(), 2])];
        if variant.get("SHARED") == 0 {
            kernel = kernel.with_hook("rows", ROWS_IN_MEMORY);
            bindings.push(scratch(1));
            made.push(TensorSpec::u32([size.batch, size.rows()]));
        }
        let dispatch = Dispatch {
            kernel,
            bindings,
            params: unnamed(vec![
                size.batch as u32,
                size.steps as u32,
                size.classes as u32,
                size.labels as u32,
                f32::INFINITY.to_bits(),
            ]),
            grid: grid(size.batch, io.caps),
        };
        Lowered { dispatches: vec![dispatch], scratch: made }
    }

    /// The gradient was made with the loss; a gradient of it there is not.
    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let d = match dy {
            [Some(loss), None] => Some(loss.reshape([loss.spec().len(), 1, 1]) * y[1]),
            _ => None,
        };
        let mut all = vec![None; x.len()];
        all[0] = d;
        all
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        reference::loss_and_gradient(inputs)
    }

    /// Every frame adds a few rounding errors to a path's probability. They are relative to that: a
    /// loss near 0, of a probability near 1, has fewer digits than a sum of as many terms.
    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(Size::of(inputs).map_or(1, |size| 16 * size.steps))
    }

    /// Rows that are log-softmaxes, as they are in models; one utterance with all frames, the others
    /// with any number; labels that mostly fit, with repeats. Where ties are asked for, some classes
    /// are ruled out by a logarithm of minus infinity.
    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let Ok(size) = Size::of(inputs) else {
            return vec![];
        };
        let mut log_probs = distribution.array(&inputs[0], 1, rng);
        for row in log_probs.data.chunks_mut(size.classes) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
            row.iter_mut().for_each(|x| *x -= largest + sum.ln());
            if distribution == Distribution::Ties && rng.uniform() < 0.1 {
                row[rng.below(size.classes)] = f64::NEG_INFINITY;
            }
        }
        let (mut frames, mut labels, mut lengths) = (vec![], vec![], vec![]);
        for b in 0..size.batch {
            let end = if b == 0 { size.steps } else { rng.below(size.steps + 1) };
            // Repeats make some of the longest impossible.
            let length = rng.below(size.labels.min(end) + 1);
            let mut last = 0;
            for _ in 0..size.labels {
                if rng.uniform() > 0.2 {
                    last = rng.below(size.classes - 1);
                }
                labels.push(last as f64);
            }
            frames.push(end as f64);
            lengths.push(length as f64);
        }
        vec![
            log_probs,
            Array::new(inputs[1].clone(), frames),
            Array::new(inputs[2].clone(), labels),
            Array::new(inputs[3].clone(), lengths),
        ]
    }

    /// Fewer utterances: each is a workgroup of its own.
    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let fewer = |spec: &TensorSpec| {
            let mut dims = spec.dims().to_vec();
            dims[0] = dims[0].min(4);
            TensorSpec::new(dims, spec.dtype)
        };
        inputs.iter().map(fewer).collect()
    }
}

impl<'g> Tensor<'g> {
    /// The CTC loss of each utterance, `[B]` (Graves 2006), of `self`, log-probabilities [B, T, C] whose
    /// last class is the blank. `frames` u32 `[B]` and `label_lengths` u32 `[B]` tell how much of T and of
    /// `labels` u32 [B, L] each utterance has. Labels that cannot fit cost +infinity.
    pub fn ctc_loss(
        self,
        frames: Tensor<'g>,
        labels: Tensor<'g>,
        label_lengths: Tensor<'g>,
    ) -> Tensor<'g> {
        let inputs = [self, frames, labels, label_lengths];
        self.graph().apply(Ctc, &inputs)[0]
    }
}

/// Cases of [`Ctc`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "ctc"
    }

    fn cases(&self) -> Vec<Case> {
        let case = |(batch, steps, classes, labels): (usize, usize, usize, usize)| {
            let each = TensorSpec::u32([batch]);
            let inputs = [
                TensorSpec::f32([batch, steps, classes]),
                each.clone(),
                TensorSpec::u32([batch, labels]),
                each,
            ];
            Case::new(format!("b{batch}_t{steps}_c{classes}_l{labels}"), Ctc, inputs)
        };
        let sizes = [
            (1, 1, 2, 1),
            (3, 1, 3, 2),
            (5, 2, 2, 1),
            (7, 9, 4, 5),
            (4, 64, 62, 12),
            (3, 40, 7, 33),
            (2, 300, 5, 131),
            (2, 783, 62, 75),
            (1, 1100, 9, 1030),
            (66_000, 2, 3, 1),
        ];
        sizes.map(case).into()
    }
}
