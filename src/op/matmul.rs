//! Matrix product: C = op(A) op(B) over a batch, with an elementwise epilogue.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::by_rows::{ByRows, Joined};
use crate::graph::chain::{Chain, Epilogue};
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Problem, Storage, Tolerance, ValueAt, floats,
};
use crate::kernel::{Binding, Caps, Dispatch, Lowered, Operand, Planned, Variant, output};
use crate::tensor::{Array, Shape, TensorSpec};
use crate::terms::Class;

mod cases;
pub(in crate::op) mod lower;
pub(in crate::op) mod matrices;
pub(in crate::op) mod plan;
mod ranges;
mod reference;

pub(super) use cases::{benches, cases};
use lower::splits;
pub(crate) use matrices::MATRICES;
use plan::Sizes;

/// Results up to which an epilogue may draw: the sum of a product of more is never split, and its second pass is where
/// draws cost no dispatch.
const MOST_DRAWN: usize = 1 << 20;

/// A [G, M, K] (or [G, K, M] transposed) times B [G, K, N] (or [G, N, K]) to C [G, M, N]. Without a
/// batch all are matrices; one matrix B may serve an A of any leading axes, whose rows they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MatMul {
    /// A is stored transposed.
    pub transpose_a: bool,
    /// B is stored transposed.
    pub transpose_b: bool,
    /// Applied to each value of C as it is stored; its other inputs follow A and B.
    pub epilogue: Option<Chain>,
    /// A second output, `[N]` or [G, N]: the sums of B's columns. Where B is the gradient of a layer's result, C is
    /// that of its weight and these are that of its bias.
    pub sums: bool,
}

impl MatMul {
    /// The sizes of A times B.
    fn sizes(&self, a: &Shape, b: &Shape) -> Result<Sizes, String> {
        let matrix = |s: &Shape, transposed: bool| match *s.dims() {
            [r, c] if transposed => Ok((1, c, r)),
            [r, c] => Ok((1, r, c)),
            [g, r, c] if transposed => Ok((g, c, r)),
            [g, r, c] => Ok((g, r, c)),
            _ => Err(format!("{s} is neither a matrix nor a batch of them")),
        };
        let b_serves_all = self.b_serves_all(a, b);
        let (batch, m, k) =
            if b_serves_all { (1, a.rows(), a.last()) } else { matrix(a, self.transpose_a)? };
        let (batch_b, k_b, n) = matrix(b, self.transpose_b)?;
        if k != k_b {
            return Err(format!("inner dimensions differ: {a} x {b}"));
        }
        if batch != batch_b || (a.rank() != b.rank() && !b_serves_all) {
            return Err(format!("batches differ: {a} x {b}"));
        }
        let sizes = Sizes { batch, m, n, k };
        if sizes.outputs() * k == 0 {
            return Err(format!("an axis has no elements: {a} x {b}"));
        }
        Ok(sizes)
    }

    /// Whether one matrix B serves all of A, whose leading axes are then rows.
    fn b_serves_all(&self, a: &Shape, b: &Shape) -> bool {
        b.rank() == 2 && a.rank() > 2 && !self.transpose_a
    }
}

