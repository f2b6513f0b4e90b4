//! Gradients of tables as the rows that a step touched: sorted by id, summed, and put into the table. No
//! atomics, so the same step always gives the same bits.

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

/// ids u32 `[N]` to their positions sorted by (id, position), u32 `[N]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortIds;

/// ids `[N]`, order `[N]` and rows [N, H] to [N, H]: at the first sorted place of each id the sum of its rows,
/// 0 elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumRows;

/// The rows that a table's update needs: scale [], ids `[N]`, order `[N]`, sums [N, H] and the table [V, H],
/// which becomes table - rate scale sums at these rows, in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SparseSgd {
    /// Learning rate.
    pub rate: f32,
}

/// ids `[N]`, order `[N]` and sums [N, H] to the dense gradient [V, H], for snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenseRows {
    /// V.
    pub rows: usize,
}

/// `f32` or `vec4<f32>`.
pub(super) fn element(width: usize) -> &'static str {
    if width == 4 { "vec4<f32>" } else { "f32" }
}

/// A variant for each width that rows of this length allow.
pub(super) fn widths(name: &'static str, length: usize) -> Vec<Variant> {
    let by = |width: u32| Variant::new(name, [("WIDTH", width)]);
    if length.is_multiple_of(4) { vec![by(4), by(1)] } else { vec![by(1)] }
}

fn rows(ids: &TensorSpec, order: &TensorSpec, rows: &TensorSpec) -> Result<(usize, usize), String> {
    match *rows.dims() {
        [n, width] if *ids == TensorSpec::u32([n]) && order == ids => Ok((n, width)),
        _ => Err(format!("{rows} are no rows of ids {ids} in order {order}")),
    }
}

/// The positions of ids sorted by (id, position).
fn sorted(ids: &[f64]) -> Vec<usize> {
    let mut order: Vec<_> = (0..ids.len()).collect();
    order.sort_by(|&a, &b| ids[a].total_cmp(&ids[b]).then(a.cmp(&b)));
    order
}

/// For each id in order its first sorted place.
fn firsts(ids: &Array, order: &Array) -> Vec<(usize, usize)> {
    let id = |p: usize| ids.data[order.data[p] as usize] as usize;
    let first = |&p: &usize| p == 0 || id(p - 1) != id(p);
    (0..order.data.len()).filter(first).map(|p| (p, id(p))).collect()
}

/// Ids below `limit` and their order, which is as the ops before leave it.
fn sample(
    inputs: &[TensorSpec],
    [ids, order]: [usize; 2],
    limit: usize,
    distribution: Distribution,
    rng: &mut Rng,
) -> Vec<Array> {
    let draw = |spec: &TensorSpec| distribution.array(spec, limit, rng);
    let mut arrays: Vec<_> = inputs.iter().map(draw).collect();
    let places = sorted(&arrays[ids].data);
    arrays[order].data = places.into_iter().map(|p| p as f64).collect();
    arrays
}

/// Where denormals are flushed, sums and products of them are 0.
const WITHOUT_TINY: &[Distribution] = &[
    Distribution::Uniform,
    Distribution::Offset,
    Distribution::Ties,
    Distribution::Zeros,
    Distribution::Extreme,
];

