//! The forward-backward algorithm in f64, with true infinities.

use crate::host::parallel::*;
use crate::op::softmax::log_sum_exp;
use crate::tensor::Array;

use super::CtcProblem;

impl CtcProblem {
    /// Loss `[B]` and gradient [B, T, C] of the op's inputs.
    pub(super) fn loss_and_gradient(&self, inputs: &[&Array]) -> Vec<Array> {
        let (classes, most_labels) = (self.classes, self.most_labels);
        let [mut loss, mut grad] = self.facts.zeros();
        let values = self.steps * classes;
        let utterances = loss.data.par_iter_mut().zip(grad.data.par_chunks_mut(values));
        utterances.enumerate().for_each(|(b, (loss, grad))| {
            let label_length = inputs[3].data[b] as usize;
            let labels = &inputs[2].data[b * most_labels..][..label_length];
            // A blank before, between and after the labels.
            let mut states = vec![classes - 1; 2 * label_length + 1];
            for (k, &label) in labels.iter().enumerate() {
                states[2 * k + 1] = label as usize;
            }
            let end = inputs[1].data[b] as usize * classes;
            *loss = utterance(&inputs[0].data[b * values..][..end], classes, &states, grad);
        });
        vec![loss, grad]
    }
}

/// The loss of one utterance; adds its gradient to `grad`. `states` are the classes of the extended
/// labelling (Graves 2006, section 4.1).
fn utterance(log_probs: &[f64], classes: usize, states: &[usize], grad: &mut [f64]) -> f64 {
    let (blank, count) = (classes - 1, states.len());
    let frames: Vec<_> = log_probs.chunks(classes).collect();
    if frames.is_empty() {
        return if count == 1 { 0.0 } else { f64::INFINITY };
    }
    let skips = |from: usize, to: usize| states[to] != blank && states[to] != states[from];

    let mut alpha = vec![vec![f64::NEG_INFINITY; count]; frames.len()];
    for (t, frame) in frames.iter().enumerate() {
        for s in 0..count {
            let arriving = if t == 0 {
                if s < 2 { 0.0 } else { f64::NEG_INFINITY }
            } else {
                let before = &alpha[t - 1];
                let mut terms = vec![before[s]];
                if s >= 1 {
                    terms.push(before[s - 1]);
                }
                if s >= 2 && skips(s - 2, s) {
                    terms.push(before[s - 2]);
                }
                log_sum_exp(&terms)
            };
            alpha[t][s] = arriving + frame[states[s]];
        }
    }
    let last = &alpha[frames.len() - 1];
    let log_p = log_sum_exp(&last[count.saturating_sub(2)..]);
    if log_p == f64::NEG_INFINITY {
        return f64::INFINITY;
    }

    // Of the frames behind t; beta[s] does not hold t's own emission.
    let mut beta: Vec<f64> =
        (0..count).map(|s| if s + 2 >= count { 0.0 } else { f64::NEG_INFINITY }).collect();
    for t in (0..frames.len()).rev() {
        if let Some(frame) = frames.get(t + 1) {
            let on = |s: usize| beta[s] + frame[states[s]];
            beta = (0..count)
                .map(|s| {
                    let mut terms = vec![on(s)];
                    if s + 1 < count {
                        terms.push(on(s + 1));
                    }
                    if s + 2 < count && skips(s, s + 2) {
                        terms.push(on(s + 2));
                    }
                    log_sum_exp(&terms)
                })
                .collect();
        }
        for s in 0..count {
            grad[t * classes + states[s]] -= (alpha[t][s] + beta[s] - log_p).exp();
        }
    }
    -log_p
}