impl Op for MatMul {
    fn kind(&self) -> Kind {
        Kind::new("matmul", Class::Matrix)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn factors(&self) -> usize {
        2
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        floats(&inputs[..2])?;
        let (a, b) = (&inputs[0].shape, &inputs[1].shape);
        let sizes = self.sizes(a, b)?;
        let leading = a.rank() - if self.transpose_a { 2 } else { 1 };
        let mut shape = a.dims()[..leading].to_vec();
        if self.transpose_a {
            shape.push(sizes.m);
        }
        shape.push(sizes.n);
        let product = TensorSpec::f32(shape);
        let columns = if sizes.batch == 1 { vec![sizes.n] } else { vec![sizes.batch, sizes.n] };
        let columns = self.sums.then(|| TensorSpec::f32(columns));
        let epilogue = Epilogue::new(self.epilogue.as_ref(), &product, inputs, 2)?;
        if epilogue.is_random() && sizes.outputs() > MOST_DRAWN {
            return Err(format!("draws for {product} are a pass of their own"));
        }
        Ok(Box::new(MatMulProblem {
            transpose_a: self.transpose_a,
            transpose_b: self.transpose_b,
            b_serves_all: self.b_serves_all(a, b),
            sizes,
            sums: self.sums,
            facts: facts(sizes, &epilogue, inputs, product, columns),
            epilogue,
            inputs: inputs.to_vec(),
        }))
    }

    /// C = A B gives dA = dC B^T and dB = A^T dC (for stored transposes, the transposes of these).
    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        // Epilogues and sums are made after differentiation.
        let (Some(dc), None, false) = (dy[0], &self.epilogue, self.sums) else {
            return vec![None; x.len()];
        };
        let (a, b) = (x[0], x[1]);
        let (ta, tb) = (self.transpose_a, self.transpose_b);
        if self.b_serves_all(&a.spec().shape, &b.spec().shape) {
            let flat = |t: Tensor<'g>| {
                let shape = t.spec().shape;
                t.reshape([shape.rows(), shape.last()])
            };
            let da = dc.product(b, false, !tb);
            let (a, dc) = (flat(a), flat(dc));
            let db = if tb { dc.product(a, true, false) } else { a.product(dc, true, false) };
            return vec![Some(da), Some(db)];
        }
        let da = if ta { b.product(dc, tb, true) } else { dc.product(b, false, !tb) };
        let db = if tb { dc.product(a, true, ta) } else { a.product(dc, !ta, false) };
        vec![Some(da), Some(db)]
    }

    /// Over rows of A, over the matrices of a batch, or as a sum of products where the rows are what is summed over.
    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        let (a, b) = (&inputs[0].shape, &inputs[1].shape);
        if self.transpose_a && a.rank() == 2 {
            let summed = !self.transpose_b && self.epilogue.is_none();
            let sum = vec![Joined::Sum; 1 + usize::from(self.sums)];
            return summed
                .then(|| ByRows::all(inputs, 1))
                .flatten()
                .map(|rows| ByRows { outputs: sum, ..rows });
        }
        let result = self.problem(inputs).ok().filter(|_| !self.sums)?.output_specs();
        ByRows::with_operands(&[true, b.rank() == 3], inputs, &result[0])
    }

    /// What is drawn goes by an element's number in the whole.
    fn over_rows(&self, inputs: &[TensorSpec], rows: Range<usize>) -> Option<Arc<dyn Op>> {
        let chain = self.epilogue.as_ref().filter(|chain| chain.is_random())?;
        let product = self.problem(inputs).ok()?.output_specs().swap_remove(0);
        let operands = [&[product][..], &inputs[2..]].concat();
        let part = chain.over_rows(&operands, rows)?;
        let epilogue = Some((part.as_ref() as &dyn Any).downcast_ref::<Chain>()?.clone());
        Some(Arc::new(Self { epilogue, ..self.clone() }))
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        let epilogue = chain.behind(self.epilogue.as_ref());
        Some(Arc::new(Self { epilogue: Some(epilogue), ..self.clone() }))
    }

    fn epilogue(&self) -> Option<&Chain> {
        self.epilogue.as_ref()
    }

    fn with_column_sums(&self) -> Option<Arc<dyn Op>> {
        Some(Arc::new(Self { sums: true, ..self.clone() }))
    }

    fn kinds(&self) -> Vec<Kind> {
        let sums = self.sums.then_some(COLUMN_SUMS);
        let fused = self.epilogue.iter().flat_map(Chain::kinds);
        std::iter::once(self.kind()).chain(sums).chain(fused).collect()
    }
}

/// What [`Op::with_column_sums`] adds to an op's kinds.
pub(in crate::op) const COLUMN_SUMS: Kind = Kind::new("sum", Class::Reduction);

/// [`MatMul`] at given sizes.
#[derive(Debug)]
struct MatMulProblem {
    transpose_a: bool,
    transpose_b: bool,
    /// One matrix B serves all of A, whose leading axes are rows.
    b_serves_all: bool,
    sizes: Sizes,
    sums: bool,
    epilogue: Epilogue,
    inputs: Vec<TensorSpec>,
    facts: Facts,
}

impl Problem for MatMulProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The kernel of a few vectors does not sum columns.
    fn planned(&self, caps: &Caps) -> Vec<Planned> {
        let planned = plan::plan(self.sizes, caps).into_iter();
        let planned = planned.filter(|planned| !self.sums || planned.variant.name != "vector");
        // Kernels that have no hook for what is longer than a binding: the yardstick, and a few vectors' results.
        let long = |spec: &TensorSpec| spec.bytes() > caps.max_binding;
        let [long_b, long_c] = [long(&self.inputs[1]), long(self.facts.spec())];
        let planned = planned.filter(|planned| match planned.variant.name {
            "naive" => !long_b && !long_c,
            "vector" => !long_c,
            _ => true,
        });
        plan::sorted(planned.chain(matrices::planned(self.sizes, &self.inputs, caps)).collect())
    }

    fn candidates(&self, caps: &Caps) -> Vec<Variant> {
        matrices::candidates(self.planned(caps))
    }

    fn tolerance(&self, variant: &Variant, _: usize) -> Tolerance {
        matrices::tolerance(variant, self.sizes.k, self.facts.tolerance)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        match &self.epilogue.chain {
            _ if splits(variant) > 1 => self.split(variant, caps),
            Some(chain) if chain.is_random() => self.apart(chain, variant, caps),
            _ => Lowered::one(self.single(variant, output(0), &self.epilogue, caps)),
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let data = self.product_in_f64(inputs[0], inputs[1]);
        let product = Array::new(self.facts.spec().clone(), data);
        let product = self.epilogue.apply(product, inputs);
        let sums = self
            .facts
            .outputs
            .get(1)
            .map(|sums| Array::new(sums.spec.clone(), self.column_sums_in_f64(inputs[1])));
        std::iter::once(product).chain(sums).collect()
    }

    fn reference_at(
        &self,
        output: usize,
        inputs: &[&Array],
        places: &[usize],
    ) -> Option<Vec<ValueAt>> {
        if output > 0 {
            return None;
        }
        let value = |&place: &usize| {
            let sum = ValueAt::sum(self.terms_at(inputs[0], inputs[1], place));
            self.epilogue.apply_at(sum, inputs, place)
        };
        Some(places.iter().map(value).collect())
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.cut()
    }
}

