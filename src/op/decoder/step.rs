//! A step of the decoder that goes on from a word: what translation consists of.

use crate::graph::Tensor;
use crate::graph::op::{Cost, Facts, Kind, Op, Output, Problem, Sampler, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Dispatch, Lowered, Variant, input, output, scratch};
use crate::op::attention::{Attended, sequence};
use crate::op::lstm::{
    Stack, Step, WELL_CONDITIONED, add_product, cell_forward, sample_well_conditioned,
};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{Memory, asking_spec, attention, attention_lanes, bind_above, cells, look_up};

/// Inputs:
/// 0. earlier [B, R, U H], whose last row is the state before: c and h of each of L layers, then the context
/// 1. ids u32 [B, N], of which one column are the words before, and 2. the embedding [V, H]
/// 3. the first cell's weight over word, context, bias of the input, h and its own bias, [3H + 2, 4H]: what the input's weights
///    give to it, after the product with the cell's, and the cell's own
/// 4. weights [L, 2H 4H] and 5. biases [L, 4H] of the cells, of which the first's are not read
/// 6. the query's weight [2L H, H]
/// 7. keys and 8. memory [B, S, H], and 9. v `[H]` of the attention
/// 10. the output's weight [2H, H] over h of the last layer and the context, of which the context's rows are not read, and
///    11. bias `[H]`
/// 12. the memory after the context's rows of the output's weight, [B, S, H]
///
/// Outputs: the states before and after, [B, 2, U H], and the output [B, H].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderStep {
    /// The column of the ids.
    pub id: usize,
}

/// Lengths of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) stack: Stack,
    pub(super) positions: usize,
    /// Rows of the states before.
    pub(super) earlier: usize,
    /// Ids of a row.
    pub(super) ids: usize,
    pub(super) vocabulary: usize,
}

impl Sizes {
    fn attended(&self) -> Attended {
        let Stack { batch, hidden, .. } = self.stack;
        Attended { batch, queries: 1, positions: self.positions, hidden }
    }

    /// All inputs, in order.
    pub(super) fn inputs(&self) -> [TensorSpec; 13] {
        let Self { stack, positions, earlier, ids, vocabulary } = *self;
        let Stack { batch, hidden, layers, .. } = stack;
        let memory = TensorSpec::f32([batch, positions, hidden]);
        [
            TensorSpec::f32([batch, earlier, stack.row_len()]),
            TensorSpec::u32([batch, ids]),
            TensorSpec::f32([vocabulary, hidden]),
            TensorSpec::f32([3 * hidden + 2, 4 * hidden]),
            stack.weights(),
            stack.biases(),
            TensorSpec::f32([2 * layers * hidden, hidden]),
            memory.clone(),
            memory.clone(),
            TensorSpec::f32([hidden]),
            TensorSpec::f32([2 * hidden, hidden]),
            TensorSpec::f32([hidden]),
            memory,
        ]
    }

    /// Operations of cells, query, attention and output.
    fn flops(&self) -> u64 {
        let Stack { batch, hidden, layers, .. } = self.stack;
        let linear = 2 * batch * hidden * hidden * (2 + 2 * layers + 2);
        self.stack.flops() + linear as u64 + self.attended().flops()
    }
}

