//! Additive attention of queries over a sequence (Bahdanau 2015, appendix A.1.2).

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed,
};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::lstm::{MODEST, modest};

/// Inputs: query [B, T, H], keys [B, S, H], memory [B, S, H], v `[H]`. Outputs: the context
/// sum over s of a memory [B, T, H] with a = softmax over s of v . tanh(keys + query), and for the backward
/// pass a [B, T, S]. H is a multiple of 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention;

/// The gradients of the queries alone: query, keys, memory, v, a [B, T, S], dcontext [B, T, H] to
/// dquery [B, T, H] and dscore [B, T, S].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionGrad;

/// The gradients that add up over queries: dscore, query, keys, v to dkeys [B, S, H] and the share of each
/// position in dv [B, S, H].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionSums;

/// Lengths of one problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Size {
    pub(in crate::op) batch: usize,
    pub(in crate::op) queries: usize,
    pub(in crate::op) positions: usize,
    pub(in crate::op) width: usize,
}

/// Where the rows of a context lie in its tensor, in elements: [B, rows, pitch], from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Context {
    pub(in crate::op) first: usize,
    pub(in crate::op) rows: usize,
    pub(in crate::op) pitch: usize,
}

impl Size {
    pub(in crate::op) fn of(
        query: &TensorSpec,
        keys: &TensorSpec,
        v: &TensorSpec,
    ) -> Result<Self, String> {
        match (query.dims(), keys.dims()) {
            (&[batch, queries, width], &[others, positions, same])
                if batch == others
                    && width == same
                    && width.is_multiple_of(4)
                    && *v == TensorSpec::f32([width]) =>
            {
                Ok(Self { batch, queries, positions, width })
            }
            _ => Err(format!("{query} are no queries over {keys} with {v}")),
        }
    }

    fn context(self) -> Context {
        Context { first: 0, rows: self.queries, pitch: self.width }
    }

    fn shares(self) -> TensorSpec {
        TensorSpec::f32([self.batch, self.queries, self.positions])
    }

    /// Operations of the scores and of the sum.
    fn flops(self) -> u64 {
        (6 * self.batch * self.queries * self.positions * self.width) as u64
    }

    /// The kernel `forward` or `backward` from query `step` on, as many as `queries`.
    pub(in crate::op) fn dispatch(
        self,
        shader: &str,
        [lanes, team]: [u32; 2],
        context: Context,
        queries: std::ops::Range<usize>,
        bindings: Vec<Binding>,
    ) -> Dispatch {
        let consts = [
            ("COLUMNS", self.width / 4),
            ("S", self.positions),
            ("T", self.queries),
            ("CONTEXT", context.first / 4),
            ("ROWS", context.rows),
            ("PITCH", context.pitch / 4),
        ];
        let kernel = Kernel::new(format!("attention/{shader}"))
            .with_consts(&consts.map(|(name, value)| (name, value as u32)))
            .with_consts(&[("LANES", lanes), ("TEAM", team)]);
        Dispatch {
            kernel,
            bindings,
            params: unnamed(vec![queries.start as u32]),
            grid: [self.batch as u32, queries.len() as u32, 1],
        }
    }
}

/// Invocations of a workgroup and of a team, the likeliest first.
pub(in crate::op) fn teams(caps: &Caps) -> [[u32; 2]; 2] {
    // A CPU's invocations are lanes of a loop: a score each.
    if caps.software { [[8, 1], [256, 8]] } else { [[256, 8], [8, 1]] }
}

fn variants(name: &'static str, caps: &Caps) -> Vec<Variant> {
    let by = |[lanes, team]: [u32; 2]| Variant::new(name, [("LANES", lanes), ("TEAM", team)]);
    teams(caps).map(by).to_vec()
}

fn team(variant: &Variant) -> [u32; 2] {
    [variant.get("LANES"), variant.get("TEAM")]
}

/// A query's shares and context in f64.
pub(in crate::op) fn attend(
    query: &[f64],
    keys: &[f64],
    memory: &[f64],
    v: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let width = query.len();
    let score = |key: &[f64]| -> f64 {
        let terms = key.iter().zip(query).zip(v);
        terms.map(|((k, q), v)| v * (k + q).tanh()).sum()
    };
    let mut shares: Vec<_> = keys.chunks(width).map(score).collect();
    let highest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    shares.iter_mut().for_each(|x| *x = (*x - highest).exp());
    let total: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|x| *x /= total);
    let mut context = vec![0.0; width];
    for (share, row) in shares.iter().zip(memory.chunks(width)) {
        context.iter_mut().zip(row).for_each(|(c, m)| *c += share * m);
    }
    (shares, context)
}

