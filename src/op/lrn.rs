//! Local response normalisation across channels (Krizhevsky 2012, section 3.3).

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::chain::{Chain, Epilogue, Function};
use crate::graph::op::{Backward, Facts, Kind, Op, Problem, Storage, Tolerance, floats};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, vector};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::fewer_rows;

/// y = x / d^(3/4), d = k + alpha * the sum of x^2 over the `2 half + 1` neighbouring channels, over the
/// last axis of x [.., C]. The window is cut at the first and the last channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lrn {
    /// Neighbours on each side, 2 at most.
    pub half: usize,
    /// Added to the sum.
    pub k: f32,
    /// Weight of the sum.
    pub alpha: f32,
}

/// Its gradient: x, dy to dx.
#[derive(Debug, Clone, PartialEq)]
pub struct LrnGrad {
    /// What it is the gradient of.
    pub lrn: Lrn,
    /// Applied to each value as it is stored; its other inputs come last and are like x.
    pub epilogue: Option<Chain>,
}

/// `pixels` of a kernel that reads `inputs` where channels are no whole vec4s. `stored` is what becomes of v[q] in `output`.
fn narrow(inputs: &[&str], output: &str, stored: &str) -> String {
    let read = |(binding, name): (usize, &&str)| {
        format!(
            "@group(0) @binding({binding}) var<storage, read> {name}: array<f32>;
fn {name}_at(row: u32, c: u32) -> vec4<f32> {{
    var v: vec4<f32>;
    // unroll
    for (var q = 0u; q < 4u; q++) {{ if c + q < C {{ v[q] = {name}[row + c + q]; }} }}
    return v;
}}
"
        )
    };
    let reads: String = inputs.iter().enumerate().map(read).collect();
    let binding = inputs.len();
    format!(
        "{reads}@group(0) @binding({binding}) var<storage, read_write> {output}: array<f32>;
fn store(row: u32, c: u32, v: vec4<f32>) {{
    // unroll
    for (var q = 0u; q < 4u; q++) {{ if c + q < C {{ {output}[row + c + q] = {stored}; }} }}
}}
"
    )
}

impl Lrn {
    fn normalising(
        self,
        inputs: &[TensorSpec],
        backward: bool,
        epilogue: Option<&Chain>,
    ) -> Result<Box<dyn Problem>, String> {
        let x = &inputs[0];
        if self.half > 2 || x.shape.rank() == 0 || x.shape.is_empty() {
            return Err(format!("{} neighbours in {x}", self.half));
        }
        if let Some(other) = inputs.iter().find(|other| !other.is_like(x)) {
            return Err(format!("{x} and {other} differ"));
        }
        floats(inputs)?;
        let epilogue = Epilogue::new(epilogue, x, inputs, if backward { 2 } else { 1 })?;
        let near = 2 * self.half + 1;
        let each = if backward { 3 * near + 13 } else { 2 * near + 6 };
        let flops = x.len() as u64 * (each as u64 + epilogue.flops());
        let tolerance = Tolerance::sum(if backward { 4 * near } else { near } + epilogue.depth());
        let facts = Facts::moving(flops, inputs, [x.clone()], tolerance);
        let (pixels, channels) = (x.shape.rows(), x.shape.last());
        let inputs = inputs.len();
        Ok(Box::new(Normalising { lrn: self, backward, epilogue, inputs, pixels, channels, facts }))
    }
}

impl Op for Lrn {
    fn kind(&self) -> Kind {
        Kind::new("lrn", Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        self.normalising(inputs, false, None)
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::of_rows(inputs)
    }

    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let grad =
            |dy: Tensor<'g>| dy.graph().apply1(LrnGrad { lrn: *self, epilogue: None }, &[x[0], dy]);
        vec![dy[0].map(grad)]
    }
}

impl Op for LrnGrad {
    fn kind(&self) -> Kind {
        Kind::new("lrn_grad", Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        self.lrn.normalising(inputs, true, self.epilogue.as_ref())
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::of_rows(inputs)
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        let epilogue = Some(chain.unless_random()?.behind(self.epilogue.as_ref()));
        Some(Arc::new(Self { epilogue, ..*self }))
    }

    fn epilogue(&self) -> Option<&Chain> {
        self.epilogue.as_ref()
    }
}

/// `pixels` rows of `channels`, normalised, or the gradient of that.
#[derive(Debug)]
struct Normalising {
    lrn: Lrn,
    backward: bool,
    epilogue: Epilogue,
    /// How many there are, with the epilogue's.
    inputs: usize,
    pixels: usize,
    channels: usize,
    facts: Facts,
}

impl Normalising {
    /// d of each channel of a row.
    fn divisors(&self, row: &[f64]) -> Vec<f64> {
        let sum = |c: usize| row[self.near(c)].iter().map(|x| x * x).sum::<f64>();
        let of = |c| f64::from(self.lrn.k) + f64::from(self.lrn.alpha) * sum(c);
        (0..self.channels).map(of).collect()
    }

