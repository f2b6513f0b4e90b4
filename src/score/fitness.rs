//! What a record must have to stand beside those of other people, as in `results/` and on the site made of it.

use crate::compare::Side;
use crate::record::consistency::contradictions;
use crate::record::{BuildProfile, Record};

/// Why nothing of a record can be believed, in sentences: it was edited, or says one thing in two ways. Such a record
/// is left out wherever records of several people meet.
pub fn distrust(record: &Record) -> Vec<String> {
    let warning = record.integrity.warning().map(String::from);
    let lines = contradictions(record).into_iter().map(|c| format!("{}: {}", c.place, c.what));
    warning.into_iter().chain(lines).collect()
}

/// What a record that can be believed lacks, in sentences: all of it was measured, with the program's own kernels,
/// verified and settled.
pub fn lacks(record: &Record) -> Vec<String> {
    let tool = &record.tool;
    let mut lacks: Vec<String> = record.lacks().map(String::from).into_iter().collect();
    if record.runs.is_empty() {
        lacks.push("it has no runs: nothing was measured".into());
    }
    if tool.profile == BuildProfile::Debug {
        lacks.push("it was made by a debug build: build with --release".into());
    }
    if tool.dirty {
        let commit = tool.commit();
        lacks.push(format!("it was made by {commit}, a commit with local changes"));
    }
    if let Some(data) = &record.config.data {
        lacks.push(format!("it was made with data of its own ({data}): leave out --data"));
    }
    let side = Side::of("it", record.clone());
    lacks.extend(super::settings(&side));
    let of_runs = record.runs.iter().filter_map(|run| {
        let why = super::why_not_scored(run)?;
        Some(format!("{}: {why}", run.key()))
    });
    lacks.extend(of_runs);
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Integrity, ShaderSource, Status, example};
    use crate::terms::Mode;

    #[test]
    fn what_a_record_lacks_is_named_thing_by_thing() {
        let mut good = example::record(&[example::run("speech", Mode::Train, &[10.0; 9])]);
        good.tool.profile = BuildProfile::Release;
        (good.tool.dirty, good.config.data) = (false, None);
        good.notes.clear();
        assert_eq!(lacks(&good), Vec::<String>::new());
        type Spoil = fn(&mut Record);
        let spoils: [(&str, Spoil); 9] = [
            ("cut short: 1 of 2", |r| r.notes.push("cut short: 1 of 2 runs were measured".into())),
            ("failed: vgg", |r| r.notes.push("failed: vgg train batch 4: lost".into())),
            ("no runs", |r| r.runs.clear()),
            ("debug build", |r| r.tool.profile = BuildProfile::Debug),
            ("-dirty", |r| r.tool.dirty = true),
            ("data of its own", |r| r.config.data = Some("speech=/data".into())),
            ("kernels: from FATHOM_SHADERS", |r| r.config.shaders = ShaderSource::Folder),
            ("speech train batch 128: unverified", |r| {
                r.runs[0].verified.status = Status::Unverified;
            }),
            ("speech train batch 128: not settled: known to 20.0 %", |r| {
                r.runs[0] =
                    example::run("speech", Mode::Train, &[40.0, 50.0, 60.0, 40.0, 50.0, 60.0]);
            }),
        ];
        for (expected, spoil) in spoils {
            let mut bad = good.clone();
            spoil(&mut bad);
            let lacks = lacks(&bad);
            assert!(lacks.len() == 1 && lacks[0].contains(expected), "{expected}: {lacks:?}");
        }
        let edited = Record { integrity: Integrity::Edited, ..good };
        assert!(distrust(&edited)[0].starts_with("EDITED") && lacks(&edited).is_empty());
    }
}