/// dscore and dquery of a query in f64.
pub(in crate::op) fn attend_back(
    query: &[f64],
    keys: &[f64],
    memory: &[f64],
    v: &[f64],
    shares: &[f64],
    dcontext: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let width = query.len();
    // Against position 0: where there is no other, the gradient is 0, not what rounding leaves.
    let dot = |row: &[f64]| {
        let rows = row.iter().zip(memory).zip(dcontext);
        rows.map(|((m, first), d)| (m - first) * d).sum::<f64>()
    };
    let da: Vec<_> = memory.chunks(width).map(dot).collect();
    // Rounded shares don't quite sum to 1, and what is missing would weigh where all da are alike.
    let mean = shares.iter().zip(&da).map(|(a, d)| a * d).sum::<f64>() / shares.iter().sum::<f64>();
    let dscore: Vec<_> = shares.iter().zip(&da).map(|(a, d)| a * (d - mean)).collect();
    let mut dquery = vec![0.0; width];
    for (d, key) in dscore.iter().zip(keys.chunks(width)) {
        for (n, dq) in dquery.iter_mut().enumerate() {
            let x = (key[n] + query[n]).tanh();
            *dq += d * v[n] * (1.0 - x * x);
        }
    }
    (dscore, dquery)
}

/// The rows of sequence b.
pub(in crate::op) fn of_sequence(x: &Array, b: usize) -> &[f64] {
    let each = x.data.len() / x.dims()[0].max(1);
    &x.data[b * each..][..each]
}

impl OldOp for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let size = Size::of(&inputs[0], &inputs[1], &inputs[3])?;
        if inputs[2] != inputs[1] {
            return Err(format!("memory {} has other keys {}", inputs[2], inputs[1]));
        }
        Ok(vec![inputs[0].clone(), size.shares()])
    }

    fn saved(&self) -> usize {
        1
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = Size::of(&inputs[0], &inputs[1], &inputs[3]).map_or(0, Size::flops);
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, _inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants("forward", caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = Size::of(&io.inputs[0], &io.inputs[1], &io.inputs[3]) else {
            return Lowered::default();
        };
        let bindings = (0..4).map(input).chain([output(1), output(0)]).collect();
        let all = 0..size.queries;
        Lowered::one(size.dispatch("forward", team(variant), size.context(), all, bindings))
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let Some(dcontext) = dy[0] else {
            return vec![None; x.len()];
        };
        let g = dcontext.graph();
        let made = g.apply(AttentionGrad, &[x[0], x[1], x[2], x[3], y[1], dcontext]);
        let [dkeys, dmemory, dv] = over_queries(made[1], y[1], dcontext, x[0], x[1], x[3]);
        vec![Some(made[0]), Some(dkeys), Some(dmemory), Some(dv)]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Ok(size) = Size::of(&inputs[0].spec, &inputs[1].spec, &inputs[3].spec) else {
            return vec![];
        };
        let mut made = [Array::zeros(inputs[0].spec.clone()), Array::zeros(size.shares())];
        for (bt, query) in inputs[0].data.chunks(size.width).enumerate() {
            let b = bt / size.queries;
            let (keys, memory) = (of_sequence(inputs[1], b), of_sequence(inputs[2], b));
            let (shares, context) = attend(query, keys, memory, &inputs[3].data);
            made[0].data[bt * size.width..][..size.width].copy_from_slice(&context);
            made[1].data[bt * size.positions..][..size.positions].copy_from_slice(&shares);
        }
        made.to_vec()
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(16 * inputs[0].shape.last() + inputs[1].dims()[1])
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        modest(i, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }
}

/// dkeys, dmemory and dv of all queries.
pub(in crate::op) fn over_queries<'g>(
    dscore: Tensor<'g>,
    shares: Tensor<'g>,
    dcontext: Tensor<'g>,
    query: Tensor<'g>,
    keys: Tensor<'g>,
    v: Tensor<'g>,
) -> [Tensor<'g>; 3] {
    let made = dscore.graph().apply(AttentionSums, &[dscore, query, keys, v]);
    let width = v.spec().len();
    let positions = keys.spec().len() / width;
    let dv = made[1].reshape([positions, width]).sum(0);
    [made[0], shares.product(dcontext, true, false), dv]
}

impl OldOp for AttentionGrad {
    fn name(&self) -> &'static str {
        "attention_grad"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let size = Size::of(&inputs[0], &inputs[1], &inputs[3])?;
        if inputs[2] != inputs[1] || inputs[4] != size.shares() || inputs[5] != inputs[0] {
            return Err(format!("{} and {} are of no attention", inputs[4], inputs[5]));
        }
        Ok(vec![inputs[0].clone(), size.shares()])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = Size::of(&inputs[0], &inputs[1], &inputs[3]).map_or(0, Size::flops);
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, _inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants("backward", caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = Size::of(&io.inputs[0], &io.inputs[1], &io.inputs[3]) else {
            return Lowered::default();
        };
        let bindings = (0..6).map(input).chain([output(0), output(1)]).collect();
        let all = 0..size.queries;
        Lowered::one(size.dispatch("backward", team(variant), size.context(), all, bindings))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Ok(size) = Size::of(&inputs[0].spec, &inputs[1].spec, &inputs[3].spec) else {
            return vec![];
        };
        let mut made = [Array::zeros(inputs[0].spec.clone()), Array::zeros(size.shares())];
        for (bt, query) in inputs[0].data.chunks(size.width).enumerate() {
            let b = bt / size.queries;
            let (dscore, dquery) = attend_back(
                query,
                of_sequence(inputs[1], b),
                of_sequence(inputs[2], b),
                &inputs[3].data,
                &inputs[4].data[bt * size.positions..][..size.positions],
                &inputs[5].data[bt * size.width..][..size.width],
            );
            made[0].data[bt * size.width..][..size.width].copy_from_slice(&dquery);
            made[1].data[bt * size.positions..][..size.positions].copy_from_slice(&dscore);
        }
        made.to_vec()
    }

