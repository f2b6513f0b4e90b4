//! Both gradients of a convolution as one op, for the products of Winograd's that they share work by.

use crate::graph::chain::Chain;
use crate::graph::op::{Facts, Kind, Op, Problem, Storage, Tolerance, ValueAt};
use crate::kernel::{Caps, Lowered, Operand, Planned, Variant};
use crate::op::matmul::plan;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::winograd::{Both, RESULTS};
use super::{Conv2d, Conv2dProblem, Pass, WINOGRAD, lower};

/// The variant that makes each gradient by itself, as the definition has it.
const APART: &str = "apart";

/// Gradients in x and in w of one convolution: dy, w, what the epilogue of the first reads, x to dx, dw and, where they are asked
/// for, the sums of dy's channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2dGrads {
    /// That in x.
    input: Conv2d,
    /// That in w.
    weight: Conv2d,
}

impl Conv2dGrads {
    /// The two as one, if that is what they are.
    pub fn of(input: &Conv2d, weight: &Conv2d) -> Option<Self> {
        let passes = matches!(
            (input.pass, weight.pass, input.conv == weight.conv),
            (Pass::Input { .. }, Pass::Weight { .. }, true)
        );
        passes.then(|| Self { input: input.clone(), weight: weight.clone() })
    }
}

impl Op for Conv2dGrads {
    fn kind(&self) -> Kind {
        Kind::new("conv2d_grads", Class::Convolution)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (x, of_input) = inputs.split_last().ok_or("no inputs")?;
        let input = self.input.at(of_input)?;
        let weight = self.weight.at(&[x.clone(), inputs[0].clone()])?;
        if input.geometry != weight.geometry {
            let [of_x, of_w] = [&input, &weight].map(|one| one.facts.spec());
            return Err(format!("gradients {of_x} and {of_w} of different convolutions"));
        }
        let outputs = [&input, &weight].into_iter().flat_map(|one| one.facts.outputs.clone());
        let flops = input.facts.cost.flops + weight.facts.cost.flops;
        let facts = Facts::moving(flops, inputs, outputs, input.facts.tolerance)
            .drawn_from(weight.facts.distributions);
        Ok(Box::new(Conv2dGradsProblem { input, weight, facts }))
    }

    fn kinds(&self) -> Vec<Kind> {
        [self.input.kinds(), self.weight.kinds()].concat()
    }

    fn epilogue(&self) -> Option<&Chain> {
        self.input.epilogue()
    }
}

/// [`Conv2dGrads`] at given sizes.
#[derive(Debug)]
struct Conv2dGradsProblem {
    input: Conv2dProblem,
    weight: Conv2dProblem,
    facts: Facts,
}

impl Problem for Conv2dGradsProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn planned(&self, caps: &Caps) -> Vec<Planned> {
        let apart = Planned {
            ns: self.both().map(|one| self.definition(one, caps).ns).iter().sum(),
            variant: Variant::new(APART, []),
        };
        plan::sorted(self.in_tiles(caps).into_iter().chain([apart]).collect())
    }

    fn tolerance(&self, variant: &Variant, output: usize) -> Tolerance {
        let one = self.both()[output.min(1)];
        match variant.name {
            APART => one.facts.tolerance,
            _ => one.tolerance(&pair(variant)[output.min(1)], 0),
        }
    }

    fn shares_products(&self, variant: &Variant) -> bool {
        variant.name == WINOGRAD
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let pair = pair(variant);
        let tiles = (self.input.tiles_of(&pair[0]), self.weight.tiles_of(&pair[1]));
        let (Some(of_x), Some(of_w)) = tiles else { return self.apart(caps) };
        let (epilogue, sums) = (&self.input.epilogue, self.weight.sums);
        Both { of_x, of_w, epilogue, sums, x: self.x() }.lower(&pair, caps)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [of_x, of_w] = self.operands(inputs);
        [self.input.reference(&of_x), self.weight.reference(&of_w)].concat()
    }

    fn reference_at(
        &self,
        output: usize,
        inputs: &[&Array],
        places: &[usize],
    ) -> Option<Vec<ValueAt>> {
        if places.is_empty() {
            return Some(Vec::new());
        }
        let [of_x, of_w] = self.operands(inputs);
        match output {
            0 => self.input.reference_at(0, &of_x, places),
            _ => self.weight.reference_at(output - 1, &of_w, places),
        }
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let mut smaller = self.input.smaller()?;
        smaller.push(self.weight.smaller()?.swap_remove(0));
        Some(smaller)
    }
}

