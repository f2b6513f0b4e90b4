//! An end-to-end memory network (Sukhbaatar 2015): three hops over a story, adjacent weights.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::module::embedding;
use burn::tensor::{Int, Tensor, TensorData};

use super::Outputs;
use crate::optim::{Optimizer, Rule};
use crate::values::Values;

const HOPS: usize = 3;

pub fn optimizer(_: &Values) -> Optimizer {
    Optimizer::new(Rule::Sgd, 0.01).clipped(40.0)
}

/// l[j, n] = (1 - j/S) - (n/d)(1 - 2j/S), counted from 1 (section 4.1).
fn position_encoding(values: &Values, length: usize, dimension: usize) -> Tensor<2> {
    let at = |i: usize| {
        let (j, n) = (i / dimension + 1, i % dimension + 1);
        let (j, n) = (j as f32 / length as f32, n as f32 / dimension as f32);
        (1.0 - j) - n * (1.0 - 2.0 * j)
    };
    let data: Vec<f32> = (0..length * dimension).map(at).collect();
    Tensor::from_data(TensorData::new(data, [length, dimension]), &values.device)
}

/// Position encoding (section 4.1): sum over j of l_j * E[x_j].
fn sentences(words: Tensor<2, Int>, table: Tensor<2>, position: Tensor<2>) -> Tensor<2> {
    (embedding(table, words) * position.unsqueeze()).sum_dim(1).squeeze_dim(1)
}

pub fn forward(values: &Values) -> Outputs {
    let (story, question) = (values.integers::<3>("story"), values.integers::<2>("question"));
    let [batch, memory, length] = story.dims();
    let first = values.param::<2>("embedding0");
    let [vocabulary, dimension] = first.dims();
    let position = position_encoding(values, length, dimension);
    // A nil word's row is zero and receives nothing, also where the last embedding is the output's matrix.
    let word =
        Tensor::<1, Int>::arange(0..vocabulary as i64, &values.device).greater_elem(0).float();
    let word = word.unsqueeze_dim::<2>(1);
    let table = |k: usize| values.param::<2>(&format!("embedding{k}")) * word.clone();

    // Adjacent weights (section 2.2): B = A^1, A^(k+1) = C^k, W' = C^K; so a memory is made once for two hops.
    let story = story.reshape([batch * memory, length]);
    let memories = (0..=HOPS).map(|k| {
        let told = sentences(story.clone(), table(k), position.clone())
            .reshape([batch, memory, dimension]);
        told + values.param::<2>(&format!("temporal{k}")).unsqueeze()
    });
    let memories: Vec<Tensor<3>> = memories.collect();
    let mut u = sentences(question, table(0), position);
    for pair in memories.windows(2) {
        let scores = pair[0].clone().matmul(u.clone().unsqueeze_dim(2)).squeeze_dim::<2>(2);
        let weights = softmax(scores, 1); // eq. 1
        let o = weights.unsqueeze_dim::<3>(1).matmul(pair[1].clone()).squeeze_dim::<2>(1); // eq. 2
        u = u + o; // eq. 4
    }
    let logits = u.matmul(table(HOPS).transpose()); // eq. 3

    let outputs = Outputs::default().float("logits", logits.clone());
    if !values.train {
        return outputs;
    }
    // Summed over the batch (section 4.2), not the mean.
    let answer = values.integers::<1>("answer").unsqueeze_dim(1);
    outputs.loss(log_softmax(logits, 1).gather(1, answer).sum().neg())
}