    /// da minus its mean cancels.
    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(64 * inputs[0].shape.last() + inputs[1].dims()[1])
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        let mut arrays = modest(i, distribution, rng);
        let made = Attention.reference(&[&arrays[0], &arrays[1], &arrays[2], &arrays[3]]);
        arrays[4] = made[1].rounded();
        arrays
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }
}

impl OldOp for AttentionSums {
    fn name(&self) -> &'static str {
        "attention_sums"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let size = Size::of(&inputs[1], &inputs[2], &inputs[3])?;
        if inputs[0] != size.shares() {
            return Err(format!("{} are no scores of {}", inputs[0], inputs[2]));
        }
        Ok(vec![inputs[2].clone(); 2])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = Size::of(&inputs[1], &inputs[2], &inputs[3]).map_or(0, Size::flops);
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("sums", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = Size::of(&io.inputs[1], &io.inputs[2], &io.inputs[3]) else {
            return Lowered::default();
        };
        let consts = [
            ("COLUMNS", size.width / 4),
            ("BATCH", size.batch),
            ("S", size.positions),
            ("T", size.queries),
        ];
        Lowered::one(Dispatch {
            kernel: Kernel::of("attention", variant)
                .with_consts(&consts.map(|(name, value)| (name, value as u32))),
            bindings: (0..4).map(input).chain([output(0), output(1)]).collect(),
            params: vec![],
            grid: grid((io.inputs[2].len() / 4).div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Ok(size) = Size::of(&inputs[1].spec, &inputs[2].spec, &inputs[3].spec) else {
            return vec![];
        };
        let (queries, v) = (inputs[1], &inputs[3].data);
        let mut made = [Array::zeros(inputs[2].spec.clone()), Array::zeros(inputs[2].spec.clone())];
        let [dkeys, dv] = &mut made;
        let rows = dkeys.data.par_chunks_mut(size.width).zip(dv.data.par_chunks_mut(size.width));
        rows.enumerate().for_each(|(bs, (dkey, dv))| {
            let (b, s) = (bs / size.positions, bs % size.positions);
            let key = &inputs[2].data[bs * size.width..][..size.width];
            for (t, query) in of_sequence(queries, b).chunks(size.width).enumerate() {
                let d = inputs[0].data[(b * size.queries + t) * size.positions + s];
                for n in 0..size.width {
                    let x = (key[n] + query[n]).tanh();
                    dkey[n] += d * v[n] * (1.0 - x * x);
                    dv[n] += d * x;
                }
            }
        });
        made.to_vec()
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(64 * inputs[0].dims()[1])
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        modest(i, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }
}

impl<'g> Tensor<'g> {
    /// The contexts [B, T, H] of queries `self` [B, T, H] over `memory` [B, S, H] by additive attention: shares
    /// are softmax over s of v . tanh(keys + query) (Bahdanau 2015, appendix A.1.2).
    pub fn attention(self, keys: Tensor<'g>, memory: Tensor<'g>, v: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply(Attention, &[self, keys, memory, v])[0]
    }
}

/// Cases of [`Attention`], [`AttentionGrad`] and [`AttentionSums`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (batch, queries, positions, width) in [
            (1, 1, 1, 4),
            (2, 3, 2, 8),
            (3, 2, 7, 12),
            (4, 10, 5, 32),
            (2, 5, 67, 36),
            (3, 4, 40, 256),
        ] {
            let query = TensorSpec::f32([batch, queries, width]);
            let keys = TensorSpec::f32([batch, positions, width]);
            let v = TensorSpec::f32([width]);
            let shares = TensorSpec::f32([batch, queries, positions]);
            let name = format!("b{batch}_t{queries}_s{positions}_h{width}");
            let inputs = [query.clone(), keys.clone(), keys.clone(), v.clone()];
            cases.push(Case::new(&*name, Attention, inputs.clone()));
            let back = [&inputs[..], &[shares.clone(), query.clone()]].concat();
            cases.push(Case::new(format!("{name}_back"), AttentionGrad, back));
            let sums = [shares, query, keys, v];
            cases.push(Case::new(format!("{name}_sums"), AttentionSums, sums));
        }
        cases
    }
}