impl Op for DecoderStep {
    fn kind(&self) -> Kind {
        Kind::new("decoder_step", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let refused = || format!("{} and {} do not fit a step", inputs[0], inputs[1]);
        let dims = (inputs[0].dims(), inputs[1].dims(), inputs[2].dims(), inputs[5].dims());
        let (&[batch, earlier, _], &[_, ids], &[vocabulary, hidden], &[layers, _]) = dims else {
            return Err(refused());
        };
        let positions = Attended::of(&inputs[7], &inputs[7], &inputs[9])?.positions;
        let stack = Stack { batch, steps: 1, hidden, layers, units: 2 * layers + 1 };
        let sizes = Sizes { stack, positions, earlier, ids, vocabulary };
        if *inputs != sizes.inputs() || self.id >= ids || layers == 0 {
            return Err(refused());
        }
        let row = TensorSpec::f32([batch, stack.row_len()]);
        let words = [TensorSpec::u32([batch]), TensorSpec::f32([batch, hidden])];
        let outputs = [stack.states(), TensorSpec::f32([batch, hidden])];
        // Of the table the words' rows are read, of what was before the last row, and of weights what is not in others.
        let weights = TensorSpec::f32([layers - 1, 8 * hidden * hidden]);
        let output = TensorSpec::f32([hidden, hidden]);
        let (first, above, after) = (&inputs[3..4], &inputs[5..10], &inputs[11..]);
        let read = [&[row], &words[..], first, &[weights], above, &[output], after].concat();
        let cost = Cost::new(sizes.flops(), &read, &outputs);
        let facts = Facts::new(outputs.map(Output::new), cost, Tolerance::sum(64 * hidden))
            .drawn_from(WELL_CONDITIONED);
        Ok(Box::new(StepProblem { id: self.id, sizes, facts }))
    }
}

#[derive(Debug)]
struct StepProblem {
    id: usize,
    sizes: Sizes,
    /// Outputs: the states before and after, and the output.
    facts: Facts,
}

impl Problem for StepProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Step::variants_of_a_layer(self.sizes.stack, 4, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let Sizes { stack, earlier, ids, vocabulary, .. } = self.sizes;
        let [states, gates, asking] = [output(0), scratch(0), scratch(1)];
        let lengths = [("EARLIER", earlier), ("IDS", ids), ("VOCABULARY", vocabulary)];
        let last = |layer| layer + 1 == stack.layers;
        // The last layer's h goes on to the output as well.
        let handing_on = |cells: Step, layer, bindings: usize| {
            if !last(layer) {
                return cells;
            }
            let weight = format!(
                "@group(0) @binding({bindings}) var<storage, read> output_weights: array<vec4<f32>>; // [2H, H]\n\
                 const OUTPUT: bool = true;\n\
                 fn output_weight(i: u32) -> vec4<f32> {{ return output_weights[i]; }}\n"
            );
            cells.with_hook("output", weight)
        };
        let with_output = |dispatch: Dispatch, layer| {
            if last(layer) { dispatch.bind("output_weights", input(10)) } else { dispatch }
        };
        let word = cells(variant, stack, "decoder/token").with_consts(&lengths);
        let parts = word.across();
        let scratch = vec![stack.gates(), asking_spec(stack, &word, 2)];
        let word = handing_on(word, 0, 7)
            .dispatch(1)
            .param("id", self.id)
            .bind("first", input(3))
            .bind("ids", input(1))
            .bind("embedding", input(2))
            .bind("earlier", input(0))
            .bind("query_weights", input(6))
            .bind("states", states)
            .bind("asking", asking);
        let above = cells(variant, stack, "decoder/above").with_consts(&[("STEPS", 1)]);
        let cell = |l| {
            let dispatch = handing_on(above.clone(), l, 6).at(0, 1);
            with_output(bind_above(dispatch, l, [4, 5, 6], [states, gates, asking]), l)
        };
        let attended = self.sizes.attended();
        let lanes = attention_lanes(&attended, variant, caps);
        let answer = attention(&attended, stack, lanes, "decoder/answer", (0, parts))
            .bind("keys", input(7))
            .bind("memory", input(8))
            .bind("v", input(9))
            .bind("context", states)
            .bind("asking", asking.read())
            .bind("projected", input(12))
            .bind("output_bias", input(11))
            .bind("out", output(1));
        let dispatches = std::iter::once(with_output(word, 0));
        let dispatches = dispatches.chain((1..stack.layers).map(cell)).chain([answer]);
        Lowered { dispatches: dispatches.collect(), scratch }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Sizes { stack, earlier, ids, vocabulary, .. } = self.sizes;
        let Stack { batch, hidden, layers, .. } = stack;
        let (row_len, cells) = (stack.row_len(), 2 * layers * hidden);
        let weights = |l: usize| &inputs[4].data[l * 8 * hidden * hidden..][..8 * hidden * hidden];
        let first = &inputs[3].data;
        let rows = |from: usize, count: usize| &first[from * 4 * hidden..][..count * 4 * hidden];
        let first_weight = [rows(0, 2 * hidden), rows(2 * hidden + 1, hidden)].concat();
        let biases = rows(2 * hidden, 1).iter().zip(rows(3 * hidden + 1, 1));
        let first_bias: Vec<_> = biases.map(|(a, b)| a + b).collect();
        let step = |b: usize| {
            let before = &sequence(inputs[0], b)[(earlier - 1) * row_len..];
            let id = inputs[1].data[b * ids + self.id] as usize;
            let word = &inputs[2].data[id.min(vocabulary - 1) * hidden..][..hidden];
            let mut row = before.to_vec();
            let mut below = [word, &before[cells..]].concat();
            for l in 0..layers {
                let (weight, bias) = match l {
                    0 => (&first_weight[..], &first_bias[..]),
                    _ => (weights(l), &inputs[5].data[l * 4 * hidden..]),
                };
                let (c, h) = before[2 * l * hidden..][..2 * hidden].split_at(hidden);
                let [_, c, h] = cell_forward(weight, bias, &below, h, c);
                row[2 * l * hidden..][..2 * hidden].copy_from_slice(&[&c[..], &h].concat());
                below = h;
            }
            let memory = [sequence(inputs[7], b), sequence(inputs[8], b), &inputs[9].data];
            let (_, shares) = look_up(&mut row, &inputs[6].data, memory);
            let mut out = inputs[11].data.clone();
            add_product(&mut out, &row[cells - hidden..cells], &inputs[10].data);
            add_product(&mut out, &shares, sequence(inputs[12], b));
            ([before, &row].concat(), out)
        };
        let (rows, outs): (Vec<_>, Vec<_>) = (0..batch).into_par_iter().map(step).unzip();
        let [mut states, mut out] = self.facts.zeros();
        (states.data, out.data) = (rows.concat(), outs.concat());
        vec![states, out]
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sample_well_conditioned(x, sampler);
        // Some ids lie past the table.
        arrays[1] = sampler.array(&x[1], self.sizes.vocabulary + 1);
        arrays
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let stack = self.sizes.stack.reduced();
        stack.map(|stack| Sizes { stack, ..self.sizes }.inputs().to_vec())
    }
}

