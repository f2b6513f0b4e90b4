//! Every variant of every kernel on every case against its f64 reference, on the device, those of GPUs
//! included; and every gradient rule against finite differences. `cargo test --test kernels matmul` filters by name.
//!
//! A variant that only GPUs are given is not run on the device as well where the emulator holds it against the same
//! reference (`tests/emulator/`), but for the first case that it takes and those that are awkward for tiles: a software driver
//! takes up to seconds to compile each. Without a C++ compiler all of them run here.

use std::collections::HashSet;
use std::sync::Arc;

use common::gpu;
use emulated::{LINE, Waits, devices, on_every_case};
use fathom::gpu::shader;
use fathom::graph::op::{Distribution, Sampler};
use fathom::graph::reference::{finite_differences, rule_in_f64};
use fathom::kernel::{Caps, Variant};
use fathom::op::conv2d::WINOGRAD;
use fathom::op::{Case, LIST};
use fathom::program::check::check_variant;
use fathom::tensor::{Array, DType};
use halves::in_halves;
use libtest_mimic::{Arguments, Failed, Trial};

#[path = "common/awkward.rs"]
mod awkward;
mod common;
#[path = "common/emulated.rs"]
mod emulated;
#[path = "common/halves.rs"]
mod halves;
#[path = "common/plans.rs"]
mod plans;

/// Most input elements of a case whose gradient is checked: each costs two forward passes in f64.
const MOST_DIFFERENCES: usize = 600;

fn check(case: &Case, variant: &Variant) -> Result<(), Failed> {
    let problem = case.problem();
    let lowered = problem.lower(variant, &gpu(case.op.kind().name)?.caps);
    let text = lowered.dispatches.first().map(|first| shader::assemble(&first.kernel));
    let text = text.transpose().map_err(|e| Failed::from(e.to_string()))?;
    let gpu = gpu(&text.unwrap_or_default())?;
    let distributions = problem.distributions();
    let Case { op, inputs, stored, .. } = case;
    let distributions = if stored.is_empty() { distributions } else { &[Distribution::Uniform] };
    let verdicts = check_variant(gpu, &gpu.caps, op, inputs, stored, variant, distributions)
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

/// A variant that a GPU is given, on this adapter if that can run it.
fn check_of_gpu(case: &Case, variant: &Variant) -> Result<(), Failed> {
    let caps = of_gpu();
    let lowered = case.problem().lower(variant, &caps);
    let mut subject = String::new();
    for dispatch in &lowered.dispatches {
        subject = shader::assemble(&dispatch.kernel).map_err(|e| e.to_string())?;
        if !fits(&subject, &gpu(&subject)?.caps)? {
            return Ok(());
        }
    }
    let gpu = gpu(&subject)?;
    let uniform = [Distribution::Uniform];
    let verdicts = check_variant(gpu, &caps, &case.op, &case.inputs, &[], variant, &uniform)
        .map_err(|e| Failed::from(e.to_string()))?;
    match verdicts.iter().find(|verdict| !verdict.passed()) {
        Some(verdict) => {
            Err(format!("{} times the bound: {}", verdict.error, verdict.detail).into())
        }
        None => Ok(()),
    }
}

/// A large GPU whose grids are folded.
fn of_gpu() -> Caps {
    let (max_invocations, max_shared) = (1024, 48 << 10);
    Caps { max_workgroups: LINE, max_invocations, max_shared, ..Caps::portable() }
}

/// Whether a device has room for a kernel's workgroup.
fn fits(text: &str, caps: &Caps) -> Result<bool, String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).map_err(|e| e.to_string())?;
    let shared =
        module.global_variables.iter().filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup);
    let shared: u32 = shared.map(|(_, variable)| layouter[variable.ty].size).sum();
    let invocations = module.entry_points.iter().map(|e| e.workgroup_size.iter().product::<u32>());
    Ok(shared <= caps.max_shared && invocations.max().unwrap_or(0) <= caps.max_invocations)
}

/// Whether the emulator holds a variant against the reference on a case.
fn is_emulated(case: &Case, variant: &Variant, waits: &mut Waits) -> bool {
    let problem = case.problem();
    let emulated = |device: &Caps| {
        let lowered = problem.lower(variant, device);
        let wait = waits.of(&lowered);
        wait.is_ok_and(|wait| on_every_case(wait, &lowered))
    };
    let mut offered = devices().into_iter();
    let offered = offered.find(|device| problem.variants(device).contains(variant));
    emulated::command().is_ok() && offered.as_ref().is_some_and(emulated)
}

