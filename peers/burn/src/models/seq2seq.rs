//! Translation with LSTMs (Sutskever 2014) and attention (Bahdanau 2015); training samples the softmax (Jean 2015).

use burn::tensor::activation::{log_softmax, sigmoid, softmax};
use burn::tensor::module::embedding;
use burn::tensor::{Distribution, Int, Tensor};

use super::{Outputs, dense};
use crate::optim::{Optimizer, Rule};
use crate::values::Values;

const LAYERS: usize = 3;
const GO: i64 = 1;
/// A logit that no softmax sees: WGSL has no infinity to write.
const OUT: f32 = -1e30;

/// Sampled classes of a vocabulary, where no draws are handed over: those of the presets.
fn samples(vocabulary: usize) -> usize {
    if vocabulary == 200 { 32 } else { 512 }
}

pub fn optimizer(_: &Values) -> Optimizer {
    Optimizer::new(Rule::Sgd, 0.5).clipped(5.0)
}

/// h and c of a layer.
#[derive(Clone)]
struct State {
    h: Tensor<2>,
    c: Tensor<2>,
}

/// A layer's step over its input and state; gates are i, f, g, o.
fn lstm(values: &Values, name: &str, x: Tensor<2>, State { h, c }: State) -> State {
    let gates = dense(values, Tensor::cat(vec![x, h], 1), name);
    let [i, f, g, o]: [Tensor<2>; 4] = gates.chunk(4, 1).try_into().expect("four gates");
    let c = sigmoid(f) * c + sigmoid(i) * g.tanh();
    State { h: sigmoid(o) * c.clone().tanh(), c }
}

/// Rows of a table.
fn looked_up(table: Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    embedding(table, ids.unsqueeze_dim(1)).squeeze_dim(1)
}

/// Position `t` of [batch, time].
fn column(ids: &Tensor<2, Int>, t: usize) -> Tensor<1, Int> {
    ids.clone().narrow(1, t, 1).squeeze_dim(1)
}

struct Decoder<'a> {
    values: &'a Values,
    memory: Tensor<3>,
    keys: Tensor<3>,
    states: Vec<State>,
    context: Tensor<2>,
}

impl<'a> Decoder<'a> {
    /// After the encoder, which reads the source reversed (section 3.3); its padding is embedded like any word.
    fn new(values: &'a Values) -> Self {
        let source = values.integers::<2>("source");
        let [batch, length] = source.dims();
        let words = embedding(values.param("encoder.embedding"), source);
        let units = words.dims()[2];
        let zeros = Tensor::<2>::zeros([batch, units], &values.device);
        let mut states = vec![State { h: zeros.clone(), c: zeros.clone() }; LAYERS];
        let mut top = Vec::new();
        for t in (0..length).rev() {
            let mut x = words.clone().narrow(1, t, 1).squeeze_dim::<2>(1);
            for (n, state) in (1..).zip(&mut states) {
                *state = lstm(values, &format!("encoder.lstm{n}"), x, state.clone());
                x = state.h.clone();
            }
            top.push(x);
        }
        let memory: Tensor<3> = Tensor::stack(top, 1);
        let weight = values.param::<2>("attention.memory");
        let keys = memory
            .clone()
            .reshape([batch * length, units])
            .matmul(weight)
            .reshape([batch, length, units]);
        Self { values, memory, keys, states, context: zeros }
    }

    /// What the softmax sees, from the next token of each sentence.
    fn step(&mut self, token: Tensor<1, Int>) -> Tensor<2> {
        let values = self.values;
        let word = looked_up(values.param("decoder.embedding"), token);
        let mut x =
            dense(values, Tensor::cat(vec![word, self.context.clone()], 1), "decoder.input");
        for (n, state) in (1..).zip(&mut self.states) {
            *state = lstm(values, &format!("decoder.lstm{n}"), x, state.clone());
            x = state.h.clone();
        }
        // Bahdanau 2015, section 3.1: v tanh(W s + U h_j), over all positions, padding as well.
        let all = self.states.iter().flat_map(|state| [state.c.clone(), state.h.clone()]).collect();
        let query = dense(values, Tensor::cat(all, 1), "attention.query");
        let v = values.param::<1>("attention.v").unsqueeze::<3>();
        let scores = ((self.keys.clone() + query.unsqueeze_dim(1)).tanh() * v)
            .sum_dim(2)
            .squeeze_dim::<2>(2);
        let weights = softmax(scores, 1).unsqueeze_dim::<3>(1);
        self.context = weights.matmul(self.memory.clone()).squeeze_dim(1);
        dense(values, Tensor::cat(vec![x, self.context.clone()], 1), "decoder.output")
    }
}

