//! An end-to-end memory network (Sukhbaatar 2015): three hops over a story, adjacent weights.
//!
//! meganeura's products and sums have two dimensions: rows are a story's sentences one after the other, the question is
//! repeated for each by an embedding, and a word's position scales the table that it is looked up in.

use meganeura::NodeId;

use super::Rule;
use crate::builder::Builder;
use crate::values::Integers;

const HOPS: usize = 3;

pub const RULE: Rule = Rule::Sgd { rate: 0.01, clip: 40.0 };

/// l[j, n] = (1 - j/S) - (n/d)(1 - 2j/S), counted from 1 (section 4.1).
fn position(j: usize, length: usize, dimension: usize) -> impl Iterator<Item = f32> {
    let j = (j + 1) as f32 / length as f32;
    (1..=dimension).map(move |n| (1.0 - j) - n as f32 / dimension as f32 * (1.0 - 2.0 * j))
}

/// The words at each position of all sentences.
fn columns(b: &mut Builder, name: &str) -> Vec<NodeId> {
    let Integers { shape, values } = b.values.integers(&format!("input/{name}"));
    let length = shape[shape.len() - 1];
    let column = |j: usize| values[j..].iter().step_by(length).map(|&word| word as u32).collect();
    (0..length).map(|j| b.indices(&format!("{name}.{j}"), column(j))).collect()
}

/// The sum over j of l_j * E[x_j], of the tables E scaled by l_j.
fn sentence(b: &mut Builder, words: &[NodeId], tables: &[NodeId]) -> NodeId {
    let mut looked_up = Vec::new();
    for (&words, &table) in words.iter().zip(tables) {
        looked_up.push(b.graph.embedding(words, table));
    }
    looked_up.into_iter().reduce(|sum, more| b.graph.add(sum, more)).expect("a word")
}

pub fn forward(b: &mut Builder) {
    let [batch, memory, _] = b.values.integers("input/story").shape[..] else { unreachable!() };
    let (story, question) = (columns(b, "story"), columns(b, "question"));
    let length = question.len();

    let (mut memories, mut asked, mut last) = (Vec::new(), None, None);
    let every = b.indices("every", (0..batch * memory).map(|row| (row % memory) as u32).collect());
    for k in 0..=HOPS {
        let table = b.param(&format!("embedding{k}"));
        let [words, dimension] = b.shape(table)[..] else { unreachable!() };
        let mut tables = Vec::new();
        for j in 0..length {
            // A nil word's row is zero and receives nothing.
            let scale = position(j, length, dimension).collect::<Vec<_>>().repeat(words - 1);
            let scale = [vec![0.0; dimension], scale].concat();
            let scale = b.graph.constant(scale, &[words, dimension]);
            tables.push(b.graph.mul(table, scale));
        }
        let said = sentence(b, &story, &tables);
        // Of the sentence's place in the story, for every story.
        let temporal = b.param(&format!("temporal{k}"));
        let temporal = b.graph.embedding(every, temporal);
        memories.push(b.graph.add(said, temporal));
        if k == 0 {
            asked = Some(sentence(b, &question, &tables));
        }
        last = Some(table);
    }
    let (mut u, last) = (asked.expect("a question"), last.expect("a table"));
    let [words, dimension] = b.shape(last)[..] else { unreachable!() };

    // Adjacent weights (section 2.2): B = A^1, A^(k+1) = C^k, W' = C^K; so a memory is made once for two hops.
    let of = b.indices("story", (0..batch * memory).map(|row| (row / memory) as u32).collect());
    let identity = (0..memory * dimension * dimension)
        .map(|at| f32::from(at / dimension % dimension == at % dimension))
        .collect();
    let summed = b.graph.constant(identity, &[memory * dimension, dimension]);
    for (&m, &c) in memories.iter().zip(&memories[1..]) {
        let repeated = b.graph.embedding(of, u);
        let products = b.graph.mul(m, repeated);
        let scores = b.graph.sum_inner(products);
        let scores = b.graph.reshape(scores, &[batch, memory]);
        let weights = b.graph.softmax(scores); // eq. 1
        let weights = b.graph.reshape(weights, &[batch * memory, 1]);
        let weights = b.graph.broadcast_inner(weights, dimension);
        let weighted = b.graph.mul(weights, c);
        let weighted = b.graph.reshape(weighted, &[batch, memory * dimension]);
        let o = b.graph.matmul(weighted, summed); // eq. 2
        u = b.graph.add(u, o); // eq. 4
    }
    // The output's matrix is the last embedding, nil's row zero again.
    let mask = [vec![0.0; dimension], vec![1.0; (words - 1) * dimension]].concat();
    let mask = b.graph.constant(mask, &[words, dimension]);
    let matrix = b.graph.mul(last, mask);
    let logits = b.graph.matmul_bt(u, matrix); // eq. 3

    if b.train {
        // Summed over the batch (section 4.2), not the mean.
        let answers = &b.values.integers("input/answer").values;
        let mut chosen = vec![0.0; batch * words];
        answers
            .iter()
            .enumerate()
            .for_each(|(row, &word)| chosen[row * words + word as usize] = 1.0);
        let chosen = b.made_input("input/answer", chosen, &[batch, words]);
        let log_probs = b.graph.log_softmax(logits);
        let taken = b.graph.mul(log_probs, chosen);
        let sum = b.graph.sum_all(taken);
        let loss = b.graph.neg(sum);
        b.output("loss", loss, &[]);
    }
    b.output("logits", logits, &[batch, words]);
}
