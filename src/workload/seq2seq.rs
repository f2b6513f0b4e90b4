//! seq2seq: an LSTM encoder and a decoder with attention that translate (Sutskever 2014, Bahdanau 2015), as
//! TensorFlow's translate tutorial that Fathom profiled.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::data::translation::{BUCKETS, Corpus, GO, Side, Want};
use crate::error::{Error, Result};
use crate::graph::{Builder, Init, Tensor};
use crate::nn::{Start::HeNormal, lookup, table};
use crate::op::decoder::{Memory, Parameters};
use crate::tensor::{DType, HostTensor, TensorSpec};
use crate::terms::{Mode, Preset};

use super::{
    Data, DataSource, Entry, Feed, Metric, Optimizer, Read, Rule, Split, Workload, values,
};

/// Layers of encoder and decoder.
const LAYERS: usize = 3;

/// The number that stands for all buckets, drawn by how many sentences each has.
const MIXED: usize = BUCKETS.len();

/// Its line in the list.
pub const ENTRY: Entry = Entry {
    name: "seq2seq",
    about: "translation: 3 LSTM layers encode, 3 with attention decode, sampled softmax",
    paper: "Sutskever et al. 2014, Sequence to sequence learning with neural networks",
    data: (
        "two made-up languages with grammars of their own",
        "a folder of parallel text: train.XX and train.YY, test.XX and test.YY",
    ),
    configure: |preset, batch| Box::new(Seq2seq::new(preset, batch)),
};

/// Sizes of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Seq2seq {
    preset: Preset,
    /// Sentences in a batch.
    pub batch: usize,
    /// Index in [`BUCKETS`], or 4 for all of them.
    pub bucket: usize,
    /// H: of embeddings, cells and attention; a multiple of 16.
    pub hidden: usize,
    /// Ids of the source language.
    pub source_vocabulary: usize,
    /// Ids of the target language.
    pub target_vocabulary: usize,
    /// Classes drawn for the loss.
    pub samples: usize,
}

impl Seq2seq {
    /// The sizes of a preset.
    pub fn new(preset: Preset, batch: Option<usize>) -> Self {
        let (usual, bucket, hidden, vocabulary, samples) = match preset {
            Preset::Full => (64, 3, 256, 40_000, 512),
            Preset::Tiny => (4, 0, 32, 200, 32),
        };
        Self {
            preset,
            batch: batch.unwrap_or(usual),
            bucket,
            hidden,
            source_vocabulary: vocabulary,
            target_vocabulary: vocabulary,
            samples,
        }
    }

    /// DataSource and target lengths; of all buckets together those of the largest.
    fn lengths(&self) -> (usize, usize) {
        BUCKETS[self.bucket.min(MIXED - 1)]
    }

    /// LSTM cells' weights [3, 2H 4H] and biases [3, 4H], the forget gates' starting at 1.
    fn cells<'g>(&self, g: &'g Builder) -> (Tensor<'g>, Tensor<'g>) {
        let width = self.hidden;
        let names =
            |what: &str| (1..=LAYERS).map(|l| format!("lstm{l}.{what}")).collect::<Vec<_>>();
        let weights = g.parameter_stack(
            &names("weight"),
            [2 * width, 4 * width],
            HeNormal.init(2 * width, 4 * width),
            true,
        );
        let forget = |n| if n / width == 1 { 1.0 } else { 0.0 };
        let start = Init::Values(Arc::new((0..4 * width).map(forget).collect()));
        (weights, g.parameter_stack(&names("bias"), [4 * width], start, false))
    }
}

/// The decoder's parameters and what it attends to.
struct Decoder<'g> {
    /// The tokens' share of the input's weight [H, H], and its bias.
    token: Tensor<'g>,
    token_bias: Tensor<'g>,
    own: Parameters<'g>,
    memory: Memory<'g>,
    output: Tensor<'g>,
    output_bias: Tensor<'g>,
}

