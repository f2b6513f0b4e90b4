//! Batch normalisation in training (Ioffe & Szegedy 2015): by the statistics of the batch itself.

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::chain::{Chain, text_epilogue_of};
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Op, Tolerance};
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch, unnamed,
};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{GPU_WORKGROUP, size};

/// x [.., C], scale `[C]`, shift `[C]` to y [.., C], mean `[C]`, variance `[C]`: y = (x - mean) / sqrt(biased
/// variance + epsilon) * scale + shift over all N rows. The variance that is given out is the unbiased one,
/// of N - 1 (of 1 where there is one row).
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// Applied to each value of y as it is stored; its other inputs follow the shift.
    pub epilogue: Option<Chain>,
}

/// Its gradient: x, scale, mean, variance (unbiased), dy to dx, dscale, dshift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormGrad {
    /// Added to the variance.
    pub epsilon: f32,
}

/// `sums.wgsl` where it folds gradients.
const GRAD_OPERANDS: &str = "\
@group(0) @binding(1) var<storage, read> mean: array<T>;
@group(0) @binding(2) var<storage, read> variance: array<T>;
@group(0) @binding(3) var<storage, read> dy: array<T>;
@group(0) @binding(4) var<storage, read_write> first: array<T>;
@group(0) @binding(5) var<storage, read_write> second: array<T>;
struct Channel { shift: T, factor: T }
fn channel(c: u32, row: u32) -> Channel {
    let n = f32(params.rows);
    return Channel(mean[c], inverseSqrt(variance[c] * ((n - 1.0) / n) + params.epsilon));
}
fn given(at: u32) -> T { return dy[at]; }
";

/// Elements below which a second dispatch costs more than it saves.
const CHUNKS_FROM: usize = 1 << 15;

/// Workgroups that fill a large GPU.
const GPU_WORKGROUPS: usize = 512;

/// Rows and vectors of channels of a tensor, and how sums over the rows are dealt out.
struct Problem {
    rows: usize,
    channels: usize,
    width: usize,
}

impl Problem {
    fn of(x: &TensorSpec) -> Self {
        let channels = x.shape.last();
        Self {
            rows: x.shape.rows(),
            channels,
            width: if channels.is_multiple_of(4) { 4 } else { 1 },
        }
    }

    fn vectors(&self) -> usize {
        self.channels / self.width
    }

