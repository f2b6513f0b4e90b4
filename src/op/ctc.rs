//! Connectionist temporal classification (Graves 2006): the loss of unsegmented label sequences and
//! its gradient, by the forward-backward algorithm.

use crate::graph::Tensor;
use crate::graph::op::{Backward, Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

mod reference;
#[cfg(test)]
mod tests;

/// Operations of one state of one frame: an exponential, two additions and a product in each direction,
/// and two products and an addition for its share of the gradient.
const FLOPS: u64 = 10;

/// Values that an invocation of the trellis has asked for ahead, one a step and state.
const AHEAD: usize = 4;

/// Frames of a workgroup that makes the gradient.
const FRAMES: usize = 64;

/// Rows of the trellis in memory, for sequences whose rows workgroup memory does not hold.
const ROWS_IN_MEMORY: &str = "\
@group(0) @binding(7) var<storage, read_write> rows: array<vec2<i32>>;
fn row(w: u32, i: u32) -> vec2<i32> { return rows[w * 2u * ROW + i]; }
fn set_row(w: u32, i: u32, value: vec2<i32>) { rows[w * 2u * ROW + i] = value; }
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

impl Op for Ctc {
    fn kind(&self) -> Kind {
        Kind::new("ctc", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (log_probs, labels) = (&inputs[0], &inputs[2]);
        let (&[batch, steps, classes], DType::F32) = (log_probs.dims(), log_probs.dtype) else {
            return Err(format!("takes an f32 [B, T, C], not {log_probs}"));
        };
        let &[_, most_labels] = labels.dims() else {
            return Err(format!("the labels of {log_probs} cannot be {labels}"));
        };
        if steps * batch * most_labels == 0 || classes < 2 {
            return Err(format!(
                "{log_probs} and {labels}: every axis needs a length, and there are a class and the blank"
            ));
        }
        if *inputs != input_specs(batch, steps, classes, most_labels) {
            return Err(format!(
                "{log_probs} takes frames u32[{batch}], labels u32[{batch}, L] and their lengths \
                 u32[{batch}], not {}, {labels} and {}",
                inputs[1], inputs[3]
            ));
        }
        let outputs = [TensorSpec::f32([batch]), log_probs.clone()];
        let states = 2 * most_labels + 1;
        let flops = (batch * steps * states) as u64 * FLOPS;
        // Every frame adds a few rounding errors to a path's probability. They are relative to that: a
        // loss near 0, of a probability near 1, has fewer digits than a sum of as many terms.
        let facts = Facts::moving(flops, inputs, outputs, Tolerance::sum(16 * steps));
        Ok(Box::new(CtcProblem { batch, steps, classes, most_labels, states, facts }))
    }

    /// The gradient was made with the loss; a gradient of it there is not.
    fn gradient<'g>(&self, Backward { y, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let d_log_probs = match dy {
            [Some(d_loss), None] => Some(d_loss.reshape([d_loss.spec().len(), 1, 1]) * y[1]),
            _ => None,
        };
        vec![d_log_probs, None, None, None]
    }
}

/// Log-probabilities, frames, labels and their lengths.
fn input_specs(batch: usize, steps: usize, classes: usize, labels: usize) -> [TensorSpec; 4] {
    let lengths = TensorSpec::u32([batch]);
    let log_probs = TensorSpec::f32([batch, steps, classes]);
    [log_probs, lengths.clone(), TensorSpec::u32([batch, labels]), lengths]
}

#[derive(Debug)]
struct CtcProblem {
    batch: usize,
    steps: usize,
    classes: usize,
    most_labels: usize,
    /// The most labels and the blanks around them.
    states: usize,
    /// Outputs: loss and gradient.
    facts: Facts,
}

impl CtcProblem {
    /// Words of two rows of the trellis with what surrounds them: a value is a mantissa and an exponent.
    fn row_words(&self) -> usize {
        2 * 2 * (self.states + 4)
    }
}

