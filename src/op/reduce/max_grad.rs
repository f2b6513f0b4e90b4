//! The gradient of a maximum.

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{Reduce, ReduceProblem};

/// x, y = max(x) and dy to dx, which is dy at the first place along the reduced axes where x = y. No model's
/// backward pass spends time here, so one kernel serves all shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxGrad {
    /// The maximum.
    pub max: Reduce,
}

/// As in the shader.
const WORKGROUP: usize = 256;

impl Op for MaxGrad {
    fn kind(&self) -> Kind {
        Kind::new("max_grad", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let max = self.max.sized(&inputs[..1])?;
        let kept = max.facts.spec();
        match inputs[1..].iter().find(|spec| *spec != kept) {
            Some(other) => Err(format!("takes the maximum {kept}, not {other}")),
            None => {
                let flops = max.x.len() as u64;
                // Tiny is left out: where denormals are flushed, different values are equal.
                let facts = Facts::moving(flops, inputs, [inputs[0].clone()], Tolerance::EXACT)
                    .drawn_from(Distribution::WITHOUT_TINY);
                Ok(Box::new(MaxGradProblem { max, facts }))
            }
        }
    }
}

/// [`MaxGrad`] at given sizes.
#[derive(Debug)]
struct MaxGradProblem {
    max: ReduceProblem,
    facts: Facts,
}

impl Problem for MaxGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        let extents = self.max.extents;
        // Along a row its own elements are neighbours in memory, else those of other columns are.
        let columns = if extents.inner == 1 {
            WORKGROUP / extents.length.next_power_of_two().min(WORKGROUP)
        } else {
            extents.outputs().next_power_of_two().min(32)
        };
        vec![Variant::new("max_grad", [("COLUMNS", columns as u32)])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let extents = self.max.extents;
        let workgroups = extents.outputs().div_ceil(variant.get("COLUMNS") as usize);
        let dispatch = Dispatch::new(Kernel::of("reduce", variant), grid(workgroups, caps))
            .bind("x", input(0))
            .bind("y", input(1))
            .bind("dy", input(2))
            .bind("dx", output(0))
            .param("outputs", extents.outputs())
            .param("length", extents.length)
            .param("inner", extents.inner);
        Lowered::one(dispatch)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (x, y, dy) = (inputs[0], inputs[1], inputs[2]);
        let mut dx = Array::zeros(x.spec.clone());
        for (i, (y, dy)) in y.data.iter().zip(&dy.data).enumerate() {
            let mut places = self.max.extents.places(i);
            if let Some(first) = places.find(|&at| x.data[at] == *y) {
                dx.data[first] = *dy;
            }
        }
        vec![dx]
    }

    /// y is the maximum of x.
    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let [x, dy] = [0, 2].map(|i: usize| sampler.array(&inputs[i], 1));
        let y = self.max.in_f64(&x);
        vec![x, y, dy]
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let x = self.max.smaller_x();
        let y = self.max.op.kept(x.dims());
        (x != self.max.x).then(|| vec![x, y.clone(), y])
    }
}