    /// A variant that suits GPUs and one that suits CPUs, the device's own first.
    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let mut all = vec![self.variant(caps.software), self.variant(!caps.software)];
        all.dedup();
        all
    }

    fn variant(&self, software: bool) -> Variant {
        let vectors = self.vectors();
        let (workgroup, columns, chunks) = if software {
            // One invocation a column: a team would need barriers.
            let columns = vectors.next_power_of_two().min(16);
            (columns, columns, (self.rows / 16).min(64))
        } else {
            // At least eight rows for each of those who share a column.
            let team = (self.rows / 8).clamp(1, 64).next_power_of_two();
            let columns = vectors.next_power_of_two().clamp(4, 32);
            let columns = columns.max(GPU_WORKGROUP / team).min(GPU_WORKGROUP);
            let blocks = vectors.div_ceil(columns);
            let most = self.rows / (16 * (GPU_WORKGROUP / columns));
            (GPU_WORKGROUP, columns, (GPU_WORKGROUPS / blocks).min(most))
        };
        let large = self.rows * self.channels >= CHUNKS_FROM;
        let consts = [
            ("WORKGROUP", workgroup),
            ("COLUMNS", columns),
            ("WIDTH", self.width),
            ("CHUNKS", if large { chunks.max(1) } else { 1 }),
        ];
        Variant::new("sums", consts.map(|(name, value)| (name, value as u32)))
    }

    fn element(&self) -> &'static str {
        if self.width == 4 { "vec4<f32>" } else { "f32" }
    }

    /// Sums over the rows into two vectors of channels, in one dispatch or in two.
    fn sums(&self, variant: &Variant, sums: Sums, epsilon: f32, caps: &Caps) -> Lowered {
        let get = |name| variant.get(name) as usize;
        // Rows dealt out evenly: the last chunk has some too.
        let chunk = self.rows.div_ceil(get("CHUNKS"));
        let chunks = self.rows.div_ceil(chunk);
        let mut kernel = Kernel::new("batch_norm/sums")
            .with_consts(&[
                ("WORKGROUP", variant.get("WORKGROUP")),
                ("COLUMNS", variant.get("COLUMNS")),
            ])
            .with_text("T", self.element())
            .with_text("GRAD", sums.grad.to_string())
            .with_text("FINAL", (chunks == 1).to_string());
        if sums.grad {
            kernel = kernel.with_hook("operands", GRAD_OPERANDS);
        }
        let results = if chunks == 1 { sums.results } else { [scratch(0), scratch(1)] };
        let sizes = |channels: usize| [self.rows, channels, chunk, chunks].map(|s| s as u32);
        let blocks = self.vectors().div_ceil(get("COLUMNS"));
        let mut dispatches = vec![Dispatch {
            kernel,
            bindings: sums.operands.iter().copied().chain(results).collect(),
            params: unnamed(sizes(self.vectors()).into_iter().chain([epsilon.to_bits()]).collect()),
            grid: grid(blocks * chunks, caps),
        }];
        let mut parts = Vec::new();
        if chunks > 1 {
            parts = vec![TensorSpec::f32([chunks, self.channels]); 2];
            dispatches.push(Dispatch {
                kernel: Kernel::new("batch_norm/combine").with_text("GRAD", sums.grad.to_string()),
                bindings: [scratch(0).read(), scratch(1).read()]
                    .into_iter()
                    .chain(sums.results)
                    .collect(),
                params: unnamed(sizes(self.channels).into()),
                grid: grid(self.channels.div_ceil(64), caps),
            });
        }
        Lowered { dispatches, scratch: parts }
    }

    /// Parameters that every elementwise kernel begins with, and its grid.
    fn elementwise(&self, epsilon: f32, caps: &Caps) -> (Vec<u32>, [u32; 3]) {
        let count = self.rows * self.vectors();
        let n = self.rows as f32;
        let words =
            [count as u32, self.vectors() as u32, ((n - 1.0) / n).to_bits(), epsilon.to_bits()];
        (words.into(), grid(count.div_ceil(64), caps))
    }

    /// Rows for verification: as many as take the same path, and no multiple of anything.
    fn representative(&self, x: &TensorSpec) -> TensorSpec {
        const ROWS: usize = 4099;
        let mut dims = x.dims().to_vec();
        if self.rows > ROWS {
            let leading = dims.len() - 1;
            dims[..leading].fill(1);
            dims[0] = ROWS;
        }
        TensorSpec::f32(dims)
    }
}

/// What is summed, and where to.
struct Sums {
    grad: bool,
    operands: Vec<Binding>,
    results: [Binding; 2],
}

/// Mean and sum of squared distances of each channel.
fn moments(x: &Array) -> (Vec<f64>, Vec<f64>) {
    let (n, channels) = (x.spec.shape.rows() as f64, x.spec.shape.last());
    let mut mean = vec![0.0; channels];
    for row in x.data.chunks(channels) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n);
    }
    let mut squares = vec![0.0; channels];
    for row in x.data.chunks(channels) {
        for ((s, v), m) in squares.iter_mut().zip(row).zip(&mean) {
            *s += (v - m) * (v - m);
        }
    }
    (mean, squares)
}

fn check(x: &TensorSpec, vectors: &[TensorSpec]) -> Result<(), String> {
    let channels = TensorSpec::f32([x.shape.last()]);
    match vectors.iter().find(|v| **v != channels) {
        Some(other) => Err(format!("{x} needs {channels}, not {other}")),
        None if x.is_empty() => Err(format!("{x} has no elements")),
        None => Ok(()),
    }
}

