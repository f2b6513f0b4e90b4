//! Updates of all parameters at once: each rule is one kernel over the flat parameters, their flat
//! gradients and flat state, split into several dispatches only where a binding may not be that long.

use crate::graph::op::{
    Distribution, Facts, Kind, Op, Output, Problem, Sampler, Tolerance, floats,
};
use crate::host::parallel::*;
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch,
};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::advance_step::AdvanceStep;

/// An update rule with its settings. `g` is the gradient after clipping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// w -= rate g
    Sgd {
        /// Learning rate.
        rate: f32,
    },
    /// g' = g + decay w; v = momentum v + g'; w -= rate v
    Momentum {
        /// Learning rate.
        rate: f32,
        /// Share of the velocity that is kept.
        momentum: f32,
        /// Weight decay, on weights only.
        decay: f32,
    },
    /// The same, but w -= rate (g' + momentum v) (Sutskever 2013)
    Nesterov {
        /// Learning rate.
        rate: f32,
        /// Share of the velocity that is kept.
        momentum: f32,
        /// Weight decay, on weights only.
        decay: f32,
    },
    /// Bias-corrected, epsilon outside the root (Kingma & Ba 2015)
    Adam {
        /// Learning rate.
        rate: f32,
        /// Decay of the first moment.
        beta1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// Added to the root.
        epsilon: f32,
    },
    /// Centred: the variance, not the square (Graves 2013)
    RmsProp {
        /// Learning rate.
        rate: f32,
        /// Decay of both averages.
        decay: f32,
        /// Added under the root.
        epsilon: f32,
    },
}

impl Rule {
    /// Names of its state tensors, each as long as the parameters.
    pub fn state(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd { .. } => &[],
            Self::Momentum { .. } | Self::Nesterov { .. } => &["velocity"],
            Self::Adam { .. } => &["m", "v"],
            Self::RmsProp { .. } => &["mean", "square"],
        }
    }
}

/// Inputs: clock, scale [] (what gradients are multiplied by), gradients `[n]`, parameters `[n]`, state `[n]`
/// each. Outputs, in place: parameters, then state, then the clock where it is advanced. n is a multiple of 64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer {
    /// The rule.
    pub rule: Rule,
    /// Weight decay applies to this many elements, counted from the first.
    pub decayed: usize,
    /// Advances the step's clock as well.
    pub advances: bool,
}

impl Optimizer {
    /// The same with the clock advanced; none of a rule that reads the clock, which one invocation would change under
    /// the others.
    pub(crate) fn advancing(self) -> Option<Self> {
        (!self.reads_clock()).then_some(Self { advances: true, ..self })
    }

    fn reads_clock(self) -> bool {
        matches!(self.rule, Rule::Adam { .. })
    }
}

/// How a kernel advances the clock, which it binds behind `bound` others.
fn advance(bound: usize) -> String {
    format!(
        "@group(0) @binding({bound}) var<storage, read_write> clock: array<u32>;\n\
         fn advance() {{ clock[0] += 1u; }}\n"
    )
}

/// Inputs before the parameters.
const BEFORE: usize = 3;

impl Op for Optimizer {
    fn kind(&self) -> Kind {
        let name = match self.rule {
            Rule::Sgd { .. } => "sgd",
            Rule::Momentum { .. } => "momentum",
            Rule::Nesterov { .. } => "nesterov",
            Rule::Adam { .. } => "adam",
            Rule::RmsProp { .. } => "rmsprop",
        };
        Kind::new(name, Class::Optimisation)
    }

    fn kinds(&self) -> Vec<Kind> {
        let advances = self.advances.then(|| AdvanceStep.kind());
        std::iter::once(self.kind()).chain(advances).collect()
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let states = self.rule.state().len();
        if inputs.len() != BEFORE + 1 + states {
            return Err(format!("takes {states} state tensors"));
        }
        let flat = &inputs[2];
        let n = flat.len();
        if inputs[0] != TensorSpec::u32([4]) || inputs[1] != TensorSpec::f32([]) {
            return Err(format!("takes a clock and a factor, not {} and {}", inputs[0], inputs[1]));
        }
        floats(&inputs[2..])?;
        if !n.is_multiple_of(64) || inputs[2..].iter().any(|s| s != flat || s.shape.rank() != 1) {
            return Err(format!(
                "takes flat tensors of one length, a multiple of 64: {:?}",
                &inputs[2..]
            ));
        }
        let flops = match self.rule {
            Rule::Sgd { .. } => 3,
            Rule::Momentum { .. } | Rule::Nesterov { .. } => 7,
            Rule::Adam { .. } => 14,
            Rule::RmsProp { .. } => 12,
        };
        if self.advances && self.reads_clock() {
            return Err("cannot advance the clock that it reads".into());
        }
        let outputs = (BEFORE..inputs.len()).map(|i| Output::in_place(flat.clone(), i));
        let clock = self.advances.then(|| Output::in_place(inputs[0].clone(), 0));
        let outputs = outputs.chain(clock);
        // Gradients of 1000 with a variance of 0 make s - a^2 a difference of large equal numbers. Adam
        // divides by epsilon what a device may have flushed to 0, so Tiny says nothing of it.
        const COMMON: &[Distribution] =
            &[Distribution::Uniform, Distribution::Ties, Distribution::Zeros, Distribution::Tiny];
        // A division and a root among a dozen roundings.
        let facts = Facts::moving(flops * n as u64, inputs, outputs, Tolerance::sum(16))
            .drawn_from(if self.reads_clock() { &COMMON[..3] } else { COMMON });
        Ok(Box::new(Update { op: *self, n, facts }))
    }
}

