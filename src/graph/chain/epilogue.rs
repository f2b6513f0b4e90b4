//! A chain that an op applies to each value of its first output as it is stored.

use crate::graph::op::ValueAt;
use crate::kernel::{Dispatch, input};
use crate::tensor::{Array, TensorSpec};

use super::Chain;
use super::text::{epilogue_of, operand_name};

/// An op's epilogue at given sizes, or none.
#[derive(Debug)]
pub(crate) struct Epilogue {
    pub(crate) chain: Option<Chain>,
    /// The result as the chain finds it, then the chain's other inputs.
    pub(crate) operands: Vec<TensorSpec>,
    /// Which of the op's inputs is the first of those.
    first: usize,
}

impl Epilogue {
    /// `chain` over `result`; its other inputs are the op's from `first` on.
    pub(crate) fn new(
        chain: Option<&Chain>,
        result: &TensorSpec,
        inputs: &[TensorSpec],
        first: usize,
    ) -> Result<Self, String> {
        let operands: Vec<_> = std::iter::once(result).chain(&inputs[first..]).cloned().collect();
        if let Some(chain) = chain {
            let shape = chain.shape(&operands)?;
            if shape != result.shape {
                return Err(format!("the epilogue changes {} to {shape}", result.shape));
            }
        }
        Ok(Self { chain: chain.cloned(), operands, first })
    }

    /// No epilogue.
    pub(crate) fn none() -> Self {
        Self { chain: None, operands: Vec::new(), first: 0 }
    }

    /// Whether it draws random numbers.
    pub(crate) fn is_random(&self) -> bool {
        self.chain.as_ref().is_some_and(Chain::is_random)
    }

    /// Operations for each value.
    pub(crate) fn flops(&self) -> u64 {
        self.chain.as_ref().map_or(0, Chain::flops)
    }

    /// Rounding steps, for tolerances.
    pub(crate) fn depth(&self) -> usize {
        self.chain.as_ref().map_or(0, Chain::depth)
    }

    /// Whether it can be applied to groups of four values: its operands are then read in such groups.
    pub(crate) fn allows_vec4(&self) -> bool {
        let allows = |chain: &Chain| chain.allows_vec4(&self.operands, &self.operands[0].shape);
        self.chain.as_ref().is_none_or(allows)
    }

    /// A dispatch that stores the result value by value, with the epilogue in its hook and its operands
    /// bound behind all that is bound already.
    pub(crate) fn attach(&self, dispatch: Dispatch) -> Dispatch {
        self.attach_as("alias T = f32;\n", dispatch, 1)
    }

    /// The same in a kernel that stores groups of `width` values and has an alias T for them.
    pub(crate) fn attach_wide(&self, dispatch: Dispatch, width: usize) -> Dispatch {
        self.attach_as("", dispatch, width)
    }

    /// The same four by four in a kernel of tiles, which has no such alias.
    pub(crate) fn attach_wide_to_tiles(&self, dispatch: Dispatch) -> Dispatch {
        self.attach_as("alias T = vec4<f32>;\n", dispatch, 4)
    }

    fn attach_as(&self, alias: &str, mut dispatch: Dispatch, width: usize) -> Dispatch {
        let Some(chain) = &self.chain else {
            return dispatch;
        };
        let shape = &self.operands[0].shape;
        let text = epilogue_of(chain, &self.operands, shape, dispatch.bindings.len(), width);
        dispatch.kernel = dispatch.kernel.with_hook("epilogue", format!("{alias}{text}"));
        let bind = |dispatch: Dispatch, at: usize| {
            dispatch.bind(operand_name(at), input(self.first + at - 1))
        };
        (1..self.operands.len()).fold(dispatch, bind)
    }

    /// `inputs`, the chain's own, for a result with the axes `new` in place of `old`: they broadcast to the
    /// result, so each axis is one of its last, or 1.
    pub(crate) fn resized(
        &self,
        inputs: &[TensorSpec],
        old: &[usize],
        new: &[usize],
    ) -> Vec<TensorSpec> {
        let resized = |(at, spec): (usize, &TensorSpec)| {
            if self.chain.as_ref().is_some_and(|chain| chain.is_clock(at + 1)) {
                return spec.clone();
            }
            let missing = old.len().saturating_sub(spec.shape.rank());
            let axes = spec.dims().iter().zip(old[missing..].iter().zip(&new[missing..]));
            let dims = axes.map(|(&d, (&old, &new))| if d == old { new } else { d });
            TensorSpec::new(dims.collect::<Vec<_>>(), spec.dtype)
        };
        inputs.iter().enumerate().map(resized).collect()
    }

    /// The f64 reference of one value, as [`Self::apply`] has it for all; its scale grows as steeply as the chain.
    pub(crate) fn apply_at(&self, sum: ValueAt, inputs: &[&Array], place: usize) -> ValueAt {
        let Some(chain) = &self.chain else {
            return sum;
        };
        let at = |value: f64| {
            chain.apply_at(&self.operands[0].shape, value, &inputs[self.first..], place)
        };
        let value = at(sum.value);
        let step = 1e-3 * sum.scale;
        let steepness = if step > 0.0 { (at(sum.value + step) - value).abs() / step } else { 1.0 };
        ValueAt { value, scale: sum.scale * steepness.max(1.0) }
    }

    /// The f64 reference, where `inputs` are the op's.
    pub(crate) fn apply(&self, result: Array, inputs: &[&Array]) -> Array {
        let Some(chain) = &self.chain else {
            return result;
        };
        let operands: Vec<_> =
            std::iter::once(&result).chain(inputs[self.first..].iter().copied()).collect();
        chain.apply(&result.spec.shape, &operands)
    }
}
