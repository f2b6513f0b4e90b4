//! Matrix product: C = op(A) op(B) over a batch, with an elementwise epilogue.

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::chain::Chain;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Op, Tolerance};
use crate::kernel::{Binding, Caps, Dispatch, Lowered, Operand, Variant};
use crate::tensor::{Array, Shape, TensorSpec};
use crate::terms::Class;

mod cases;
pub(in crate::op) mod lower;
pub(in crate::op) mod plan;
mod reference;

pub use cases::Family;
use plan::Problem;

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
}

impl MatMul {
    fn problem(&self, inputs: &[TensorSpec]) -> Result<Problem, String> {
        let (a, b) = (&inputs[0].shape, &inputs[1].shape);
        let matrix = |s: &Shape, transposed: bool| match *s.dims() {
            [r, c] if transposed => Some((1, c, r)),
            [r, c] => Some((1, r, c)),
            [g, r, c] if transposed => Some((g, c, r)),
            [g, r, c] => Some((g, r, c)),
            _ => None,
        };
        let of = |s, t| {
            matrix(s, t).ok_or_else(|| format!("{s} is neither a matrix nor a batch of them"))
        };
        let (batch, m, k) =
            if self.has_rows(a, b) { (1, a.rows(), a.last()) } else { of(a, self.transpose_a)? };
        let (batch_b, k_b, n) = of(b, self.transpose_b)?;
        if k != k_b {
            return Err(format!("inner dimensions differ: {a} x {b}"));
        }
        if batch != batch_b || (a.rank() != b.rank() && !self.has_rows(a, b)) {
            return Err(format!("batches differ: {a} x {b}"));
        }
        let p = Problem { batch, m, n, k };
        if p.outputs() * k == 0 {
            return Err(format!("an axis has no elements: {a} x {b}"));
        }
        Ok(p)
    }

    /// The product's spec, and the specs an epilogue sees: the product first.
    fn product(&self, inputs: &[TensorSpec]) -> Result<(Problem, TensorSpec), String> {
        let p = self.problem(inputs)?;
        let a = inputs[0].dims();
        let leading = a.len() - if self.transpose_a { 2 } else { 1 };
        let mut shape = a[..leading].to_vec();
        if self.transpose_a {
            shape.push(p.m);
        }
        shape.push(p.n);
        Ok((p, TensorSpec::f32(shape)))
    }

    /// Whether one matrix B serves all of A, whose leading axes are then rows.
    fn has_rows(&self, a: &Shape, b: &Shape) -> bool {
        b.rank() == 2 && a.rank() > 2 && !self.transpose_a
    }

    fn epilogue_inputs(product: &TensorSpec, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        std::iter::once(product).chain(&inputs[2..]).cloned().collect()
    }
}

impl OldOp for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let (_, product) = self.product(inputs)?;
        if let Some(map) = &self.epilogue {
            let shape = map.shape(&Self::epilogue_inputs(&product, inputs))?;
            if shape != product.shape {
                return Err(format!("the epilogue changes {} to {shape}", product.shape));
            }
        }
        Ok(vec![product])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let Ok((p, product)) = self.product(inputs) else {
            return Cost::default();
        };
        let each = 2 * p.k as u64 + self.epilogue.as_ref().map_or(0, Chain::flops);
        Cost::new((p.batch * p.m * p.n) as u64 * each, inputs, &[product])
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        self.problem(inputs).map_or_else(|_| Vec::new(), |p| plan::plan(p, caps))
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        self.problem(io.inputs)
            .map_or_else(|_| Lowered::default(), |p| self.dispatches(variant, p, io))
    }

    /// C = A B gives dA = dC B^T and dB = A^T dC (for stored transposes, the transposes of these).
    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        // Epilogues are made after differentiation.
        let (Some(dc), None) = (dy[0], &self.epilogue) else {
            return vec![None; x.len()];
        };
        let (a, b) = (x[0], x[1]);
        let (ta, tb) = (self.transpose_a, self.transpose_b);
        if self.has_rows(&a.spec().shape, &b.spec().shape) {
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

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let Ok((p, spec)) = self.product(&specs) else {
            return vec![];
        };
        let data = self.product_in_f64(p, inputs[0], inputs[1]);
        let product = Array::new(spec.clone(), data);
        match &self.epilogue {
            None => vec![product],
            Some(map) => {
                let all: Vec<_> =
                    std::iter::once(&product).chain(inputs[2..].iter().copied()).collect();
                vec![map.apply(&spec.shape, &all)]
            }
        }
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        let k = self.problem(inputs).map_or(1, |p| p.k);
        let depth = self.epilogue.as_ref().map_or(0, Chain::depth);
        Tolerance::sum(k + 16 * depth)
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        self.problem(inputs).map_or_else(|_| inputs.to_vec(), |p| self.cut(p, inputs))
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        // A draw costs four elements' work here, where results are stored one by one, and unrolled 256
        // times it takes a driver a minute to compile. By itself it is one pass over four at a time.
        if chain.is_random() {
            return None;
        }
        let epilogue = chain.behind(self.epilogue.as_ref());
        Some(Arc::new(Self { epilogue: Some(epilogue), ..self.clone() }))
    }

    fn types(&self) -> Vec<(&'static str, Class)> {
        let own = (self.name(), self.class());
        let rest = self.epilogue.as_ref().map(Chain::types).unwrap_or_default();
        std::iter::once(own).chain(rest).collect()
    }
}

/// The dispatch of A [M, K] times B [K, N] to C, sizes as [M, N, K], for ops that have a product inside.
pub(in crate::op) fn product_into(
    [m, n, k]: [usize; 3],
    [a, b]: [Binding; 2],
    c: Binding,
    caps: &Caps,
) -> Dispatch {
    let inputs = [TensorSpec::f32([m, k]), TensorSpec::f32([k, n])];
    let outputs = [TensorSpec::f32([m, n])];
    let (op, io) = (MatMul::default(), Io { inputs: &inputs, outputs: &outputs, caps });
    let mut variants = op.variants(&inputs, caps).into_iter();
    // One dispatch, so that no scratch is needed; there always is a naive variant.
    let single =
        variants.find_map(|v| op.lower(&v, &io).dispatches.pop().filter(|_| v.name != "split_k"));
    let naive = || op.lower(&Variant::new("naive", []), &io).dispatches.remove(0);
    let mut dispatch = single.unwrap_or_else(naive);
    for binding in &mut dispatch.bindings {
        *binding = match binding.operand {
            Operand::Input(0) => a,
            Operand::Input(_) => b,
            _ => c,
        };
    }
    dispatch
}

impl<'g> Tensor<'g> {
    /// `self` [M, K] times `other` [K, N], or batches of them.
    pub fn matmul(self, other: Tensor<'g>) -> Tensor<'g> {
        self.product(other, false, false)
    }

    /// A product of stored transposes.
    pub fn product(self, other: Tensor<'g>, transpose_a: bool, transpose_b: bool) -> Tensor<'g> {
        let op = MatMul { transpose_a, transpose_b, epilogue: None };
        self.graph().apply1(op, &[self, other])
    }
}