impl<'g> Decoder<'g> {
    /// States [B, T + 1, 7H] over embedded tokens [B, T, H].
    fn run(&self, tokens: Tensor<'g>, start: Tensor<'g>) -> Tensor<'g> {
        let shares = tokens.matmul(self.token) + self.token_bias;
        shares.decoder(start, self.own, self.memory)
    }

    /// out = W_o [h3; context] + b_o of each step but the start: [B, T, H].
    fn out(&self, states: Tensor<'g>) -> Tensor<'g> {
        let width = self.output_bias.spec().len();
        let steps = states.spec().dims()[1] - 1;
        let seen = states.slice(1, 1, steps).slice(2, (2 * LAYERS - 1) * width, 2 * width);
        seen.matmul(self.output) + self.output_bias
    }
}

impl Workload for Seq2seq {
    fn batch(&self) -> usize {
        self.batch
    }

    fn config(&self) -> Map<String, Value> {
        let (source, target) = self.lengths();
        let config = json!({
            "bucket": self.bucket, "source": source, "target": target, "hidden": self.hidden,
            "source_vocabulary": self.source_vocabulary, "target_vocabulary": self.target_vocabulary,
            "samples": self.samples, "layers": LAYERS,
        });
        config.as_object().cloned().unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: usize) -> bool {
        match name {
            "bucket" if value <= MIXED => self.bucket = value,
            "hidden" if value.is_multiple_of(16) => self.hidden = value,
            "source_vocabulary" => self.source_vocabulary = value,
            "target_vocabulary" => self.target_vocabulary = value,
            "samples" => self.samples = value,
            _ => return false,
        }
        true
    }

    fn forms(&self) -> Vec<Box<dyn Workload>> {
        let one = |bucket| -> Box<dyn Workload> { Box::new(Self { bucket, ..self.clone() }) };
        if self.bucket == MIXED { (0..MIXED).map(one).collect() } else { Vec::new() }
    }