/// The decoder's parameters where it goes on from words.
#[derive(Debug, Clone, Copy)]
pub struct StepParameters<'g> {
    /// Of the words, [V, H].
    pub embedding: Tensor<'g>,
    /// The first cell's weight over word, context, bias of the input, h and its own bias, [3H + 2, 4H].
    pub first: Tensor<'g>,
    /// Cells: [L, 2H 4H].
    pub weights: Tensor<'g>,
    /// Cells: [L, 4H].
    pub biases: Tensor<'g>,
    /// Of the query, [2L H, H].
    pub query: Tensor<'g>,
    /// Of the output, [2H, H].
    pub output: Tensor<'g>,
    /// Of the output, `[H]`.
    pub output_bias: Tensor<'g>,
    /// The memory after the context's rows of the output's weight, [B, S, H].
    pub projected: Tensor<'g>,
}

impl<'g> Tensor<'g> {
    /// A decoder's next states [B, 2, (2L + 1) H] and output [B, H] after the last row of `self` [B, R, (2L + 1) H] and the
    /// words that column `id` of `ids` u32 [B, N] names. A row is c and h of each layer and the context.
    pub fn decoder_step(
        self,
        ids: Tensor<'g>,
        id: usize,
        parameters: StepParameters<'g>,
        memory: Memory<'g>,
    ) -> [Tensor<'g>; 2] {
        let inputs = [
            self,
            ids,
            parameters.embedding,
            parameters.first,
            parameters.weights,
            parameters.biases,
            parameters.query,
            memory.keys,
            memory.values,
            memory.v,
            parameters.output,
            parameters.output_bias,
            parameters.projected,
        ];
        let made = self.graph().apply(DecoderStep { id }, &inputs);
        [made[0], made[1]]
    }
}
