//! The parts of the network: encoder, decoder with attention, projection to words.

use std::sync::Arc;

use crate::data::translation::GO;
use crate::graph::{Builder, Init, Tensor};
use crate::nn::{Start::HeNormal, lookup, table};
use crate::op::decoder::{Memory, Parameters};
use crate::tensor::TensorSpec;

/// Layers of encoder and decoder.
pub(super) const LAYERS: usize = 3;

/// Embeddings start as N(0, 0.1).
const WORDS: Init = Init::Normal { std: 0.1 };

/// LSTM cells' weights [3, 2H 4H] and biases [3, 4H], the forget gates' starting at 1.
fn cells(g: &Builder, width: usize) -> (Tensor<'_>, Tensor<'_>) {
    let names = |what: &str| (1..=LAYERS).map(|l| format!("lstm{l}.{what}")).collect::<Vec<_>>();
    let start = HeNormal.init(2 * width, 4 * width);
    let weights = g.parameter_stack(&names("weight"), [2 * width, 4 * width], start, true);
    let forget = |n| if n / width == 1 { 1.0 } else { 0.0 };
    let start = Init::Values(Arc::new((0..4 * width).map(forget).collect()));
    (weights, g.parameter_stack(&names("bias"), [4 * width], start, false))
}

/// A dense layer's `weight` [rows, H] and `bias` `[H]` under `name`.
fn layer<'g>(g: &'g Builder, name: &str, rows: usize, width: usize) -> (Tensor<'g>, Tensor<'g>) {
    g.scoped(name, || {
        let weight = g.weight("weight", [rows, width], HeNormal.init(rows, width));
        (weight, g.parameter("bias", [width], Init::Constant(0.0)))
    })
}

/// The encoder: the states [B, S + 1, 6H] of its LSTM layers, the first being zero, over `source` [B, S],
/// which is read backwards (Sutskever 2014, section 3.3).
pub(super) fn encode<'g>(source: Tensor<'g>, vocabulary: usize, width: usize) -> Tensor<'g> {
    let g = source.graph();
    g.scoped("encoder", || {
        let table = table(g, "embedding", &[vocabulary, width], WORDS);
        let (weights, biases) = cells(g, width);
        lookup(table, source.reversed()).lstm(weights, biases)
    })
}

/// The decoder (Bahdanau 2015, section 3.1, over Sutskever's layers): its parameters and what it attends to.
pub(super) struct Decoder<'g> {
    embedding: Tensor<'g>,
    /// The tokens' share of the input's weight [H, H], and its bias.
    token: Tensor<'g>,
    token_bias: Tensor<'g>,
    parameters: Parameters<'g>,
    memory: Memory<'g>,
    output: Tensor<'g>,
    output_bias: Tensor<'g>,
    /// Where it starts [B, 7H].
    start: Tensor<'g>,
}

impl<'g> Decoder<'g> {
    /// A decoder of `vocabulary` words that attends to the encoder's states [B, S + 1, 6H].
    pub(super) fn new(encoder: Tensor<'g>, vocabulary: usize, width: usize) -> Self {
        let g = encoder.graph();
        let embedding = g.scoped("decoder", || table(g, "embedding", &[vocabulary, width], WORDS));
        let (token, context, token_bias) = g.scoped("decoder.input", || {
            let start = HeNormal.init(2 * width, width);
            let parts = g.weight_rows("weight", [2 * width, width], width, start);
            (parts[0], parts[1], g.parameter("bias", [width], Init::Constant(0.0)))
        });
        let (weights, biases) = g.scoped("decoder", || cells(g, width));
        let (output, output_bias) = layer(g, "decoder.output", 2 * width, width);
        let (memory, (query, query_bias)) = g.scoped("attention", || {
            (remember(encoder, width), layer(g, "query", 2 * LAYERS * width, width))
        });
        Self {
            embedding,
            token,
            token_bias,
            parameters: Parameters { context, weights, biases, query, query_bias },
            memory,
            output,
            output_bias,
            start: last_state(encoder, width),
        }
    }

    /// out = W_o [h3; context] + b_o [B, T, H] after each of the tokens [B, T], with the true ones before it.
    pub(super) fn over(&self, tokens: Tensor<'g>) -> Tensor<'g> {
        self.out(self.run(lookup(self.embedding, tokens), self.start))
    }

    /// States [B, T + 1, 7H] over embedded tokens [B, T, H].
    fn run(&self, tokens: Tensor<'g>, start: Tensor<'g>) -> Tensor<'g> {
        let shares = tokens.matmul(self.token) + self.token_bias;
        shares.decoder(start, self.parameters, self.memory)
    }

