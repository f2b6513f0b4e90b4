//! The optimisers, as their formulas stand in the papers: operations on tensors, which burn fuses, as its own are.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use crate::values::Values;

#[derive(Clone, Copy)]
pub enum Rule {
    Sgd,
    /// v = mu v + g; w -= rate v
    Momentum(f64),
    /// v = mu v + g; w -= rate (g + mu v)
    Nesterov(f64),
    /// Bias-corrected, epsilon outside the root (Kingma & Ba 2015).
    Adam {
        beta1: f64,
        beta2: f64,
        epsilon: f64,
    },
    CentredRmsProp {
        rho: f64,
        epsilon: f64,
    },
}

pub struct Optimizer {
    rule: Rule,
    rate: f64,
    /// Largest norm of all gradients together.
    clip: Option<f64>,
    /// On weights only.
    decay: f64,
    state: BTreeMap<String, [Tensor<1>; 2]>,
    steps: i32,
}

impl Optimizer {
    pub fn new(rule: Rule, rate: f64) -> Self {
        Self { rule, rate, clip: None, decay: 0.0, state: BTreeMap::new(), steps: 0 }
    }

    pub fn clipped(self, clip: f64) -> Self {
        Self { clip: Some(clip), ..self }
    }

    pub fn decayed(self, decay: f64) -> Self {
        Self { decay, ..self }
    }

    pub fn update(&mut self, values: &mut Values, gradients: Vec<(String, Tensor<1>)>) {
        self.steps += 1;
        let squares = |(_, g): &(String, Tensor<1>)| g.clone().square().sum();
        let norm = self
            .clip
            .and_then(|_| gradients.iter().map(squares).reduce(|a, b| a + b))
            .map(Tensor::sqrt);
        let factor = self
            .clip
            .zip(norm)
            .map(|(limit, norm)| (norm + 1e-6).recip().mul_scalar(limit).clamp_max(1.0));
        let before: BTreeMap<_, _> =
            values.trained().map(|(n, v)| (n.clone(), v.flat.clone().inner())).collect();
        for (name, mut g) in gradients {
            let w = before[&name].clone();
            if let Some(factor) = &factor {
                g = g * factor.clone();
            }
            if self.decay != 0.0 && name.ends_with("weight") {
                g = g + w.clone() * self.decay;
            }
            let after = w - self.change(&name, g);
            values.set(&name, after);
        }
    }

    /// What is taken from a parameter.
    fn change(&mut self, name: &str, g: Tensor<1>) -> Tensor<1> {
        if let Rule::Sgd = self.rule {
            return g * self.rate;
        }
        let zeros = || [g.zeros_like(), g.zeros_like()];
        let [first, second] = self.state.remove(name).unwrap_or_else(zeros);
        let (state, change) = match self.rule {
            Rule::Sgd => unreachable!("has no state"),
            Rule::Momentum(mu) => {
                let v = first * mu + g;
                ([v.clone(), second], v)
            }
            Rule::Nesterov(mu) => {
                let v = first * mu + g.clone();
                ([v.clone(), second], g + v * mu)
            }
            Rule::Adam { beta1, beta2, epsilon } => {
                let m = first * beta1 + g.clone() * (1.0 - beta1);
                let v = second * beta2 + g.square() * (1.0 - beta2);
                let m_hat = m.clone() / (1.0 - beta1.powi(self.steps));
                let v_hat = v.clone() / (1.0 - beta2.powi(self.steps));
                ([m, v], m_hat / (v_hat.sqrt() + epsilon))
            }
            Rule::CentredRmsProp { rho, epsilon } => {
                let a = first * rho + g.clone() * (1.0 - rho);
                let s = second * rho + g.clone().square() * (1.0 - rho);
                let root = (s.clone() - a.clone().square() + epsilon).sqrt();
                ([a, s], g / root)
            }
        };
        self.state.insert(name.to_string(), state);
        change * self.rate
    }
}