impl Problem for CtcProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let by = |lanes: usize, shared: u32| {
            Variant::new("trellis", [("LANES", lanes as u32), ("SHARED", shared)])
        };
        let most_lanes = caps.max_invocations.min(256) as usize;
        let lanes = self.states.next_multiple_of(32).min(most_lanes);
        let mut variants = Vec::new();
        if self.row_words() * 4 <= caps.max_shared as usize {
            // One subgroup, which waits for no other at the barrier of each step.
            if caps.software && self.states <= 64 {
                variants.push(by(8, 1));
            }
            variants.push(by(lanes, 1));
            if lanes > 32 {
                variants.push(by((lanes / 2).next_multiple_of(32), 1));
            }
        }
        variants.push(by(lanes, 0));
        variants
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let lanes = variant.get("LANES") as usize;
        let per = self.states.div_ceil(lanes);
        let kernel = Kernel::new("ctc/trellis").with_consts(&[
            ("LANES", lanes),
            ("STATES", self.states),
            ("PER", per),
            ("AHEAD", AHEAD.div_ceil(per)),
        ]);
        let [across, down, _] = grid(self.batch, caps);
        let mut trellis = Dispatch::new(kernel, [across, down, 2])
            .bind("log_probs", input(0))
            .bind("frames", input(1))
            .bind("labels", input(2))
            .bind("label_lengths", input(3))
            .bind("loss", output(0))
            .bind("alphas", scratch(0))
            .bind("betas", scratch(1))
            .param("batch", self.batch)
            .param("steps", self.steps)
            .param("classes", self.classes)
            .param("labels", self.most_labels)
            .param("infinity", f32::INFINITY);
        let mut scratches = vec![TensorSpec::u32([self.batch, self.steps, self.states, 2]); 2];
        if variant.get("SHARED") == 0 {
            trellis.kernel = trellis.kernel.with_hook("rows", ROWS_IN_MEMORY);
            trellis = trellis.bind("rows", scratch(2));
            scratches.push(TensorSpec::u32([2 * self.batch, self.row_words()]));
        }
        let frames = (self.batch * self.steps).div_ceil(FRAMES);
        let kernel =
            Kernel::new("ctc/gradient").with_consts(&[("LANES", FRAMES), ("STATES", self.states)]);
        let gradient = Dispatch::new(kernel, grid(frames, caps))
            .bind("frames", input(1))
            .bind("labels", input(2))
            .bind("label_lengths", input(3))
            .bind("alphas", scratch(0).read())
            .bind("betas", scratch(1).read())
            .bind("grad", output(1))
            .param("batch", self.batch)
            .param("steps", self.steps)
            .param("classes", self.classes)
            .param("labels", self.most_labels);
        Lowered { dispatches: vec![trellis, gradient], scratch: scratches }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        self.loss_and_gradient(inputs)
    }

    /// Rows that are log-softmaxes, as they are in models; one utterance with all frames, the others
    /// with any number; labels that mostly fit, with repeats. Where ties are asked for, some classes
    /// are ruled out by a logarithm of minus infinity.
    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut log_probs = sampler.array(&x[0], 1);
        for row in log_probs.data.chunks_mut(self.classes) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
            row.iter_mut().for_each(|x| *x -= largest + sum.ln());
            if sampler.distribution == Distribution::Ties && sampler.rng.uniform() < 0.1 {
                row[sampler.rng.below(self.classes)] = f64::NEG_INFINITY;
            }
        }
        let (mut frames, mut labels, mut label_lengths) = (vec![], vec![], vec![]);
        for b in 0..self.batch {
            let length = if b == 0 { self.steps } else { sampler.rng.below(self.steps + 1) };
            frames.push(length as f64);
            // Repeats make some of the longest impossible.
            label_lengths.push(sampler.rng.below(self.most_labels.min(length) + 1) as f64);
            let mut label = 0;
            for _ in 0..self.most_labels {
                if sampler.rng.uniform() > 0.2 {
                    label = sampler.rng.below(self.classes - 1);
                }
                labels.push(label as f64);
            }
        }
        let rest = [frames, labels, label_lengths].into_iter().zip(&x[1..]);
        let rest = rest.map(|(data, spec)| Array::new(spec.clone(), data));
        std::iter::once(log_probs).chain(rest).collect()
    }

    /// Fewer utterances: each is a workgroup of its own.
    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        const FEW: usize = 4;
        let Self { steps, classes, most_labels, .. } = *self;
        (self.batch > FEW).then(|| input_specs(FEW, steps, classes, most_labels).to_vec())
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

/// Awkward cases of [`Ctc`].
pub(super) fn cases() -> Vec<Case> {
    let case = |(batch, steps, classes, labels): (usize, usize, usize, usize)| {
        let inputs = input_specs(batch, steps, classes, labels);
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