/// The rule over `n` parameters.
#[derive(Debug)]
struct Update {
    op: Optimizer,
    n: usize,
    facts: Facts,
}

impl Update {
    /// Parameter `i` after the update, then its state.
    fn updated(&self, inputs: &[&Array], i: usize) -> [f64; 3] {
        let t = inputs[0].data[0] + 1.0;
        let g = inputs[1].data[0] * inputs[2].data[i];
        let w = inputs[BEFORE].data[i];
        let state = |n: usize| inputs[BEFORE + 1 + n].data[i];
        let decayed = |decay: f32| {
            if i < self.op.decayed { g + f64::from(decay) * w } else { g }
        };
        match self.op.rule {
            Rule::Sgd { rate } => [w - f64::from(rate) * g, 0.0, 0.0],
            Rule::Momentum { rate, momentum, decay } => {
                let v = f64::from(momentum) * state(0) + decayed(decay);
                [w - f64::from(rate) * v, v, 0.0]
            }
            Rule::Nesterov { rate, momentum, decay } => {
                let (mu, g) = (f64::from(momentum), decayed(decay));
                let v = mu * state(0) + g;
                [w - f64::from(rate) * (g + mu * v), v, 0.0]
            }
            Rule::Adam { rate, beta1, beta2, epsilon } => {
                let (b1, b2) = (f64::from(beta1), f64::from(beta2));
                let m = b1 * state(0) + (1.0 - b1) * g;
                let v = b2 * state(1) + (1.0 - b2) * g * g;
                let (m_hat, v_hat) = (m / (1.0 - b1.powf(t)), v / (1.0 - b2.powf(t)));
                [w - f64::from(rate) * m_hat / (v_hat.sqrt() + f64::from(epsilon)), m, v]
            }
            Rule::RmsProp { rate, decay, epsilon } => {
                let r = f64::from(decay);
                let a = r * state(0) + (1.0 - r) * g;
                let s = r * state(1) + (1.0 - r) * g * g;
                [w - f64::from(rate) * g / (s - a * a + f64::from(epsilon)).sqrt(), a, s]
            }
        }
    }

    /// The dispatch over `len` elements from `first`.
    fn chunk(&self, variant: &Variant, first: usize, len: usize, caps: &Caps) -> Dispatch {
        let part = |binding: Binding| binding.range(first, len);
        let groups = len / 4;
        let decayed = self.op.decayed.saturating_sub(first).min(len) / 4;
        let grid = grid(groups.div_ceil(64 * variant.get("EACH") as usize), caps);
        let mut dispatch = Dispatch::new(Kernel::of("optimizer", variant), grid);
        if self.op.reads_clock() {
            dispatch = dispatch.bind("clock", input(0));
        }
        dispatch = dispatch
            .bind("scale", input(1))
            .bind("gradient", part(input(2)))
            .bind("weight", part(output(0)))
            .param("groups", groups);
        for (i, &state) in self.op.rule.state().iter().enumerate() {
            dispatch = dispatch.bind(state, part(output(1 + i)));
        }
        dispatch = match self.op.rule {
            // The shared kernel declares a velocity, which plain descent never touches: the parameters
            // cannot stand in for it twice, so it is given scratch.
            Rule::Sgd { rate } => dispatch
                .bind("velocity", scratch(0))
                .param("decayed", decayed)
                .param("rate", rate)
                .param("momentum", 0.0)
                .param("decay", 0.0),
            Rule::Momentum { rate, momentum, decay } | Rule::Nesterov { rate, momentum, decay } => {
                dispatch
                    .param("decayed", decayed)
                    .param("rate", rate)
                    .param("momentum", momentum)
                    .param("decay", decay)
            }
            Rule::Adam { rate, beta1, beta2, epsilon } => dispatch
                .param("rate", rate)
                .param("beta1", beta1)
                .param("beta2", beta2)
                .param("rest1", rest(beta1))
                .param("rest2", rest(beta2))
                .param("ln_beta1", f64::from(beta1).ln() as f32)
                .param("ln_beta2", f64::from(beta2).ln() as f32)
                .param("epsilon", epsilon),
            Rule::RmsProp { rate, decay, epsilon } => dispatch
                .param("rate", rate)
                .param("decay", decay)
                .param("rest", rest(decay))
                .param("epsilon", epsilon),
        };
        // Once, however many dispatches there are.
        if self.op.advances && first + len == self.n {
            let hook = advance(dispatch.bindings.len());
            dispatch.kernel = dispatch.kernel.with_hook("advance", hook);
            dispatch = dispatch.bind("clock", output(1 + self.op.rule.state().len()));
        }
        dispatch
    }
}

