//! Clipping by the global norm: one factor for all gradients together (Pascanu 2013).

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, input, output, scratch, unnamed};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Most workgroups over one piece of gradients: enough to fill a large GPU, few enough for one
/// workgroup to sum their results.
const WORKGROUPS: usize = 256;

/// The same on a CPU adapter, where each barrier of a workgroup costs a switch between subgroups.
const SOFTWARE_WORKGROUPS: usize = 64;

/// min(1, limit / |g|) over flat gradients, each a multiple of 64 long. The output is a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipFactor {
    /// Norm that is left alone.
    pub limit: f32,
}

impl OldOp for ClipFactor {
    fn name(&self) -> &'static str {
        "clip"
    }

    fn class(&self) -> Class {
        Class::Optimisation
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        match inputs.iter().find(|s| s.shape.rank() != 1 || !s.len().is_multiple_of(64)) {
            Some(spec) => Err(format!("{spec} is not flat with a multiple of 64 elements")),
            None => Ok(vec![TensorSpec::f32([])]),
        }
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let elements: usize = inputs.iter().map(TensorSpec::len).sum();
        Cost::new(2 * elements as u64, inputs, &[TensorSpec::f32([])])
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("squares", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let most = (io.caps.max_binding / 4) as usize / 64 * 64;
        let limit = if io.caps.software { SOFTWARE_WORKGROUPS } else { WORKGROUPS };
        let mut lowered = Lowered::default();
        let mut first = 0usize;
        for (i, spec) in io.inputs.iter().enumerate() {
            for start in (0..spec.len()).step_by(most) {
                let len = most.min(spec.len() - start);
                // At least four groups of four an invocation.
                let workgroups = (len / 4).div_ceil(64 * 4).min(limit);
                lowered.dispatches.push(Dispatch {
                    kernel: Kernel::of("clip", variant),
                    bindings: vec![input(i).range(start, len), scratch(0)],
                    params: unnamed(vec![(len / 4) as u32, first as u32]),
                    grid: [workgroups as u32, 1, 1],
                });
                first += workgroups;
            }
        }
        lowered.dispatches.push(Dispatch {
            kernel: Kernel::new("clip/factor"),
            bindings: vec![scratch(0), output(0)],
            params: unnamed(vec![first as u32, self.limit.to_bits()]),
            grid: [1, 1, 1],
        });
        lowered.scratch.push(TensorSpec::f32([first]));
        lowered
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let squares: f64 = inputs.iter().flat_map(|a| &a.data).map(|x| x * x).sum();
        let norm = squares.sqrt();
        let limit = f64::from(self.limit);
        let factor = if norm > limit { limit / norm } else { 1.0 };
        vec![Array::f32([], vec![factor])]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        // Squares have one sign, so their sum's rounding is that of the longest chain of additions.
        let longest = inputs.iter().map(|s| s.len() / (WORKGROUPS * 256) + 16).max();
        Tolerance::sum(longest.unwrap_or(1))
    }
}

impl Builder {
    /// What gradients are to be multiplied by, so that their norm together is at most `limit`.
    pub fn clip_factor<'g>(&'g self, gradients: &[Tensor<'g>], limit: f32) -> Tensor<'g> {
        self.apply1(ClipFactor { limit }, gradients)
    }
}

/// Cases of [`ClipFactor`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "clip"
    }

    fn cases(&self) -> Vec<Case> {
        let cases: [(&str, f32, &[usize]); 4] = [
            ("64_above", 0.1, &[64]),
            ("64_below", 1e9, &[64]),
            ("300032", 1.0, &[300_032]),
            ("three", 5.0, &[64, 4160, 128]),
        ];
        let case = |(name, limit, lengths): (&str, f32, &[usize])| {
            let inputs: Vec<_> = lengths.iter().map(|&n| TensorSpec::f32([n])).collect();
            Case::new(name, ClipFactor { limit }, inputs)
        };
        cases.into_iter().map(case).collect()
    }
}