impl MatMulProblem {
    /// Products, and B's sums where `op` has them, and nothing else.
    fn plain(op: &MatMul, sizes: Sizes) -> Self {
        let Sizes { batch, m, n, k } = sizes;
        let a = if op.transpose_a { [batch, k, m] } else { [batch, m, k] };
        let b = if op.transpose_b { [batch, n, k] } else { [batch, k, n] };
        let inputs = [TensorSpec::f32(a), TensorSpec::f32(b)];
        let product = TensorSpec::f32([batch, m, n]);
        let columns = op.sums.then(|| TensorSpec::f32([batch, n]));
        Self {
            transpose_a: op.transpose_a,
            transpose_b: op.transpose_b,
            b_serves_all: false,
            sizes,
            sums: op.sums,
            epilogue: Epilogue::none(),
            facts: facts(sizes, &Epilogue::none(), &inputs, product, columns),
            inputs: inputs.to_vec(),
        }
    }

    /// The one dispatch of a variant with other bindings for A, B, C and B's sums.
    fn over(&self, variant: &Variant, operands: &[Binding], caps: &Caps) -> Dispatch {
        let mut dispatch = self.single(variant, output(0), &self.epilogue, caps);
        for binding in &mut dispatch.bindings {
            let operand = match binding.operand {
                Operand::Input(at) => operands[at],
                Operand::Output(at) | Operand::Scratch(at) => operands[2 + at],
            };
            *binding = operand.named(binding.name);
        }
        dispatch
    }
}

/// What a product of `sizes` costs and how exact it is; `columns` are the sums of B's.
fn facts(
    sizes: Sizes,
    epilogue: &Epilogue,
    inputs: &[TensorSpec],
    product: TensorSpec,
    columns: Option<TensorSpec>,
) -> Facts {
    let each = 2 * sizes.k as u64 + epilogue.flops();
    let tolerance = Tolerance::sum(sizes.k + 16 * epilogue.depth());
    let added = columns.as_ref().map_or(0, |columns| columns.len() * sizes.k) as u64;
    // Of sums: a device may take each of a column's denormal values for 0.
    let distributions = Distribution::without_tiny_if(columns.is_some());
    let outputs = std::iter::once(product).chain(columns);
    Facts::moving(sizes.outputs() as u64 * each + added, inputs, outputs, tolerance)
        .drawn_from(distributions)
}

/// The dispatch of A [M, K] times B [K, N], or B stored transposed, to C, sizes as [M, N, K], for ops that have a product
/// inside.
pub(in crate::op) fn product_into(
    [m, n, k]: [usize; 3],
    [a, b]: [Binding; 2],
    transpose_b: bool,
    c: Binding,
    caps: &Caps,
) -> Dispatch {
    let op = MatMul { transpose_b, ..MatMul::default() };
    let product = MatMulProblem::plain(&op, Sizes { batch: 1, m, n, k });
    // One dispatch, so that no scratch is needed; there always is a naive variant.
    let mut variants = product.variants(caps).into_iter();
    let variant = variants.find(|variant| splits(variant) == 1);
    let variant = variant.unwrap_or_else(|| Variant::new("naive", []));
    product.over(&variant, &[a, b, c], caps)
}

/// The one dispatch of a batch of products by a variant: A, B, C and, where `op` has them, B's sums are `operands`. A variant
/// that splits the sum makes C and these in parts.
pub(in crate::op) fn product_by(
    variant: &Variant,
    op: &MatMul,
    sizes: Sizes,
    operands: &[Binding],
    caps: &Caps,
) -> Dispatch {
    MatMulProblem::plain(op, sizes).over(variant, operands, caps)
}

impl<'g> Tensor<'g> {
    /// `self` [M, K] times `other` [K, N], or batches of them.
    pub fn matmul(self, other: Tensor<'g>) -> Tensor<'g> {
        self.product(other, false, false)
    }

    /// A product of stored transposes.
    pub fn product(self, other: Tensor<'g>, transpose_a: bool, transpose_b: bool) -> Tensor<'g> {
        let op = MatMul { transpose_a, transpose_b, ..MatMul::default() };
        self.graph().apply1(op, &[self, other])
    }
}
