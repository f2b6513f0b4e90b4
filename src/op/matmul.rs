//! Matrix product: C = op(A) op(B) over a batch, with an elementwise epilogue.

use crate::gpu::Caps;
use crate::graph::Tensor;
use crate::tensor::{Array, Shape, TensorSpec};

use super::map::{Map, text_epilogue};
use super::{
    Case, Class, Cost, Dispatch, Io, Kernel, Lowered, Op, Tolerance, Variant, input, output,
};

/// First binding of an epilogue's own inputs, after a, b and c.
const EPILOGUE_BINDING: usize = 3;

/// A [G, M, K] (or [G, K, M] transposed) times B [G, K, N] (or [G, N, K]) to C [G, M, N]. Without a
/// batch all are matrices; one matrix B may serve an A of any leading axes, whose rows they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MatMul {
    /// A is stored transposed.
    pub transpose_a: bool,
    /// B is stored transposed.
    pub transpose_b: bool,
    /// Applied to each value of C as it is stored; its other inputs follow A and B.
    pub epilogue: Option<Map>,
}

/// Sizes of one problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Problem {
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
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
        // One B for all of A: A's leading axes are rows.
        let rows = b.rank() == 2 && a.rank() > 2 && !self.transpose_a;
        let (batch, m, k) = if rows {
            (1, a.rows(), a.last())
        } else {
            of(a, self.transpose_a)?
        };
        let (batch_b, k_b, n) = of(b, self.transpose_b)?;
        if k != k_b {
            return Err(format!("inner dimensions differ: {a} x {b}"));
        }
        if batch != batch_b || (a.rank() != b.rank() && !rows) {
            return Err(format!("batches differ: {a} x {b}"));
        }
        Ok(Problem { batch, m, n, k })
    }

    /// The product's spec, and the specs an epilogue sees: the product first.
    fn product(&self, inputs: &[TensorSpec]) -> Result<(Problem, TensorSpec), String> {
        let p = self.problem(inputs)?;
        let a = inputs[0].dims();
        let leading = if self.transpose_a {
            &a[..a.len() - 2]
        } else {
            &a[..a.len() - 1]
        };
        let mut shape = leading.to_vec();
        if self.transpose_a {
            shape.push(p.m);
        }
        shape.push(p.n);
        Ok((p, TensorSpec::f32(shape)))
    }

    fn epilogue_inputs(product: &TensorSpec, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        std::iter::once(product)
            .chain(&inputs[2..])
            .cloned()
            .collect()
    }

    fn kernel(&self, variant: &Variant, io: &Io) -> Kernel {
        let kernel = Kernel::of("matmul", variant);
        match &self.epilogue {
            None => kernel,
            Some(map) => {
                let inputs = Self::epilogue_inputs(&io.outputs[0], io.inputs);
                let text = text_epilogue(map, &inputs, &io.outputs[0].shape, EPILOGUE_BINDING);
                kernel.with_hook("epilogue", text)
            }
        }
    }
}

