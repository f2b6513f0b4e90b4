//! Deep Speech (Hannun 2014): three dense layers, a bidirectional plain recurrence, a dense layer, CTC.

use burn::tensor::activation::{hardtanh, log_softmax};
use burn::tensor::module::ctc_loss;
use burn::tensor::{Bool, Int, Tensor};

use super::{Outputs, dense};
use crate::optim::{Optimizer, Rule};
use crate::values::Values;

const DROPOUT: f64 = 0.05;

pub fn optimizer(_: &Values) -> Optimizer {
    Optimizer::new(Rule::Nesterov(0.99), 1e-4).clipped(100.0)
}

/// min(max(x, 0), 20)
fn clipped_relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    hardtanh(x, 0.0, 20.0)
}

/// Equation 1, with the dropout of section 2.1.
fn layer(values: &Values, x: Tensor<3>, name: &str) -> Tensor<3> {
    values.dropout(clipped_relu(dense(values, x, name)), name, DROPOUT)
}

/// h[t] = r(x[t] + h[t - 1] weight), or of h[t + 1] in reverse; 0 past an utterance's end.
fn recurrence(x: &Tensor<3>, weight: Tensor<2>, inside: &Tensor<2>, reverse: bool) -> Tensor<3> {
    let [batch, time, units] = x.dims();
    let mut h = Tensor::<2>::zeros([batch, units], &x.device());
    let mut states = vec![h.clone(); time];
    for i in 0..time {
        let t = if reverse { time - 1 - i } else { i };
        let at = x.clone().narrow(1, t, 1).squeeze_dim::<2>(1);
        h = clipped_relu(at + h.matmul(weight.clone())) * inside.clone().narrow(1, t, 1);
        states[t] = h.clone();
    }
    Tensor::stack(states, 1)
}

/// The best path (Graves 2006, section 3.2): repeats merged, blanks dropped, the rest -1.
fn decoded(log_probs: Tensor<3>, inside: Tensor<2, Bool>) -> Tensor<2, Int> {
    let [batch, time, classes] = log_probs.dims();
    let device = log_probs.device();
    let best = log_probs.argmax(2).squeeze_dim::<2>(2);
    let none = Tensor::<2, Int>::full([batch, 1], -1, &device);
    let before = Tensor::cat(vec![none, best.clone().narrow(1, 0, time - 1)], 1);
    let blank = best.clone().equal_elem(classes as i64 - 1);
    let kept = inside.bool_and(best.clone().not_equal(before)).bool_and(blank.bool_not());
    // The rest goes into a column behind the last.
    let behind = Tensor::<2, Int>::full([batch, time], time as i64, &device);
    let place = behind.mask_where(kept.clone(), kept.int().cumsum(1) - 1);
    let empty = Tensor::<2, Int>::full([batch, time + 1], -1, &device);
    let found = empty.scatter(1, place, best + 1, burn::tensor::IndexingUpdateOp::Add);
    found.narrow(1, 0, time)
}

pub fn forward(values: &Values) -> Outputs {
    let frames = values.integers::<1>("frames");
    let features = values.input::<3>("features");
    let [batch, time, _] = features.dims();
    let at = Tensor::<1, Int>::arange(0..time as i64, &values.device)
        .unsqueeze::<2>()
        .expand([batch, time]);
    let inside = at.lower(frames.clone().unsqueeze_dim::<2>(1).expand([batch, time]));

    // Layers 1 to 3 see one frame with its context each.
    let h =
        ["dense1", "dense2", "dense3"].into_iter().fold(features, |h, name| layer(values, h, name));

    // Layer 4 is recurrent, in both directions over one input product (eq. 2 and 3).
    let x = dense(values, h, "recurrent.input");
    let held = inside.clone().float();
    let past = recurrence(&x, values.param("recurrent.forward"), &held, false);
    let future = recurrence(&x, values.param("recurrent.backward"), &held, true);

    // Layer 5 sees both; then a softmax over the labels and the blank, which is the last class (eq. 4).
    let h = layer(values, past + future, "dense5");
    let log_probs = log_softmax(dense(values, h, "output"), 2);
    let blank = log_probs.dims()[2] - 1;

    let outputs = Outputs::default().float("log_probs", log_probs.clone());
    if !values.train {
        return outputs.integer("decoded", decoded(log_probs, inside));
    }
    let labels = values.integers::<2>("labels").clamp(0, blank as i64 - 1); // padding may be any number
    let lengths = values.integers::<1>("label_lengths");
    outputs.loss(ctc_loss(log_probs.swap_dims(0, 1), labels, frames, lengths, blank).mean())
}
