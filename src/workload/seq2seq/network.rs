//! The parts of the network: encoder, decoder with attention, projection to words.

use std::sync::Arc;

use crate::data::translation::GO;
use crate::graph::{Builder, Init, Tensor};
use crate::nn::{Start::HeNormal, lookup, table};
use crate::op::decoder::{Memory, Parameters, StepParameters};
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

/// What an encoder leaves to the decoder.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'g> {
    /// h of the top layer after each word [B, S, H].
    top: Tensor<'g>,
    /// The last state, c and h of each layer [B, 6H].
    last: Tensor<'g>,
}

/// The encoder: LSTM layers from a state of zeros over `source` [B, S], which is read backwards (Sutskever 2014, section
/// 3.3).
pub(super) fn encode<'g>(source: Tensor<'g>, vocabulary: usize, width: usize) -> Encoded<'g> {
    let g = source.graph();
    g.scoped("encoder", || {
        let table = table(g, "embedding", &[vocabulary, width], WORDS);
        let (weights, biases) = cells(g, width);
        let [top, last] = lookup(table, source.reversed()).lstm(weights, biases);
        Encoded { top, last }
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
    /// A decoder of `vocabulary` words that attends to what was encoded.
    pub(super) fn new(encoded: Encoded<'g>, vocabulary: usize, width: usize) -> Self {
        let g = encoded.top.graph();
        let embedding = g.scoped("decoder", || table(g, "embedding", &[vocabulary, width], WORDS));
        let (token, context, token_bias) = g.scoped("decoder.input", || {
            let start = HeNormal.init(2 * width, width);
            let parts = g.weight_rows("weight", [2 * width, width], width, start);
            (parts[0], parts[1], g.parameter("bias", [width], Init::Constant(0.0)))
        });
        let (weights, biases) = g.scoped("decoder", || cells(g, width));
        let (output, output_bias) = layer(g, "decoder.output", 2 * width, width);
        let (memory, query, query_bias) = g.scoped("attention", || remember(encoded.top, width));
        Self {
            embedding,
            token,
            token_bias,
            parameters: Parameters { context, weights, biases, query, query_bias },
            memory,
            output,
            output_bias,
            // Where the encoder ended (Sutskever 2014, section 2), the first context being zero.
            start: encoded.last.pad(1, 0, width),
        }
    }

    /// out = W_o [h3; context] + b_o [B, T, H] after each of the tokens [B, T], with the true ones before it.
    pub(super) fn over(&self, tokens: Tensor<'g>) -> Tensor<'g> {
        let shares = lookup(self.embedding, tokens).matmul(self.token) + self.token_bias;
        let seen = shares.decoder(self.start, self.parameters, self.memory);
        seen.matmul(self.output) + self.output_bias
    }

    /// The greedy translation [B, length]: the likeliest word of all is fed back.
    pub(super) fn translate(&self, words: &Projection<'g>, length: usize) -> Tensor<'g> {
        let g = self.start.graph();
        let [batch, row] = [0, 1].map(|axis| self.start.spec().dims()[axis]);
        let parameters = self.step_parameters();
        // The buckets share their state but for this.
        let spec = TensorSpec::u32([batch, length]);
        let mut tokens = g.variable(&format!("tokens.{length}"), spec, Init::Constant(0.0));
        let go = g.variable("go", TensorSpec::u32([batch]), Init::Constant(GO as f32));
        let mut states = self.start.reshape([batch, 1, row]);
        let keys = self.memory.keys + self.parameters.query_bias;
        let memory = Memory { keys, ..self.memory };
        let mut out;
        for t in 0..length {
            let (ids, id) = if t == 0 { (go.reshape([batch, 1]), 0) } else { (tokens, t - 1) };
            [states, out] = states.decoder_step(ids, id, parameters, memory);
            tokens = words.logits(out).argmax_into(tokens, t);
        }
        tokens
    }

    /// What a word, the context and the bias give to the first cell is one product for all steps, and so is what a context
    /// gives to the output, of the memory that contexts are sums of.
    fn step_parameters(&self) -> StepParameters<'g> {
        let Parameters { context, weights, biases, query, .. } = self.parameters;
        let width = self.output_bias.spec().len();
        let cell = |from: usize| {
            let rows = weights.slice(0, 0, 1).slice(1, from * 4 * width, 4 * width * width);
            rows.reshape([width, 4 * width])
        };
        let parts = [self.token, context, self.token_bias.reshape([1, width])];
        let g = weights.graph();
        let input = g.concat(&parts, 0).matmul(cell(0));
        StepParameters {
            embedding: self.embedding,
            first: g.concat(&[input, cell(width), biases.slice(0, 0, 1)], 0),
            weights,
            biases,
            query,
            output: self.output,
            output_bias: self.output_bias,
            projected: self.memory.values.matmul(self.output.slice(0, width, width)),
        }
    }
}

/// What is attended to: each step of the top layer, with its key W_h h (Bahdanau 2015, appendix A.1.2); and the query's
/// weight and bias.
fn remember<'g>(values: Tensor<'g>, width: usize) -> (Memory<'g>, Tensor<'g>, Tensor<'g>) {
    let g = values.graph();
    let key = g.parameter("memory", [width, width], HeNormal.init(width, width));
    let v = g.parameter("v", [width], HeNormal.init(width, 1));
    let (query, query_bias) = layer(g, "query", 2 * LAYERS * width, width);
    (Memory { keys: values.matmul(key), values, v }, query, query_bias)
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