impl Op for MatMul {
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
        let each = 2 * p.k as u64 + self.epilogue.as_ref().map_or(0, Map::flops);
        Cost::new((p.batch * p.m * p.n) as u64 * each, inputs, &[product])
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("naive", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok((p, _)) = self.product(io.inputs) else {
            return Lowered::default();
        };
        let extras = 2..io.inputs.len();
        let bindings = [input(0), input(1), output(0)]
            .into_iter()
            .chain(extras.map(input));
        let kernel = self
            .kernel(variant, io)
            .with_text("TRANSPOSE_A", self.transpose_a.to_string());
        Lowered::one(Dispatch {
            kernel: kernel.with_text("TRANSPOSE_B", self.transpose_b.to_string()),
            bindings: bindings.collect(),
            params: vec![p.m as u32, p.n as u32, p.k as u32],
            grid: [
                p.n.div_ceil(8) as u32,
                p.m.div_ceil(8) as u32,
                p.batch as u32,
            ],
        })
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
        if a.spec().shape.rank() > b.spec().shape.rank() {
            let flat = |t: Tensor<'g>| {
                let shape = t.spec().shape;
                t.reshape([shape.rows(), shape.last()])
            };
            let da = dc.product(b, false, !self.transpose_b);
            let (a, dc) = (flat(a), flat(dc));
            let db = if self.transpose_b {
                dc.product(a, true, false)
            } else {
                a.product(dc, true, false)
            };
            return vec![Some(da), Some(db)];
        }
        let (ta, tb) = (self.transpose_a, self.transpose_b);
        let da = if ta {
            b.product(dc, tb, true)
        } else {
            dc.product(b, false, !tb)
        };
        let db = if tb {
            dc.product(a, true, ta)
        } else {
            a.product(dc, !ta, false)
        };
        vec![Some(da), Some(db)]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let Ok((p, spec)) = self.product(&specs) else {
            return vec![];
        };
        let (a, b) = (&inputs[0].data, &inputs[1].data);
        let at_a = |g: usize, m: usize, k: usize| {
            g * p.m * p.k
                + if self.transpose_a {
                    k * p.m + m
                } else {
                    m * p.k + k
                }
        };
        let at_b = |g: usize, k: usize, n: usize| {
            g * p.k * p.n
                + if self.transpose_b {
                    n * p.k + k
                } else {
                    k * p.n + n
                }
        };
        let data = (0..p.batch * p.m * p.n).map(|i| {
            let (g, m, n) = (i / (p.m * p.n), i / p.n % p.m, i % p.n);
            (0..p.k).map(|k| a[at_a(g, m, k)] * b[at_b(g, k, n)]).sum()
        });
        let product = Array::new(spec.clone(), data.collect());
        match &self.epilogue {
            None => vec![product],
            Some(map) => {
                let all: Vec<_> = std::iter::once(&product)
                    .chain(inputs[2..].iter().copied())
                    .collect();
                vec![map.apply(&spec.shape, &all)]
            }
        }
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        let k = self.problem(inputs).map_or(1, |p| p.k);
        let depth = self.epilogue.as_ref().map_or(0, Map::depth);
        Tolerance::sum(k + 16 * depth)
    }

    fn with_epilogue(&self, chain: &Map) -> Option<Box<dyn Op>> {
        let epilogue = match &self.epilogue {
            None => chain.clone(),
            Some(before) => chain.after(before, 0),
        };
        Some(Box::new(Self {
            epilogue: Some(epilogue),
            ..self.clone()
        }))
    }

    fn types(&self) -> Vec<(&'static str, Class)> {
        let own = (self.name(), self.class());
        let rest = self.epilogue.as_ref().map(Map::types).unwrap_or_default();
        std::iter::once(own).chain(rest).collect()
    }
}

impl<'g> Tensor<'g> {
    /// `self` [M, K] times `other` [K, N], or batches of them.
    pub fn matmul(self, other: Tensor<'g>) -> Tensor<'g> {
        self.product(other, false, false)
    }

    /// A product of stored transposes.
    pub fn product(self, other: Tensor<'g>, transpose_a: bool, transpose_b: bool) -> Tensor<'g> {
        let op = MatMul {
            transpose_a,
            transpose_b,
            epilogue: None,
        };
        self.graph().apply1(op, &[self, other])
    }
}

/// Cases of [`MatMul`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        let sizes = [
            (1, 1, 1, 1),
            (1, 3, 5, 7),
            (1, 65, 33, 17),
            (3, 9, 12, 20),
            (1, 1, 64, 100),
        ];
        for (batch, m, n, k) in sizes {
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                let spec = |r: usize, c: usize, t: bool| {
                    let (r, c) = if t { (c, r) } else { (r, c) };
                    if batch == 1 {
                        TensorSpec::f32([r, c])
                    } else {
                        TensorSpec::f32([batch, r, c])
                    }
                };
                let op = MatMul {
                    transpose_a: ta,
                    transpose_b: tb,
                    epilogue: None,
                };
                let letter = |t: bool| if t { 't' } else { 'n' };
                let name = format!("g{batch}_m{m}_n{n}_k{k}_{}{}", letter(ta), letter(tb));
                cases.push(Case::new(name, op, [spec(m, k, ta), spec(k, n, tb)]));
            }
        }
        let bias_relu =
            Map::one(super::map::Function::Relu).after(&Map::one(super::map::Function::Add), 0);
        let fused = MatMul {
            epilogue: Some(bias_relu),
            ..MatMul::default()
        };
        let specs = [
            TensorSpec::f32([9, 8]),
            TensorSpec::f32([8, 20]),
            TensorSpec::f32([20]),
        ];
        cases.push(Case::new("bias_relu", fused, specs));
        cases
    }
}