    fn build<'g>(&self, g: &'g Builder, mode: Mode) -> Option<Tensor<'g>> {
        let (batch, width) = (self.batch, self.hidden);
        let (source_length, target_length) = self.lengths();
        let words = Init::Normal { std: 0.1 };
        let weight = |rows: usize| g.weight("weight", [rows, width], HeNormal.init(rows, width));
        let bias = |name: &str| g.parameter(name, [width], Init::Constant(0.0));

        // The source is read backwards (Sutskever 2014, section 3.3).
        let source = g.input("source", [batch, source_length], DType::U32);
        let states = g.scoped("encoder", || {
            let table = table(g, "embedding", &[self.source_vocabulary, width], words.clone());
            let (weights, biases) = self.cells(g);
            lookup(table, source.reversed()).lstm(weights, biases)
        });

        // Every step of the top layer is remembered, with its key W_h h (Bahdanau 2015, appendix A.1.2).
        let last = 2 * LAYERS * width;
        let decoder_words =
            g.scoped("decoder", || table(g, "embedding", &[self.target_vocabulary, width], words));
        let (token, context, token_bias) = g.scoped("decoder.input", || {
            let start = HeNormal.init(2 * width, width);
            let parts = g.weight_rows("weight", [2 * width, width], width, start);
            (parts[0], parts[1], bias("bias"))
        });
        let (weights, biases) = g.scoped("decoder", || self.cells(g));
        let (output, output_bias) =
            g.scoped("decoder.output", || (weight(2 * width), bias("bias")));
        let (memory, query, query_bias) = g.scoped("attention", || {
            let values = states.slice(1, 1, source_length).slice(2, last - width, width);
            let start = HeNormal.init(width, width);
            let keys = values.matmul(g.parameter("memory", [width, width], start));
            let v = g.parameter("v", [width], HeNormal.init(width, 1));
            let (query, query_bias) =
                g.scoped("query", || (weight(2 * LAYERS * width), bias("bias")));
            (Memory { keys, values, v }, query, query_bias)
        });
        let decoder = Decoder {
            token,
            token_bias,
            own: Parameters { context, weights, biases, query, query_bias },
            memory,
            output,
            output_bias,
        };
        // The decoder starts where the encoder ended, its first context being zero.
        let start = states.slice(1, source_length, 1).pad(2, 0, width);
        let start = start.reshape([batch, last + width]);
        let (projection, projection_bias) = g.scoped("projection", || {
            let classes = self.target_vocabulary;
            let start = HeNormal.init(width, classes);
            let weight = table(g, "weight", &[classes, width], start);
            (weight, table(g, "bias", &[classes], Init::Constant(0.0)))
        });
        if mode == Mode::Infer {
            // The buckets share their state but for this.
            let mut all = g.variable(
                &format!("tokens.{target_length}"),
                TensorSpec::u32([batch, target_length]),
                Init::Constant(0.0),
            );
            let mut token = g.variable("go", TensorSpec::u32([batch]), Init::Constant(GO as f32));
            let mut state = start;
            for t in 0..target_length {
                // Greedy: the likeliest word of all is fed back.
                let embedded = decoder_words.embedding(token).reshape([batch, 1, width]);
                let states = decoder.run(embedded, state);
                state = states.slice(1, 1, 1).reshape([batch, last + width]);
                let out = decoder.out(states).reshape([batch, width]);
                token = (out.product(projection, false, true) + projection_bias).argmax();
                all = token.as_column(all, t);
            }
            g.output("tokens", all);
            return None;
        }
        let target = g.input("target", [batch, target_length], DType::U32);
        let weight = g.input("target_weight", [batch, target_length], DType::F32);
        let out = decoder.out(decoder.run(lookup(decoder_words, target), start));
        g.output("decoder", out);

        // Sampled softmax: each step's own word against some drawn for the whole batch.
        let rows = batch * target_length;
        let sampled = g.log_uniform("sampled", self.samples, self.target_vocabulary);
        if g.is_recording() {
            g.output("random/sampled", sampled);
        }
        let labels = target.next().reshape([rows]);
        let classes = labels.joined(sampled);
        let weights = lookup(projection, classes);
        let biases = lookup(projection_bias, classes).reshape([rows + self.samples]);
        let out = out.reshape([rows, width]);
        let own = (out * weights.slice(0, 0, rows)).sum(1) + biases.slice(0, 0, rows);
        let products = out.product(weights.slice(0, rows, self.samples), false, true);
        let bias = biases.slice(0, rows, self.samples);
        let loss = products.sampled_softmax(bias, own, labels, sampled, self.target_vocabulary);
        // The mean over each sentence's words, then over the sentences.
        let words = weight.sum(1); // EOS is one at least
        Some(((loss.reshape([batch, target_length]) * weight).sum(1) / words).mean_all())
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(Rule::Sgd { rate: 0.5 }).clip(5.0)
    }

    fn data(&self, source: &DataSource) -> Result<Box<dyn Data>> {
        // Built-in text fills the buckets that are trained.
        let buckets = if self.bucket == MIXED {
            BUCKETS.to_vec()
        } else if source.path.is_some() {
            BUCKETS[..=self.bucket].to_vec()
        } else {
            vec![BUCKETS[self.bucket]]
        };
        let want = Want {
            seed: source.seed,
            vocabularies: [self.source_vocabulary, self.target_vocabulary],
            buckets,
        };
        let corpus = match &source.path {
            Some(path) => Corpus::open(path, &want)?,
            None => Corpus::built_in(&want, MADE)?,
        };
        Ok(Box::new(Sentences { model: self.clone(), seed: source.seed, corpus }))
    }

    fn metric(&self) -> Metric {
        Metric { name: "held-out token accuracy", unit: "%", factor: 100.0 }
    }

    /// Tokens of greedy translations that are the reference's, EOS among them.
    fn score(&self, feed: &Feed, read: Read) -> Result<(f64, f64)> {
        let tokens = read("tokens")?;
        let (target, weight) = (values(feed, "target"), values(feed, "target_weight"));
        let counted = (0..target.len()).filter(|&at| weight[at] > 0);
        let right = |at: &usize| tokens.data[*at] as usize == target[at + 1];
        let all: Vec<_> = counted.collect();
        Ok((all.iter().filter(|at| right(at)).count() as f64, all.len() as f64))
    }
}

