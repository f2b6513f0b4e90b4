//! Which kernels a filter selects, by whichever of their names, and what may have been meant where it is none.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::Caps;
use crate::op::{Case, Family, LIST};
use crate::pass::{OpInstance, Schedule};
use crate::terms::each_once;
use crate::workload::nearest;

use super::Kernel;

/// The kernels of which a name contains `filter`, on every case of their families: `sgd/momentum` is `optimizer/momentum`
/// as well.
///
/// # Errors
/// [`Error::NothingSelected`] where it is none.
pub fn choose(caps: &Caps, filter: &str) -> Result<Vec<Kernel>> {
    of_families(caps, filter, |family, _| family.cases())
}

/// The same on the cases that are worth timing.
///
/// # Errors
/// As [`choose`].
pub fn choose_large(caps: &Caps, filter: &str) -> Result<Vec<Kernel>> {
    of_families(caps, filter, |family, is_meant| family.benches(is_meant))
}

fn of_families(
    caps: &Caps,
    filter: &str,
    cases: impl Fn(&Family, &dyn Fn(&Case) -> bool) -> Vec<Case>,
) -> Result<Vec<Kernel>> {
    let mut kernels = Vec::new();
    for family in LIST {
        let of_case = |case: &Case| {
            kernels_of(case, caps, filter, &[case.op.kind().name.into(), family.name().into()])
        };
        for case in cases(family, &|case| !of_case(case).is_empty()) {
            kernels.extend(of_case(&case));
        }
    }
    if kernels.is_empty() {
        let cases = LIST.iter().flat_map(Family::cases);
        let labels = cases.flat_map(|case| {
            let name = case.op.kind().name;
            case.problem().variants(caps).into_iter().map(move |v| format!("{name}/{v}"))
        });
        return Err(Error::NothingSelected(format!(
            "no kernel's label contains '{filter}'{}; `fathom list kernels` lists them",
            near(filter, &each_once(labels))
        )));
    }
    Ok(kernels)
}

/// Variants of a case, which goes by any of these names.
fn kernels_of(case: &Case, caps: &Caps, filter: &str, names: &[String]) -> Vec<Kernel> {
    let variants = case.problem().variants(caps).into_iter();
    let meant =
        variants.filter(|v| names.iter().any(|name| format!("{name}/{v}").contains(filter)));
    let kernel = |variant| Kernel {
        label: format!("{}/{variant}", case.op.kind().name),
        case: case.clone(),
        variant,
    };
    meant.map(kernel).collect()
}

/// The kernels of which a name contains `filter`, at the sizes that steps have: every variant of each distinct problem,
/// whichever the step runs. They also go by their places in the step, as in `optimizer.adam`. A schedule comes with what it
/// is called.
///
/// # Errors
/// [`Error::NothingSelected`] where it is none, as the steps or any workload have none.
pub fn of_steps(
    caps: &Caps,
    filter: &str,
    schedules: &[(String, Schedule)],
) -> Result<Vec<Kernel>> {
    let types: Vec<_> = LIST.iter().map(|family| (family.name(), family.types())).collect();
    let mut problems: Vec<(&str, &OpInstance, Vec<String>)> = Vec::new();
    let mut known = HashMap::new();
    for (step, schedule) in schedules {
        for op in &schedule.ops {
            let at = *known.entry(op.problem_key()).or_insert_with(|| {
                let of = |(_, types): &&(_, Vec<_>)| types.contains(&op.op.kind().name);
                let families = types.iter().filter(of).map(|(name, _)| (*name).into());
                problems.push((step, op, families.collect()));
                problems.len() - 1
            });
            let place = op.label.rsplit_once('/').map_or(op.label.as_str(), |(place, _)| place);
            problems[at].2.push(place.into());
        }
    }
    let mut kernels = Vec::new();
    for (step, op, names) in &problems {
        let shapes: Vec<_> = op.inputs.iter().map(|spec| spec.shape.to_string()).collect();
        let name = format!("{step} {}", shapes.join(" "));
        let (inputs, stored) = (op.inputs.clone(), op.stored());
        let case = Case { name, op: Arc::clone(&op.op), inputs, stored };
        kernels.extend(kernels_of(&case, caps, filter, names));
    }
    if kernels.is_empty() {
        // That there is no such kernel at all is another mistake.
        choose(caps, filter)?;
        let steps: Vec<_> = schedules.iter().map(|(step, _)| step.as_str()).collect();
        return Err(Error::NothingSelected(format!(
            "{}: no kernel of these steps has a label that contains '{filter}'; `fathom show WORKLOAD --program` lists \
             what a step has, and `fathom bench {filter}` times the kernel at sizes of its own",
            steps.join(", ")
        )));
    }
    Ok(kernels)
}