/// Two rows, standardised, are +-1 whatever they were, and their gradient nearly vanishes: values are small
/// then, so that epsilon counts.
fn spread(x: &mut Array) {
    let most = x.data.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    if x.spec.shape.rows() == 2 && most > 0.0 {
        x.data.iter_mut().for_each(|v| *v = f64::from((*v * 0.004 / most) as f32));
    }
}

/// Offset is left out: a mean of 1000 is known to 6e-5 in f32, which is 1e-4 of the deviation; Tiny and
/// Zeros have variances far below epsilon, and are kept.
const DISTRIBUTIONS: &[Distribution] = &[
    Distribution::Uniform,
    Distribution::Ties,
    Distribution::Zeros,
    Distribution::Tiny,
    Distribution::Extreme,
];

impl BatchNorm {
    fn epilogue_inputs(inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        inputs[..1].iter().chain(&inputs[3..]).cloned().collect()
    }
}

impl OldOp for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        check(&inputs[0], &inputs[1..3])?;
        if let Some(map) = &self.epilogue {
            let shape = map.shape(&Self::epilogue_inputs(inputs))?;
            if shape != inputs[0].shape {
                return Err(format!("the epilogue changes {} to {shape}", inputs[0].shape));
            }
        }
        Ok(inputs[..3].to_vec())
    }

    /// Two passes' worth of arithmetic; x once in, y once out.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let each = 7 + self.epilogue.as_ref().map_or(0, Chain::flops);
        Cost::new(inputs[0].len() as u64 * each, inputs, &inputs[..3])
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        Problem::of(&inputs[0]).variants(caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let p = Problem::of(&io.inputs[0]);
        let sums = Sums { grad: false, operands: vec![input(0)], results: [output(1), output(2)] };
        let mut lowered = p.sums(variant, sums, self.epsilon, io.caps);
        let mut kernel = Kernel::new("batch_norm/normalise").with_text("T", p.element());
        if let Some(map) = &self.epilogue {
            let inputs = Self::epilogue_inputs(io.inputs);
            let text = text_epilogue_of(map, &inputs, &io.outputs[0].shape, 6, p.width);
            kernel = kernel.with_hook("epilogue", text);
        }
        let own = [input(0), input(1), input(2), output(1).read(), output(2).read(), output(0)];
        let (params, grid) = p.elementwise(self.epsilon, io.caps);
        lowered.dispatches.push(Dispatch {
            kernel,
            bindings: own.into_iter().chain((3..io.inputs.len()).map(input)).collect(),
            params: unnamed(params),
            grid,
        });
        lowered
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        // Epilogues are made after differentiation.
        if self.epilogue.is_some() {
            return vec![None; x.len()];
        }
        let mut grads = vec![None; 3];
        if let Some(dy) = dy[0] {
            let epsilon = self.epsilon;
            let operands = [x[0], x[1], y[1], y[2], dy];
            let all = dy.graph().apply(BatchNormGrad { epsilon }, &operands);
            grads = all[..3].iter().copied().map(Some).collect();
        }
        // In models the statistics only feed running ones, and these have no gradient.
        let n = x[0].spec().shape.rows() as f32;
        let shape = x[0].spec().shape;
        let mut add = |dx: Tensor<'g>| grads[0] = Some(grads[0].map_or(dx, |sum| sum + dx));
        if let Some(mean) = dy[1] {
            add(mean.scale(1.0 / n).broadcast_to(&shape));
        }
        if let Some(variance) = dy[2] {
            add(((x[0] - y[1]) * variance).scale(2.0 / (n - 1.0).max(1.0)));
        }
        grads
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, scale, shift] = inputs[..3] else {
            return vec![];
        };
        let (n, channels) = (x.spec.shape.rows() as f64, x.spec.shape.last());
        let (mean, squares) = moments(x);
        let normalise = |(i, v): (usize, &f64)| {
            let c = i % channels;
            let deviation = (squares[c] / n + f64::from(self.epsilon)).sqrt();
            (v - mean[c]) / deviation * scale.data[c] + shift.data[c]
        };
        let y = x.data.iter().enumerate().map(normalise).collect();
        let mut y = Array::new(x.spec.clone(), y);
        if let Some(map) = &self.epilogue {
            let extras = inputs[3..].iter().copied();
            let all: Vec<_> = std::iter::once(&y).chain(extras).collect();
            y = map.apply(&x.spec.shape, &all);
        }
        let variance = squares.iter().map(|s| s / (n - 1.0).max(1.0)).collect();
        vec![y, Array::f32([channels], mean), Array::f32([channels], variance)]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        let depth = self.epilogue.as_ref().map_or(0, Chain::depth);
        Tolerance::sum(inputs[0].shape.rows().max(16) + 16 * depth)
    }

    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let draw = |spec: &TensorSpec| distribution.array(spec, 4, rng);
        let mut arrays: Vec<_> = inputs.iter().map(draw).collect();
        spread(&mut arrays[0]);
        arrays
    }

    fn distributions(&self) -> &'static [Distribution] {
        DISTRIBUTIONS
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let x = Problem::of(&inputs[0]).representative(&inputs[0]);
        let same = |spec: &TensorSpec| {
            if *spec == inputs[0] { x.clone() } else { spec.clone() }
        };
        inputs.iter().map(same).collect()
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        // Six bindings are taken by then, of the eight that every device has.
        if chain.is_random() || chain.inputs > 3 {
            return None;
        }
        let epilogue = chain.behind(self.epilogue.as_ref());
        (epilogue.inputs <= 3)
            .then(|| Arc::new(Self { epilogue: Some(epilogue), ..self.clone() }) as Arc<dyn Op>)
    }

    fn types(&self) -> Vec<(&'static str, Class)> {
        let own = (self.name(), self.class());
        let rest = self.epilogue.as_ref().map(Chain::types).unwrap_or_default();
        std::iter::once(own).chain(rest).collect()
    }
}