/// What the full models' plans choose on GPUs and this adapter's own lists lack, on the families' cases, those aside that the
/// emulator has; and all products and convolutions that they choose, on awkward ones.
fn of_gpus(adapter: &Caps) -> Vec<Trial> {
    let chosen = plans::of_plans(|kind, _, variant, _| vec![(kind, variant.clone())]);
    let is_chosen = |case: &Case, variant: &Variant| {
        chosen.iter().any(|(kind, other)| *kind == case.op.kind().name && alike(variant, other))
    };
    let mut trials = Vec::new();
    let mut add = |family: &str, case: &Arc<Case>, variant: Variant| {
        let (name, case) = (format!("{family}/{variant}/{}/of_gpus", case.name), Arc::clone(case));
        trials.push(Trial::test(name, move || check_of_gpu(&case, &variant)));
    };
    let mut waits = Waits::default();
    for family in LIST {
        let mut met: Vec<(&str, Variant)> = Vec::new();
        for case in family.cases().into_iter().map(Arc::new) {
            let (kind, known) = (case.op.kind().name, case.problem().variants(adapter));
            for variant in case.problem().variants(&of_gpu()) {
                if !is_chosen(&case, &variant) || known.iter().any(|other| alike(&variant, other)) {
                    continue;
                }
                let is_met = met.iter().any(|(of, other)| *of == kind && alike(&variant, other));
                if !is_met || !is_emulated(&case, &variant, &mut waits) {
                    met.push((kind, variant.clone()));
                    add(family.name(), &case, variant);
                }
            }
        }
    }
    for case in awkward::cases().into_iter().map(Arc::new) {
        let kind = case.op.kind().name;
        let mut variants = case.problem().variants(&of_gpu());
        // Two products are offered to go inside Winograd's variants, by the sizes; each can take any.
        let in_tiles = variants.extract_if(.., |variant| variant.name == WINOGRAD);
        let tiles: HashSet<_> = in_tiles.map(|variant| variant.consts[0]).collect();
        let inside = chosen.iter().filter(|(of, v)| *of == kind && v.name == WINOGRAD);
        let inside = inside.filter(|(_, variant)| tiles.contains(&variant.consts[0]));
        variants.extend(inside.map(|(_, variant)| variant.clone()));
        for variant in variants.into_iter().filter(|variant| is_chosen(&case, variant)) {
            add(kind, &case, variant);
        }
    }
    trials
}

/// Whether two variants are one but for the number of parts of a sum, which follows from the sizes.
fn alike(a: &Variant, b: &Variant) -> bool {
    let consts = |v: &Variant| -> Vec<_> {
        v.consts.iter().copied().filter(|(name, _)| *name != "SPLITS").collect()
    };
    a.name == b.name && consts(a) == consts(b)
}

/// Cooperative matrices, on adapters that have them: every tile on every case over halves.
fn of_matrices(adapter: &Caps) -> Vec<Trial> {
    let mut trials = Vec::new();
    for family in LIST {
        for case in family.cases().iter().filter_map(in_halves).map(Arc::new) {
            let variants = case.problem().variants(adapter).into_iter();
            for variant in variants.filter(|variant| variant.name == "matrices") {
                let name = format!("{}/{variant}/{}", family.name(), case.name);
                let case = Arc::clone(&case);
                trials.push(Trial::test(name, move || check(&case, &variant)));
            }
        }
    }
    trials
}

fn check_gradient(case: &Case) -> Result<(), Failed> {
    let mut sampler = Sampler::new(Distribution::Uniform, 11);
    let problem = case.problem();
    let inputs = problem.sample(&case.inputs, &mut sampler);
    let references: Vec<_> = inputs.iter().collect();
    // Coefficients other than 1: a rule that forgets dy fails.
    let mut weights: Vec<_> = problem
        .reference(&references)
        .into_iter()
        .map(|y| {
            let data = y.data.iter().map(|_| sampler.rng.range(0.5, 2.5)).collect();
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

#[expect(clippy::print_stderr, reason = "a test that is skipped has to say so")]
fn main() {
    let arguments = Arguments::from_args();
    let has_f16 = gpu("").is_ok_and(|gpu| gpu.caps.f16);
    if !has_f16 {
        eprintln!("SKIPPED: kernels over halves, since this adapter has no f16 in shaders");
    }
    let (mut trials, mut halved) = (Vec::new(), HashSet::new());
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
            if let Some(case) = in_halves(&case).filter(|_| has_f16).map(Arc::new) {
                // A shader each, whatever its constants, on the first case that it takes.
                for variant in &variants {
                    if halved.insert((case.op.kind().name, variant.name)) {
                        let name = format!("{}/{variant}/{}", family.name(), case.name);
                        let (case, variant) = (Arc::clone(&case), variant.clone());
                        trials.push(Trial::test(name, move || check(&case, &variant)));
                    }
                }
            }
            for variant in variants {
                let name = format!("{}/{variant}/{}", family.name(), case.name);
                let case = Arc::clone(&case);
                trials.push(Trial::test(name, move || check(&case, &variant)));
            }
        }
    }
    if let Ok(gpu) = gpu("") {
        trials.extend(of_gpus(&gpu.caps));
        trials.extend(of_matrices(&gpu.caps));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