impl Conv2dGradsProblem {
    fn both(&self) -> [&Conv2dProblem; 2] {
        [&self.input, &self.weight]
    }

    /// Which of the inputs x is.
    fn x(&self) -> usize {
        self.input.inputs.len()
    }

    /// What either gradient reads.
    fn operands<'a>(&self, inputs: &[&'a Array]) -> [Vec<&'a Array>; 2] {
        [inputs[..self.x()].to_vec(), vec![inputs[self.x()], inputs[0]]]
    }

    /// Those that share work, where y has the size of x: in tiles of each size the best of both gradients, then the second best.
    fn in_tiles(&self, caps: &Caps) -> Vec<Planned> {
        let g = &self.input.geometry;
        // Besides what the epilogue reads: products and gradients, both of x and w, and those of the sums.
        let bindings = 4 + self.x() - 2 + if self.weight.sums { 2 } else { 0 };
        if [g.h, g.w] != [g.p, g.q] || bindings > caps.max_bindings as usize {
            return Vec::new();
        }
        let in_tiles = |one: &Conv2dProblem| {
            let planned = one.planned(caps).into_iter();
            planned.filter(|planned| planned.variant.name == WINOGRAD).collect::<Vec<_>>()
        };
        let [of_x, of_w] = self.both().map(in_tiles);
        let saved = caps.speeds.dispatches_ns(2);
        let both = |(x, w): (&Planned, &Planned)| {
            let consts = [&x.variant, &w.variant].map(|variant| variant.consts.as_slice());
            Planned { ns: x.ns + w.ns - saved, variant: Variant::new(WINOGRAD, consts.concat()) }
        };
        let of_size = |size: u32| {
            let of_size = move |one: &&Planned| one.variant.get(RESULTS) == size;
            of_x.iter().filter(of_size).zip(of_w.iter().filter(of_size)).map(both)
        };
        [2, 4].into_iter().flat_map(of_size).collect()
    }

    /// The most promising of a gradient by the definition.
    fn definition(&self, one: &Conv2dProblem, caps: &Caps) -> Planned {
        lower::planned(one.pass, &one.geometry, caps).swap_remove(0)
    }

    fn apart(&self, caps: &Caps) -> Lowered {
        let lowered =
            self.both().map(|one| one.dispatches(&self.definition(one, caps).variant, caps));
        let [Lowered { mut dispatches, mut scratch }, mut of_w] = lowered;
        for binding in of_w.dispatches.iter_mut().flat_map(|dispatch| &mut dispatch.bindings) {
            binding.operand = match binding.operand {
                Operand::Input(0) => Operand::Input(self.x()),
                Operand::Input(_) => Operand::Input(0),
                Operand::Output(at) => Operand::Output(1 + at),
                Operand::Scratch(at) => Operand::Scratch(scratch.len() + at),
            };
        }
        dispatches.extend(of_w.dispatches);
        scratch.extend(of_w.scratch);
        Lowered { dispatches, scratch }
    }
}

/// The variants of either gradient that one in tiles consists of: each begins with how many results its tiles have.
fn pair(variant: &Variant) -> [Variant; 2] {
    let second = variant.consts.iter().rposition(|(name, _)| *name == RESULTS).unwrap_or(0);
    let (of_x, of_w) = variant.consts.split_at(second);
    [of_x, of_w].map(|consts| Variant::new(variant.name, consts))
}