/// Pairs that are made up to learn from and held out.
const MADE: [usize; 2] = [20_000, 512];

struct Sentences {
    model: Seq2seq,
    seed: u64,
    corpus: Corpus,
}

impl Sentences {
    /// The bucket of a batch, as an index of the corpus's.
    fn bucket(&self, split: Split, step: u64) -> (usize, u64) {
        let last = self.corpus.buckets().len() - 1;
        if self.model.bucket != MIXED {
            return (last, step);
        }
        match split {
            Split::Train => (self.corpus.bucket(self.seed, step), step),
            Split::Test => {
                // One bucket after the other.
                let mut step = step;
                for bucket in 0..last {
                    let batches = self.corpus.batches(split, bucket, self.model.batch);
                    if step < batches {
                        return (bucket, step);
                    }
                    step -= batches;
                }
                (last, step)
            }
        }
    }
}

impl Data for Sentences {
    fn batch(&mut self, split: Split, step: u64) -> Result<Feed> {
        let (bucket, step) = self.bucket(split, step);
        let (source, target) = self.corpus.buckets()[bucket];
        let size = self.model.batch;
        let batch = self.corpus.batch(split, bucket, step, size)?;
        Ok(vec![
            ("source", HostTensor::u32([size, source], &batch.source)),
            ("target", HostTensor::u32([size, target], &batch.target)),
            ("target_weight", HostTensor::f32([size, target], &batch.target_weight)),
        ])
    }

    fn test_batches(&self) -> u64 {
        let buckets = 0..self.corpus.buckets().len();
        let first = if self.model.bucket == MIXED { 0 } else { buckets.end - 1 };
        let of = |bucket| self.corpus.batches(Split::Test, bucket, self.model.batch);
        buckets.skip(first).map(of).sum()
    }

    fn form(&self, split: Split, step: u64) -> usize {
        if self.model.bucket == MIXED { self.bucket(split, step).0 } else { 0 }
    }

    fn describe(&self) -> String {
        self.corpus.describe()
    }

    fn show(&self, feed: &Feed, read: Read, sample: usize) -> Result<Option<String>> {
        let tokens = read("tokens")?;
        let (source, target) = (values(feed, "source"), values(feed, "target"));
        let words = |ids: &[usize], length: usize, side: Side| {
            let row = &ids[sample * length..][..length];
            let until = row.iter().position(|&id| id == crate::data::translation::EOS as usize);
            let kept = row[..until.unwrap_or(length)].iter().map(|&id| id as u32);
            let kept: Vec<_> = kept.filter(|&id| id != 0 && id != GO).collect();
            self.corpus.words(&kept, side)
        };
        let made: Vec<_> = tokens.data.iter().map(|&id| id as usize).collect();
        let (from, to) = (source.len() / self.model.batch, target.len() / self.model.batch);
        Ok(Some(format!(
            "source       {}\ntranslation  {}\nreference    {}\n",
            words(&source, from, Side::Source),
            words(&made, to, Side::Target),
            words(&target, to, Side::Target)
        )))
    }
}

/// What `run` says where it is asked to measure all buckets as one.
///
/// # Errors
/// [`Error::Usage`].
pub fn single(bucket: usize) -> Result<()> {
    if bucket < MIXED {
        return Ok(());
    }
    Err(Error::Usage(
        "each bucket is a program of its own: run measures one, --bucket 0, 1, 2 or 3; train takes mixed".into(),
    ))
}