/// ln P(c) of the log-uniform distribution: P(c) = ln((c + 2) / (c + 1)) / ln(V + 1).
fn log_probability(c: Tensor<1, Int>, vocabulary: usize) -> Tensor<1> {
    ((c.float() + 1.0).recip().log1p() / (vocabulary as f64 + 1.0).ln()).log()
}

/// -ln p(label) of each token, among the label and the sampled classes alone (Jean 2015, section 3).
fn sampled_softmax(values: &Values, out: Tensor<2>, label: Tensor<1, Int>) -> Tensor<1> {
    let (weight, bias) =
        (values.param::<2>("projection.weight"), values.param::<1>("projection.bias"));
    let vocabulary = bias.dims()[0];
    let sampled = values.drawn_integers("sampled").unwrap_or_else(|| {
        let below =
            Tensor::<1>::random([samples(vocabulary)], Distribution::Default, &values.device);
        let last = vocabulary as i64 - 1;
        ((below * (vocabulary as f64 + 1.0).ln()).exp().int() - 1).clamp(0, last)
    });
    let (tokens, count) = (label.dims()[0], sampled.dims()[0]);
    let corrected = |c: Tensor<1, Int>| {
        bias.clone().select(0, c.clone()) - (count as f64).ln() - log_probability(c, vocabulary)
    };
    let true_weight = looked_up(weight.clone(), label.clone());
    let of_label =
        (out.clone() * true_weight).sum_dim(1) + corrected(label.clone()).unsqueeze_dim(1);
    let of_others = out.matmul(looked_up(weight, sampled.clone()).transpose());
    let of_others = of_others + corrected(sampled.clone()).unsqueeze();
    let wide = |ids: Tensor<2, Int>| ids.expand([tokens, count]);
    let is_label = wide(sampled.unsqueeze()).equal(wide(label.unsqueeze_dim(1)));
    let of_others = of_others.mask_fill(is_label, OUT);
    log_softmax(Tensor::cat(vec![of_label, of_others], 1), 1)
        .narrow(1, 0, 1)
        .squeeze_dim::<1>(1)
        .neg()
}

pub fn forward(values: &Values) -> Outputs {
    let target = values.integers::<2>("target");
    let [batch, time] = target.dims();
    let mut decoder = Decoder::new(values);
    if !values.train {
        // Of the target its length alone.
        let mut tokens = vec![Tensor::<1, Int>::full([batch], GO, &values.device)];
        for t in 0..time {
            let out = decoder.step(tokens[t].clone());
            let logits = out.matmul(values.param::<2>("projection.weight").transpose());
            let logits = logits + values.param::<1>("projection.bias").unsqueeze();
            tokens.push(logits.argmax(1).squeeze_dim(1));
        }
        return Outputs::default().integer("tokens", Tensor::stack(tokens.split_off(1), 1));
    }
    let steps = (0..time).map(|t| decoder.step(column(&target, t))).collect();
    let out: Tensor<3> = Tensor::stack(steps, 1);
    let units = out.dims()[2];
    // The last step has no label, and no weight.
    let none = Tensor::<2, Int>::zeros([batch, 1], &values.device);
    let label = Tensor::cat(vec![target.narrow(1, 1, time - 1), none], 1);
    let losses =
        sampled_softmax(values, out.clone().reshape([batch * time, units]), label.flatten(0, 1));
    // The mean over a sentence's tokens, then over the sentences.
    let weight = values.input::<2>("target_weight");
    let tokens = weight.clone().sum_dim(1);
    let some = tokens.clone().mask_fill(tokens.equal_elem(0.0), 1.0);
    let loss = (losses.reshape([batch, time]) * weight).sum_dim(1) / some;
    Outputs::default().float("decoder", out).loss(loss.mean())
}
