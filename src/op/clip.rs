//! Clipping by the global norm: one factor for all gradients together (Pascanu 2013).

use crate::graph::op::{Facts, Kind, Op, Problem, Tolerance, floats};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, input, output, scratch};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Most workgroups over one piece of gradients: enough to fill a large GPU, few enough for one
/// workgroup to sum their results.
const WORKGROUPS: usize = 256;

/// Invocations of a workgroup: 256 of them with four loads of 16 bytes each under way in 256 workgroups are 4 MB, about what
/// fast memory delivers while it is waited for.
const WORKGROUP: usize = 256;

/// Both on a CPU adapter, where each barrier of a workgroup costs a switch between subgroups. In a page each of these may
/// clear the workgroup's memory as well, as SwiftShader's do: the cost goes by the square of a workgroup's invocations.
const SOFTWARE: (usize, usize) = (64, 8);

/// min(1, limit / |g|) over flat gradients, each a multiple of 64 long. The output is a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipFactor {
    /// Norm that is left alone.
    pub limit: f32,
}

impl Op for ClipFactor {
    fn kind(&self) -> Kind {
        Kind::new("clip", Class::Optimisation)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        floats(inputs)?;
        if let Some(spec) =
            inputs.iter().find(|s| s.shape.rank() != 1 || !s.len().is_multiple_of(64))
        {
            return Err(format!("{spec} is not flat with a multiple of 64 elements"));
        }
        let lengths: Vec<usize> = inputs.iter().map(TensorSpec::len).collect();
        let factor = TensorSpec::f32([]);
        let elements: usize = lengths.iter().sum();
        // Squares have one sign, so their sum's rounding is that of the longest chain of additions: on a GPU an
        // invocation's own, and twice a workgroup's, up to sixteen and sixteen. The few invocations of `SOFTWARE` have
        // chains up to 32 times as long as is counted here; errors go by the root of the length, and the tolerance of a
        // sum leaves a factor of 8.
        let longest = lengths.iter().map(|length| length / (WORKGROUPS * 256) + 64).max();
        let tolerance = Tolerance::sum(longest.unwrap_or(1));
        let facts = Facts::moving(2 * elements as u64, inputs, [factor], tolerance);
        Ok(Box::new(Norm { limit: self.limit, lengths, facts }))
    }
}

/// The factor for gradients of these lengths.
#[derive(Debug)]
struct Norm {
    limit: f32,
    lengths: Vec<usize>,
    facts: Facts,
}

impl Problem for Norm {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("squares", [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let (limit, workgroup) = if caps.software { SOFTWARE } else { (WORKGROUPS, WORKGROUP) };
        let of_a_workgroup = |kernel: Kernel| kernel.with_consts(&[("WORKGROUP", workgroup)]);
        // A CPU waits for each load by itself.
        let together = [("TOGETHER", if caps.software { 1 } else { 4 })];
        let most = caps.most_elements(DType::F32);
        let mut lowered = Lowered::default();
        let mut first = 0;
        for (i, &length) in self.lengths.iter().enumerate() {
            for start in (0..length).step_by(most) {
                let len = most.min(length - start);
                // At least four groups of four an invocation.
                let workgroups = (len / 4).div_ceil(workgroup * 4).min(limit);
                lowered.dispatches.push(
                    Dispatch::new(
                        of_a_workgroup(Kernel::of("clip", variant).with_consts(&together)),
                        [workgroups as u32, 1, 1],
                    )
                    .bind("gradient", input(i).range(start, len))
                    .bind("partial", scratch(0))
                    .param("groups", len / 4)
                    .param("first", first),
                );
                first += workgroups;
            }
        }
        lowered.dispatches.push(
            Dispatch::new(of_a_workgroup(Kernel::new("clip/factor")), [1, 1, 1])
                .bind("partial", scratch(0))
                .bind("factor", output(0))
                .param("count", first)
                .param("limit", self.limit),
        );
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
}

impl Builder {
    /// What gradients are to be multiplied by, so that their norm together is at most `limit`.
    pub fn clip_factor<'g>(&'g self, gradients: &[Tensor<'g>], limit: f32) -> Tensor<'g> {
        self.apply1(ClipFactor { limit }, gradients)
    }
}

/// Awkward cases of [`ClipFactor`].
pub(super) fn cases() -> Vec<Case> {
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
