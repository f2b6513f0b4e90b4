//! Every variant of every kernel on every case against its f64 reference, on the device; and every
//! gradient rule against finite differences. `cargo test --test kernels matmul` filters by name.

use std::sync::Arc;

use common::gpu;
use fathom::gpu::shader;
use fathom::graph::op::Distribution;
use fathom::graph::reference::{finite_differences, rule_in_f64};
use fathom::kernel::Variant;
use fathom::op::{Case, LIST};
use fathom::program::check::check_variant;
use fathom::random::Rng;
use fathom::tensor::{Array, DType};
use libtest_mimic::{Arguments, Failed, Trial};

mod common;

/// Most input elements of a case whose gradient is checked: each costs two forward passes in f64.
const MOST_DIFFERENCES: usize = 600;

fn check(case: &Case, variant: &Variant) -> Result<(), Failed> {
    let problem = case.problem();
    let lowered = problem.lower(variant, &gpu(case.op.kind().name)?.caps);
    let text = lowered.dispatches.first().map(|first| shader::assemble(&first.kernel));
    let text = text.transpose().map_err(|e| Failed::from(e.to_string()))?;
    let gpu = gpu(&text.unwrap_or_default())?;
    let distributions = problem.distributions();
    let verdicts = check_variant(gpu, &case.op, &case.inputs, variant, distributions)
        .map_err(|e| Failed::from(e.to_string()))?;
    for (distribution, verdict) in distributions.iter().zip(verdicts) {
        if !verdict.passed() {
            let text =
                format!("{distribution:?}: {} times the bound: {}", verdict.error, verdict.detail);
            return Err(text.into());
        }
    }
    Ok(())
}

fn check_gradient(case: &Case) -> Result<(), Failed> {
    let mut rng = Rng::new(11);
    let problem = case.problem();
    let inputs = problem.sample(&case.inputs, Distribution::Uniform, &mut rng);
    let references: Vec<_> = inputs.iter().collect();
    // Coefficients other than 1: a rule that forgets dy fails.
    let mut weights: Vec<_> = problem
        .reference(&references)
        .into_iter()
        .map(|y| {
            let data = y.data.iter().map(|_| rng.range(0.5, 2.5)).collect();
            Array::new(y.spec, data)
        })
        .collect();
    for (weight, output) in weights.iter_mut().zip(problem.outputs()) {
        if output.saved {
            weight.data.fill(0.0);
        }
    }
    let rule = rule_in_f64(Arc::clone(&case.op), &inputs, &weights)
        .map_err(|e| Failed::from(e.to_string()))?;
    if rule.iter().all(Option::is_none) {
        return Ok(()); // not differentiable
    }
    for (i, gradient) in rule.iter().enumerate() {
        if inputs[i].spec.dtype != DType::F32 {
            continue;
        }
        let wanted = finite_differences(problem.as_ref(), &inputs, &weights, i);
        let zeros = vec![0.0; wanted.len()];
        let got = gradient.as_ref().map_or(&zeros, |g| &g.data);
        let scale = wanted.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        for (at, (g, w)) in got.iter().zip(&wanted).enumerate() {
            if (g - w).abs() > 1e-6 * scale {
                return Err(format!("input {i}[{at}]: rule {g}, finite difference {w}").into());
            }
        }
    }
    Ok(())
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for family in LIST {
        for case in family.cases() {
            let case = Arc::new(case);
            let elements: usize = case.inputs.iter().map(|s| s.len()).sum();
            if elements <= MOST_DIFFERENCES && case.problem().in_place().next().is_none() {
                let name = format!("{}/gradient/{}", family.name(), case.name);
                let case = Arc::clone(&case);
                trials.push(Trial::test(name, move || check_gradient(&case)));
            }
            let variants = match gpu(family.name()) {
                Ok(gpu) => case.problem().variants(&gpu.caps),
                Err(why) => {
                    let name = format!("{}/{}", family.name(), case.name);
                    trials.push(Trial::test(name, move || Err(why.into())));
                    continue;
                }
            };
            for variant in variants {
                let name = format!("{}/{variant}/{}", family.name(), case.name);
                let case = Arc::clone(&case);
                trials.push(Trial::test(name, move || check(&case, &variant)));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