/// How many vec4s an invocation updates, the most promising first. On llvmpipe every lane loads for itself what all elements
/// have in common; elsewhere neighbours load side by side.
pub(super) fn each(caps: &Caps) -> &'static [u32] {
    if caps.llvmpipe { &[4, 1] } else { &[1] }
}

/// 1 - x without the rounding of f32.
pub(super) fn rest(x: f32) -> f32 {
    (1.0 - f64::from(x)) as f32
}

impl Problem for Update {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let variant = |&each: &u32| match self.op.rule {
            Rule::Sgd { .. } => Variant::new("momentum", [("RULE", 0), ("EACH", each)]),
            Rule::Momentum { .. } => Variant::new("momentum", [("RULE", 1), ("EACH", each)]),
            Rule::Nesterov { .. } => Variant::new("momentum", [("RULE", 2), ("EACH", each)]),
            Rule::Adam { .. } => Variant::new("adam", [("EACH", each)]),
            Rule::RmsProp { .. } => Variant::new("rmsprop", [("EACH", each)]),
        };
        each(caps).iter().map(variant).collect()
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let most = caps.most_elements(DType::F32);
        let chunk = |first| self.chunk(variant, first, most.min(self.n - first), caps);
        let scratch = match self.op.rule {
            Rule::Sgd { .. } => vec![TensorSpec::f32([64])],
            _ => vec![],
        };
        Lowered { dispatches: (0..self.n).step_by(most).map(chunk).collect(), scratch }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let output = |at: usize| {
            let mut output = Array::zeros(inputs[BEFORE + at].spec.clone());
            let values = output.data.par_iter_mut().enumerate();
            values.for_each(|(i, value)| *value = self.updated(inputs, i)[at]);
            output
        };
        let mut clock = inputs[0].clone();
        clock.data[0] += 1.0;
        let updated = (0..inputs.len() - BEFORE).map(output);
        updated.chain(self.op.advances.then_some(clock)).collect()
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sampler.arrays(inputs, 1000);
        arrays[1].data[0] = 0.5;
        let count = arrays.len();
        match self.op.rule {
            // Second moments: of squares, and no smaller than the square of the mean.
            Rule::Adam { .. } => arrays[count - 1].data.iter_mut().for_each(|v| *v = v.abs()),
            Rule::RmsProp { .. } => {
                let means = arrays[count - 2].data.clone();
                for (s, a) in arrays[count - 1].data.iter_mut().zip(means) {
                    *s = a * a + s.abs();
                }
            }
            _ => {}
        }
        arrays
    }
}

/// Awkward cases of [`Optimizer`].
pub(super) fn cases() -> Vec<Case> {
    let (momentum, decay) = (0.9, 5e-4);
    let rules = [
        ("sgd", Rule::Sgd { rate: 0.5 }),
        ("momentum", Rule::Momentum { rate: 0.1, momentum, decay }),
        ("nesterov", Rule::Nesterov { rate: 0.1, momentum, decay }),
        ("adam", Rule::Adam { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }),
        ("rmsprop", Rule::RmsProp { rate: 2.5e-4, decay: 0.95, epsilon: 0.01 }),
    ];
    let rules_at_sizes = rules.iter().flat_map(|r| [64, 4160, 100_032].map(|n| (*r, n)));
    let case = |(((name, rule), n), advances): (((&str, Rule), usize), bool)| {
        let flat = TensorSpec::f32([n]);
        let mut inputs = vec![TensorSpec::u32([4]), TensorSpec::f32([])];
        inputs.extend(vec![flat; 2 + rule.state().len()]);
        let decayed = n / 128 * 64;
        let op = Optimizer { rule, decayed, advances: false };
        let op = if advances { op.advancing()? } else { op };
        let suffix = if advances { "_advancing" } else { "" };
        Some(Case::new(format!("{name}_{n}{suffix}"), op, inputs))
    };
    rules_at_sizes.flat_map(|of| [(of, false), (of, true)]).filter_map(case).collect()
}