impl OldOp for SortIds {
    fn name(&self) -> &'static str {
        "sort_ids"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        match inputs[0] == TensorSpec::u32([inputs[0].len()]) {
            true => Ok(vec![inputs[0].clone()]),
            false => Err(format!("takes ids u32 [N], not {}", inputs[0])),
        }
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(0, inputs, inputs)
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("order", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let n = io.inputs[0].len();
        Lowered::one(Dispatch {
            kernel: Kernel::of("sparse", variant).with_consts(&[("COUNT", n as u32)]),
            bindings: vec![input(0), output(0)],
            params: vec![],
            grid: grid(n.div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let order = sorted(&inputs[0].data).into_iter().map(|p| p as f64);
        vec![Array::new(inputs[0].spec.clone(), order.collect())]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        vec![distribution.array(&i[0], i[0].len() / 2 + 1, rng)]
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Ids have no distribution of values.
        &[Distribution::Uniform]
    }
}

impl OldOp for SumRows {
    fn name(&self) -> &'static str {
        "sum_rows"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        rows(&inputs[0], &inputs[1], &inputs[2])?;
        Ok(vec![inputs[2].clone()])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(inputs[2].len() as u64, inputs, &inputs[2..])
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        widths("sums", inputs[2].shape.last())
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let (n, length) = (io.inputs[0].len(), io.inputs[2].shape.last() / width);
        Lowered::one(Dispatch {
            kernel: Kernel::new("sparse/sums")
                .with_text("T", element(width))
                .with_consts(&[("COUNT", n as u32)]),
            bindings: vec![input(0), input(1), input(2), output(0)],
            params: unnamed(vec![length as u32]),
            grid: grid((n * length).div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let width = inputs[2].spec.shape.last();
        let mut sums = Array::zeros(inputs[2].spec.clone());
        let starts = firsts(inputs[0], inputs[1]);
        let ends = starts.iter().skip(1).map(|(p, _)| *p).chain([inputs[1].data.len()]);
        for (&(first, _), end) in starts.iter().zip(ends) {
            for &at in &inputs[1].data[first..end] {
                for n in 0..width {
                    sums.data[first * width + n] += inputs[2].data[at as usize * width + n];
                }
            }
        }
        vec![sums]
    }

    /// An id may have every row.
    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(inputs[0].len().max(16))
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        sample(i, [0, 1], i[0].len() / 2 + 1, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        WITHOUT_TINY
    }
}

impl OldOp for SparseSgd {
    fn name(&self) -> &'static str {
        "sparse_sgd"
    }

    fn class(&self) -> Class {
        Class::Optimisation
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let (_, width) = rows(&inputs[1], &inputs[2], &inputs[3])?;
        match *inputs[4].dims() {
            [_, same] if same == width && inputs[0] == TensorSpec::f32([]) => {
                Ok(vec![inputs[4].clone()])
            }
            _ => Err(format!("{} has no rows like {}", inputs[4], inputs[3])),
        }
    }

    /// Of the table only the rows there are.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let own = &inputs[3..4];
        Cost::new(3 * inputs[3].len() as u64, &inputs[..4], &[own, own].concat())
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        widths("update", inputs[3].shape.last())
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let (total, length) = (io.inputs[3].len() / width, io.inputs[3].shape.last() / width);
        let table = io.inputs[4].dims()[0];
        Lowered::one(Dispatch {
            kernel: Kernel::new("sparse/update").with_text("T", element(width)),
            bindings: vec![input(0), input(1), input(2), input(3), output(0)],
            params: unnamed(vec![total as u32, length as u32, table as u32, self.rate.to_bits()]),
            grid: grid(total.div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let width = inputs[3].spec.shape.last();
        let mut table = inputs[4].clone();
        let rows = table.dims()[0];
        for (first, id) in firsts(inputs[1], inputs[2]).into_iter().filter(|(_, id)| *id < rows) {
            for n in 0..width {
                let step =
                    f64::from(self.rate) * inputs[0].data[0] * inputs[3].data[first * width + n];
                table.data[id * width + n] -= step;
            }
        }
        vec![table]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(16)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 4)]
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        sample(i, [1, 2], i[4].dims()[0], distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        WITHOUT_TINY
    }
}

impl OldOp for DenseRows {
    fn name(&self) -> &'static str {
        "dense_rows"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let (_, width) = rows(&inputs[0], &inputs[1], &inputs[2])?;
        Ok(vec![TensorSpec::f32([self.rows, width])])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(0, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("dense", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let total = io.outputs[0].len();
        let count = io.inputs[0].len() as u32;
        Lowered::one(Dispatch {
            kernel: Kernel::of("sparse", variant).with_consts(&[("COUNT", count)]),
            bindings: vec![input(0), input(1), input(2), output(0)],
            params: unnamed(vec![total as u32, io.inputs[2].shape.last() as u32]),
            grid: grid(total.div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let width = inputs[2].spec.shape.last();
        let mut dense = Array::zeros(TensorSpec::f32([self.rows, width]));
        for (first, id) in
            firsts(inputs[0], inputs[1]).into_iter().filter(|(_, id)| *id < self.rows)
        {
            let row = &inputs[2].data[first * width..][..width];
            dense.data[id * width..][..width].copy_from_slice(row);
        }
        vec![dense]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        sample(i, [0, 1], self.rows, distribution, rng)
    }
}

/// The gradient of a table: ids `[N]`, their order, and the sum of each id's rows at its first place.
#[derive(Debug, Clone, Copy)]
pub struct Touched<'g> {
    /// Ids.
    pub ids: Tensor<'g>,
    /// Their positions, sorted.
    pub order: Tensor<'g>,
    /// [N, H].
    pub sums: Tensor<'g>,
}

impl<'g> Touched<'g> {
    /// The dense gradient of a table of so many rows.
    pub fn dense(self, rows: usize) -> Tensor<'g> {
        let inputs = [self.ids, self.order, self.sums];
        self.ids.graph().apply1(DenseRows { rows }, &inputs)
    }
}

impl Builder {
    /// The sums of the rows [N, H] of each of `ids` u32 `[N]`, whose sorted positions are `order`.
    pub fn touched<'g>(
        &'g self,
        ids: Tensor<'g>,
        order: Tensor<'g>,
        rows: Tensor<'g>,
    ) -> Touched<'g> {
        let sums = self.apply1(SumRows, &[ids, order, rows]);
        Touched { ids, order, sums }
    }

    /// Descends by `rate` along `scale` times a table's gradient, in place and at its rows alone.
    pub fn sparse_sgd<'g>(
        &'g self,
        table: Tensor<'g>,
        touched: Touched<'g>,
        scale: Tensor<'g>,
        rate: f32,
    ) -> Tensor<'g> {
        let Touched { ids, order, sums } = touched;
        self.apply1(SparseSgd { rate }, &[scale, ids, order, sums, table])
    }
}

impl<'g> Tensor<'g> {
    /// The positions of ids u32 `[N]` sorted by (id, position).
    pub fn sort_ids(self) -> Tensor<'g> {
        self.graph().apply1(SortIds, &[self])
    }
}

/// Cases of the sparse ops.
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "sparse"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (n, width, table) in [
            (1, 1, 1),
            (5, 3, 4),
            (64, 4, 7),
            (72, 32, 200),
            (333, 1, 97),
            (1025, 20, 2000),
            (3712, 64, 40_000),
        ] {
            let ids = TensorSpec::u32([n]);
            let rows = TensorSpec::f32([n, width]);
            let name = |what: &str| format!("{what}_n{n}_h{width}_v{table}");
            cases.push(Case::new(name("sort"), SortIds, [ids.clone()]));
            let inputs = [ids.clone(), ids.clone(), rows.clone()];
            cases.push(Case::new(name("sum"), SumRows, inputs.clone()));
            cases.push(Case::new(name("dense"), DenseRows { rows: table }, inputs));
            let table = TensorSpec::f32([table, width]);
            let inputs = [TensorSpec::f32([]), ids.clone(), ids, rows, table];
            cases.push(Case::new(name("update"), SparseSgd { rate: 0.5 }, inputs));
        }
        cases
    }
}