    /// Channel `c` and its neighbours.
    fn near(&self, c: usize) -> std::ops::Range<usize> {
        c.saturating_sub(self.lrn.half)..(c + self.lrn.half + 1).min(self.channels)
    }
}

impl Problem for Normalising {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new(if self.backward { "grad" } else { "forward" }, [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let width = if self.channels.is_multiple_of(4) { 4 } else { 1 };
        let mut kernel = Kernel::new(format!("lrn/{}", variant.name))
            .with_consts(&[("HALF", self.lrn.half as u32), ("C", self.channels as u32)]);
        if self.backward {
            kernel = kernel.with_text("T", vector(width));
        }
        if width == 1 {
            let pixels = match self.backward {
                true => narrow(&["x", "dy"], "dx", "epilogue(v[q], row + c + q)"),
                false => narrow(&["x"], "y", "v[q]"),
            };
            kernel = kernel.with_hook("pixels", pixels);
        }
        let blocks = self.pixels * self.channels.div_ceil(4);
        let dispatch = Dispatch::new(kernel, grid(blocks.div_ceil(64), caps)).bind("x", input(0));
        let dispatch = match self.backward {
            true => dispatch.bind("dy", input(1)).bind("dx", output(0)),
            false => dispatch.bind("y", output(0)),
        };
        let dispatch = dispatch
            .param("pixels", self.pixels)
            .param("k", self.lrn.k)
            .param("alpha", self.lrn.alpha);
        Lowered::one(self.epilogue.attach_wide(dispatch, width))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut data = Vec::with_capacity(inputs[0].data.len());
        for (row, x) in inputs[0].data.chunks(self.channels).enumerate() {
            let d = self.divisors(x);
            if self.backward {
                let dy = &inputs[1].data[row * self.channels..][..self.channels];
                for c in 0..self.channels {
                    let near = self.near(c);
                    let sum: f64 = near.map(|j| dy[j] * x[j] * d[j].powf(-1.75)).sum();
                    let through = 1.5 * f64::from(self.lrn.alpha) * x[c] * sum;
                    data.push(dy[c] * d[c].powf(-0.75) - through);
                }
            } else {
                data.extend(x.iter().zip(d).map(|(x, d)| x * d.powf(-0.75)));
            }
        }
        vec![self.epilogue.apply(Array::new(inputs[0].spec.clone(), data), inputs)]
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let x = self.facts.spec();
        let inputs = vec![x.clone(); self.inputs];
        (x.shape.rank() > 1).then(|| fewer_rows(&inputs)).flatten()
    }
}

impl<'g> Tensor<'g> {
    /// Local response normalisation over the last axis.
    pub fn lrn(self, lrn: Lrn) -> Tensor<'g> {
        self.graph().apply1(lrn, &[self])
    }
}

/// Awkward cases of [`Lrn`] and [`LrnGrad`].
pub(super) fn cases() -> Vec<Case> {
    let lrn = |half: usize, alpha: f32| Lrn { half, k: 2.0, alpha };
    let sizes: [(&[usize], Lrn); 7] = [
        (&[1, 1], lrn(2, 1e-4)),
        (&[3, 5], lrn(2, 0.5)),
        (&[2, 3, 7], lrn(1, 0.5)),
        (&[2, 2, 3, 12], lrn(2, 0.5)),
        (&[5, 4], lrn(0, 0.5)),
        (&[4, 27, 27, 96], lrn(2, 1e-4)),
        (&[1_100_000, 4], lrn(2, 1e-4)),
    ];
    let mut cases = Vec::new();
    for (dims, lrn) in sizes {
        let x = TensorSpec::f32(dims);
        let name = format!("{}_half{}", super::rows::size(dims), lrn.half);
        let grad = LrnGrad { lrn, epilogue: None };
        // Behind the relu that made x.
        let relu = Chain::one(Function::ReluGrad).with_first(1);
        if let Some(op) = grad.with_epilogue(&relu).filter(|_| lrn.half == 2) {
            let inputs = vec![x.clone(); 3];
            cases.push(Case { op, ..Case::new(format!("{name}_dx_relu"), grad.clone(), inputs) });
        }
        cases.push(Case::new(format!("{name}_dx"), grad, [x.clone(), x.clone()]));
        cases.push(Case::new(name, lrn, [x]));
    }
    cases
}