impl OldOp for BatchNormGrad {
    fn name(&self) -> &'static str {
        "batch_norm_grad"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        check(&inputs[0], &inputs[1..4])?;
        if inputs[4] != inputs[0] {
            return Err(format!("{} is not {}", inputs[4], inputs[0]));
        }
        Ok(vec![inputs[0].clone(), inputs[1].clone(), inputs[1].clone()])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(11 * inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        Problem::of(&inputs[0]).variants(caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let p = Problem::of(&io.inputs[0]);
        let sums = Sums {
            grad: true,
            operands: vec![input(0), input(2), input(3), input(4)],
            results: [output(2), output(1)],
        };
        let mut lowered = p.sums(variant, sums, self.epsilon, io.caps);
        let (mut params, grid) = p.elementwise(self.epsilon, io.caps);
        params.push((1.0 / p.rows as f32).to_bits());
        let sums = [output(1).read(), output(2).read(), output(0)];
        lowered.dispatches.push(Dispatch {
            kernel: Kernel::new("batch_norm/grad").with_text("T", p.element()),
            bindings: (0..5).map(input).chain(sums).collect(),
            params: unnamed(params),
            grid,
        });
        lowered
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, scale, mean, variance, dy] = inputs else {
            return vec![];
        };
        let (n, channels) = (x.spec.shape.rows() as f64, x.spec.shape.last());
        let factor = |c: usize| {
            let biased = variance.data[c] * (n - 1.0) / n;
            1.0 / (biased + f64::from(self.epsilon)).sqrt()
        };
        let factors: Vec<f64> = (0..channels).map(factor).collect();
        let hat = |i: usize| (x.data[i] - mean.data[i % channels]) * factors[i % channels];
        let (mut dscale, mut dshift) = (vec![0.0; channels], vec![0.0; channels]);
        for (i, d) in dy.data.iter().enumerate() {
            dscale[i % channels] += d * hat(i);
            dshift[i % channels] += d;
        }
        let dx = |(i, d): (usize, &f64)| {
            let c = i % channels;
            scale.data[c] * factors[c] * (d - (dshift[c] + hat(i) * dscale[c]) / n)
        };
        let dx = dy.data.iter().enumerate().map(dx).collect();
        vec![
            Array::new(x.spec.clone(), dx),
            Array::f32([channels], dscale),
            Array::f32([channels], dshift),
        ]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(inputs[0].shape.rows().max(64))
    }

