//! Whether a file that parses is a record others can compute with.

use super::{Run, SCHEMA};

/// Whether a record of this schema can be read: `fathom.record/1` with whatever optional fields it lacks.
pub(super) fn schema(name: Option<&str>) -> Result<(), String> {
    let version = |name: &str| name.strip_prefix("fathom.record/").and_then(|v| v.parse().ok());
    let ours: Option<u32> = version(SCHEMA);
    match name {
        Some(SCHEMA) => Ok(()),
        Some(other) if version(other) > ours => Err(format!(
            "'{other}' is not '{SCHEMA}': it was written by another version of fathom, a newer one, which \
             can read it"
        )),
        Some(other) => Err(format!(
            "'{other}' is not '{SCHEMA}': it was written by another version of fathom; run it again to \
             compare with it"
        )),
        None => Err("there is none: not a fathom record".into()),
    }
}

/// The first time that is none, by its path, and what is wrong with it.
pub(super) fn bad_time(runs: &[Run]) -> Option<(String, String)> {
    runs.iter().enumerate().find_map(|(i, run)| {
        let timing = run.timing.as_ref()?;
        if timing.step_ns.is_empty() {
            return Some((format!("runs[{i}].timing.step_ns"), "there is no sample".into()));
        }
        let (median, (low, high)) = (timing.step.median_ns, timing.step.ci95_ns);
        let named = [
            ("step.median_ns".to_string(), median),
            ("step.ci95_ns[0]".into(), low),
            ("step.ci95_ns[1]".into(), high),
            ("wall_median_ns".into(), timing.wall_median_ns),
        ];
        let samples = timing.step_ns.iter().enumerate();
        let all = named.into_iter().chain(samples.map(|(k, ns)| (format!("step_ns[{k}]"), *ns)));
        let (name, value) = all.into_iter().find(|(_, ns)| !(*ns > 0.0 && ns.is_finite()))?;
        Some((format!("runs[{i}].timing.{name}"), format!("{value} is no time of a step")))
    })
}