    /// The output of each step but the start: [B, T, H].
    fn out(&self, states: Tensor<'g>) -> Tensor<'g> {
        let width = self.output_bias.spec().len();
        let steps = states.spec().dims()[1] - 1;
        let seen = states.slice(1, 1, steps).slice(2, (2 * LAYERS - 1) * width, 2 * width);
        seen.matmul(self.output) + self.output_bias
    }

    /// The greedy translation [B, length]: the likeliest word of all is fed back.
    pub(super) fn translate(&self, words: &Projection<'g>, length: usize) -> Tensor<'g> {
        let g = self.start.graph();
        let [batch, state_width] = [0, 1].map(|axis| self.start.spec().dims()[axis]);
        let width = self.output_bias.spec().len();
        // The buckets share their state but for this.
        let spec = TensorSpec::u32([batch, length]);
        let mut tokens = g.variable(&format!("tokens.{length}"), spec, Init::Constant(0.0));
        let mut token = g.variable("go", TensorSpec::u32([batch]), Init::Constant(GO as f32));
        let mut state = self.start;
        for t in 0..length {
            let embedded = self.embedding.embedding(token).reshape([batch, 1, width]);
            let states = self.run(embedded, state);
            state = states.slice(1, 1, 1).reshape([batch, state_width]);
            token = words.logits(self.out(states).reshape([batch, width])).argmax();
            tokens = token.as_column(tokens, t);
        }
        tokens
    }
}

/// What is attended to: each step of the top layer, with its key W_h h (Bahdanau 2015, appendix A.1.2).
fn remember(encoder: Tensor<'_>, width: usize) -> Memory<'_> {
    let g = encoder.graph();
    let length = encoder.spec().dims()[1] - 1;
    let values = encoder.slice(1, 1, length).slice(2, (2 * LAYERS - 1) * width, width);
    let keys = values.matmul(g.parameter("memory", [width, width], HeNormal.init(width, width)));
    let v = g.parameter("v", [width], HeNormal.init(width, 1));
    Memory { keys, values, v }
}

/// The decoder starts where the encoder ended (Sutskever 2014, section 2), its first context being zero.
fn last_state(encoder: Tensor<'_>, width: usize) -> Tensor<'_> {
    let [batch, steps] = [0, 1].map(|axis| encoder.spec().dims()[axis]);
    let last = encoder.slice(1, steps - 1, 1).pad(2, 0, width);
    last.reshape([batch, (2 * LAYERS + 1) * width])
}

/// From the decoder's output to the words of the target language.
pub(super) struct Projection<'g> {
    /// A row for each word [V, H].
    weight: Tensor<'g>,
    bias: Tensor<'g>,
}

impl<'g> Projection<'g> {
    /// A projection to `classes` words.
    pub(super) fn new(g: &'g Builder, classes: usize, width: usize) -> Self {
        g.scoped("projection", || {
            let weight = table(g, "weight", &[classes, width], HeNormal.init(width, classes));
            Self { weight, bias: table(g, "bias", &[classes], Init::Constant(0.0)) }
        })
    }

    /// Logits [N, V] of all words.
    fn logits(&self, out: Tensor<'g>) -> Tensor<'g> {
        out.product(self.weight, false, true) + self.bias
    }

    /// Sampled softmax (Jean 2015, section 3): the loss `[N]` of the word that follows each token of `target`
    /// [B, T] after outputs [B, T, H], against `samples` words drawn for the whole batch.
    pub(super) fn sampled_loss(
        &self,
        out: Tensor<'g>,
        target: Tensor<'g>,
        samples: usize,
    ) -> Tensor<'g> {
        let g = out.graph();
        let (rows, classes) = (target.spec().len(), self.bias.spec().len());
        let sampled = g.log_uniform("sampled", samples, classes);
        if g.is_recording() {
            g.output("random/sampled", sampled);
        }
        let labels = target.next().reshape([rows]);
        // One lookup for both, so that each row is updated once.
        let looked_up = labels.joined(sampled);
        let weights = lookup(self.weight, looked_up);
        let biases = lookup(self.bias, looked_up).reshape([rows + samples]);
        let out = out.reshape([rows, weights.spec().shape.last()]);
        let logit_true = (out * weights.slice(0, 0, rows)).sum(1) + biases.slice(0, 0, rows);
        let products = out.product(weights.slice(0, rows, samples), false, true);
        let bias = biases.slice(0, rows, samples);
        products.sampled_softmax(bias, logit_true, labels, sampled, classes)
    }
}
