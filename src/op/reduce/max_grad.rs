//! The gradient of a maximum.

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Reduce;

/// x, y = max(x) and dy to dx, which is dy at the first place along the reduced axes where x = y. No model's
/// backward pass spends time here, so one kernel serves all shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxGrad {
    /// The maximum.
    pub max: Reduce,
}

/// As in the shader.
const WORKGROUP: usize = 256;

impl OldOp for MaxGrad {
    fn name(&self) -> &'static str {
        "max_grad"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let kept = self.max.output(&inputs[..1])?;
        match inputs[1..].iter().find(|spec| **spec != kept[0]) {
            Some(other) => Err(format!("takes the maximum {}, not {other}", kept[0])),
            None => Ok(vec![inputs[0].clone()]),
        }
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(inputs[0].len() as u64, inputs, &inputs[..1])
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        let problem = self.max.problem(&inputs[0].shape);
        // Along a row its own elements are neighbours in memory, else those of other columns are.
        let columns = if problem.inner == 1 {
            WORKGROUP / problem.length.next_power_of_two().min(WORKGROUP)
        } else {
            (problem.outer * problem.inner).next_power_of_two().min(32)
        };
        vec![Variant::new("max_grad", [("COLUMNS", columns as u32)])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let problem = self.max.problem(&io.inputs[0].shape);
        let outputs = problem.outer * problem.inner;
        let sizes = [outputs, problem.length, problem.inner];
        Lowered::one(Dispatch {
            kernel: Kernel::of("reduce", variant),
            bindings: vec![input(0), input(1), input(2), output(0)],
            params: unnamed(sizes.map(|s| s as u32).to_vec()),
            grid: grid(outputs.div_ceil(variant.get("COLUMNS") as usize), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, y, dy] = inputs else { return vec![] };
        let problem = self.max.problem(&x.spec.shape);
        let mut dx = Array::zeros(x.spec.clone());
        for (i, (y, dy)) in y.data.iter().zip(&dy.data).enumerate() {
            let mut places = problem.places(i);
            if let Some(first) = places.find(|&at| x.data[at] == *y) {
                dx.data[first] = *dy;
            }
        }
        vec![dx]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0) // values are passed on as they are
    }

    /// y is the maximum of x.
    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let [x, dy] = [0, 2].map(|i: usize| distribution.array(&inputs[i], 1, rng));
        let y = self.max.reference(&[&x]);
        std::iter::once(x).chain(y).chain([dy]).collect()
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Tiny is left out: where denormals are flushed, different values are equal.
        &[
            Distribution::Uniform,
            Distribution::Offset,
            Distribution::Ties,
            Distribution::Zeros,
            Distribution::Extreme,
        ]
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let x = self.max.representative(&inputs[..1]);
        let y = self.max.output(&x).unwrap_or_default();
        [x, y.clone(), y].concat()
    }
}