    /// The statistics are those of x.
    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let draw = |spec: &TensorSpec| distribution.array(spec, 4, rng);
        let mut arrays: Vec<_> = inputs.iter().map(draw).collect();
        spread(&mut arrays[0]);
        let n = inputs[0].shape.rows() as f64;
        let (mean, squares) = moments(&arrays[0]);
        arrays[2].data = mean;
        arrays[3].data = squares.iter().map(|s| s / (n - 1.0).max(1.0)).collect();
        arrays.iter().map(Array::rounded).collect()
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Tiny is left out as well: a sum over thousands of values that a device may flush to 0.
        const NORMAL: &[Distribution] = &[
            Distribution::Uniform,
            Distribution::Ties,
            Distribution::Zeros,
            Distribution::Extreme,
        ];
        NORMAL
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let x = Problem::of(&inputs[0]).representative(&inputs[0]);
        let mut smaller = inputs.to_vec();
        smaller[0] = x.clone();
        smaller[4] = x;
        smaller
    }
}

impl<'g> Tensor<'g> {
    /// y, mean and unbiased variance of batch norm over the last axis: see [`BatchNorm`].
    pub fn batch_norm(self, scale: Tensor<'g>, shift: Tensor<'g>, epsilon: f32) -> [Tensor<'g>; 3] {
        let op = BatchNorm { epsilon, epilogue: None };
        let y = self.graph().apply(op, &[self, scale, shift]);
        [y[0], y[1], y[2]]
    }
}

/// Cases of [`BatchNorm`] and [`BatchNormGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn cases(&self) -> Vec<Case> {
        use crate::graph::chain::Function;
        let sizes: [&[usize]; 10] = [
            &[1, 1, 1, 1],
            &[1, 1, 1, 64],
            &[2, 1, 1, 8],
            &[3, 5],
            &[2, 3, 5, 7],
            &[4, 4, 4, 16],
            &[4, 8, 8, 8],
            &[3, 37, 41, 20],
            &[5, 17, 19, 33],
            &[2, 56, 56, 64],
        ];
        let epsilon = 1e-5;
        let mut cases = Vec::new();
        let plain = BatchNorm { epsilon, epilogue: None };
        for dims in sizes {
            let (x, c) = (TensorSpec::f32(dims), TensorSpec::f32([dims[dims.len() - 1]]));
            let grad = BatchNormGrad { epsilon };
            let operands = [x.clone(), c.clone(), c.clone(), c.clone(), x.clone()];
            cases.push(Case::new(format!("{}_dx", size(dims)), grad, operands));
            cases.push(Case::new(size(dims), plain.clone(), [x, c.clone(), c]));
        }
        let add_relu = Chain::one(Function::Relu).after(&Chain::one(Function::Add), 0);
        for dims in [[2, 5, 3, 8], [2, 3, 4, 5]] {
            let (x, c) = (TensorSpec::f32(dims), TensorSpec::f32([dims[3]]));
            let fused = BatchNorm { epilogue: Some(add_relu.clone()), ..plain.clone() };
            let operands = [x.clone(), c.clone(), c, x];
            cases.push(Case::new(format!("{}_add_relu", size(&dims)), fused, operands));
        }
        cases
    }
}