/// What may have been meant by a label that is not among these, to be said behind it; nothing where nothing is like it.
pub(in crate::measure) fn near(wanted: &str, labels: &[String]) -> String {
    let (place, variant) = wanted.split_once('/').unwrap_or((wanted, ""));
    let name = place.rsplit_once('.').map_or(place, |(_, name)| name);
    let parts = || labels.iter().filter_map(|label| label.split_once('/'));
    let bare = format!("{name}/{variant}");
    if name != place && labels.iter().any(|label| label.starts_with(&bare)) {
        return format!(": did you mean '{}'?", bare.trim_end_matches('/'));
    }
    let variants = parts().filter(|(of, _)| *of == name).map(|(_, variant)| variant);
    let variants = each_once(variants.map(|v| v.split_once('[').map_or(v, |(name, _)| name)));
    if !variants.is_empty() {
        return format!(": the variants of {name} are {}", variants.join(", "));
    }
    let known = each_once(parts().map(|(name, _)| name));
    let of_family = LIST.iter().find(|family| family.name() == name).map(Family::types);
    let types: Vec<_> =
        of_family.into_iter().flatten().filter(|name| known.contains(name)).collect();
    if !types.is_empty() {
        return format!(": {name} is known as {} here", types.join(", "));
    }
    nearest(name, &known).map_or(String::new(), |near| format!(": did you mean '{near}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::Options;
    use crate::session::schedule;
    use crate::terms::{Mode, Preset};
    use crate::workload::find;

    fn labels(kernels: Result<Vec<Kernel>>) -> Vec<String> {
        each_once(kernels.unwrap().into_iter().map(|kernel| kernel.label))
    }

    #[test]
    fn a_kernel_is_found_by_each_of_its_names() {
        let caps = Caps::portable();
        for choose in [choose, choose_large] {
            let updates = labels(choose(&caps, "optimizer"));
            let adam = labels(choose(&caps, "adam/adam"));
            assert!(!adam.is_empty() && adam.iter().all(|label| updates.contains(label)));
            // None of these is among the largest of its family.
            for name in ["sgd", "mean", "random_normal", "conv2d_grads"] {
                let found = labels(choose(&caps, name));
                assert!(found.iter().any(|label| label.starts_with(name)), "{name}: {found:?}");
            }
        }
        let model = (find("autoenc").unwrap().configure)(Preset::Tiny, None);
        let step = schedule(model.as_ref(), Mode::Train, &caps, &Options::default()).unwrap();
        let places: Vec<_> = step.ops.iter().map(|op| op.label.clone()).collect();
        let steps = [("autoenc train".to_string(), step)];
        for name in places.iter().map(String::as_str).chain(["adam", "optimizer", "random"]) {
            assert!(of_steps(&caps, name, &steps).is_ok(), "{name} of {places:?}");
        }
        let error = of_steps(&caps, "lrn", &steps).unwrap_err().to_string();
        assert!(error.contains("no kernel of these steps"), "{error}");
    }

    #[test]
    fn a_refusal_names_what_may_have_been_meant() {
        for (filter, meant) in [
            ("optimizer.sgd", ": did you mean 'sgd'?;"),
            ("optimizer.sgd/momentum", ": did you mean 'sgd/momentum'?;"),
            ("random_norm", "random_normal"),
            ("random_norml", ": did you mean 'random_normal'?;"),
            ("matmul/tiles", ": the variants of matmul are naive, "),
            ("optimizer/none", ": optimizer is known as sgd, "),
            ("nothing-like-any", "'nothing-like-any'; `fathom"),
        ] {
            match choose(&Caps::portable(), filter) {
                Ok(found) => assert!(found.iter().all(|kernel| kernel.label.contains(meant))),
                Err(error) => assert!(error.to_string().contains(meant), "{error}"),
            }
        }
    }
}
