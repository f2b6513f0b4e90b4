//! From what was measured to the record, and the record to files.

use std::path::PathBuf;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::measure::cell::Measured;
use crate::measure::host;
use crate::measure::peak::Peaks;
use crate::measure::profile::Profile;
use crate::measure::sample::Samples;
use crate::measure::verify::Verification;
use crate::record::{self, Clock, Doubt, Record, Status, store};
use crate::report::section::headline;
use crate::stats::{median, quantile};
use crate::terms::{Mode, Preset};
use crate::workload::Workload;

use super::super::{VoiceArgs, output};
use super::RunArgs;

/// Gaps above this share of a profiled step are pointed out.
const GAPS: f64 = 0.03;

/// The record before any cell.
pub(super) fn start(args: &RunArgs, gpu: &Gpu, preset: Preset, peaks: &Peaks) -> Record {
    let host = host::Host::detect();
    let (summary, caps) = (&gpu.summary, &gpu.caps);
    Record {
        schema: record::SCHEMA.into(),
        id: String::new(),
        created: jiff::Timestamp::now().to_string(),
        tool: record::Tool {
            version: env!("CARGO_PKG_VERSION").into(),
            git: env!("FATHOM_COMMIT").into(),
            dirty: env!("FATHOM_DIRTY") == "true",
            profile: if env!("FATHOM_PROFILE") == "release" {
                record::BuildProfile::Release
            } else {
                record::BuildProfile::Debug
            },
            wgpu: env!("FATHOM_WGPU").into(),
            argv: std::env::args().collect(),
        },
        host: record::Host {
            os: host.os,
            cpu: host.cpu,
            logical_cores: host.logical_cores,
            ram_bytes: host.ram_bytes,
            threads: host::threads(summary),
        },
        device: record::Device {
            name: summary.name.clone(),
            backend: summary.backend,
            driver: summary.driver.clone(),
            kind: summary.kind,
            software: summary.software,
            vendor: summary.vendor,
            device: summary.device,
            limits: record::Limits {
                subgroup: caps.subgroup,
                max_binding_bytes: caps.max_binding,
                max_buffer_bytes: caps.max_buffer,
                max_shared_bytes: caps.max_shared,
                max_invocations: caps.max_invocations,
                timestamps: caps.timestamps,
                timestamp_period_ns: gpu.timestamp_period,
            },
        },
        config: record::Config {
            preset,
            precision: record::Precision::F32,
            fuse: !args.no_fuse,
            checks: args.device.checks,
            seed: args.seed,
            data: args.data.data.as_ref().map(|p| p.display().to_string()),
            time_s: args.time,
            max_noise: args.max_noise / 100.0,
            min_samples: args.min_samples as usize,
        },
        peaks: record::Peaks {
            fma_f32_flop_per_s: peaks.fma_flops,
            copy_bytes_per_s: peaks.copy_bytes,
            launch_ns: peaks.launch_ns,
            submit_ns: peaks.submit_ns,
            pipeline_ns: peaks.pipeline_ns,
        },
        runs: Vec::new(),
        notes: Vec::new(),
    }
}

/// A cell's part of the record.
pub(super) fn run(
    workload: &str,
    preset: Preset,
    mode: Mode,
    model: &dyn Workload,
    measured: &Measured,
) -> record::Run {
    let schedule = &measured.program.schedule;
    let nanoseconds = |d: std::time::Duration| d.as_nanos() as f64;
    let cost = schedule.cost();
    record::Run {
        workload: workload.into(),
        mode,
        preset,
        batch: model.batch(),
        model: model.config(),
        data: measured.data_text.clone(),
        program: measured.program.hash.clone(),
        verified: verified(measured.verification.as_ref()),
        doubts: doubts(measured),
        timing: measured.samples.as_ref().map(timing),
        flops: cost.flops,
        bytes: cost.bytes,
        parameters: schedule.parameters() as u64,
        dispatches: schedule.dispatches(),
        loss: measured.loss.filter(|loss| loss.is_finite()),
        memory: record::Memory {
            planned_bytes: schedule.memory.bytes(),
            slots_bytes: schedule.memory.slot_bytes(),
            slots_bound_bytes: schedule.memory.live_bytes,
        },
        build_ns: nanoseconds(measured.build),
        pipelines: measured.pipelines.0,
        pipelines_ns: nanoseconds(measured.pipelines.1),
        data_ns: nanoseconds(measured.data),
        upload_ns: nanoseconds(measured.upload),
        playing: measured.playing.map(|playing| record::Playing {
            environment_ns: nanoseconds(playing.environment),
            action_ns: nanoseconds(playing.action),
        }),
        profile: sound_profile(measured).map(|p| record::Profile {
            steps: p.span_ns.len(),
            span_ns: median(&p.span_ns),
            gaps_ns: median(&p.gaps_ns),
        }),
        ops: ops(measured),
    }
}

/// The profile, if its times mean anything.
fn sound_profile(measured: &Measured) -> Option<&Profile> {
    measured.profile.as_ref().filter(|profile| profile.is_sound())
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn verified(verification: Option<&Verification>) -> record::Verified {
    let Some(found) = verification else {
        return record::Verified {
            status: Status::Unverified,
            checked: 0,
            passed: 0,
            reduced: 0,
            worst: None,
        };
    };
    record::Verified {
        status: if found.is_passed() { Status::Passed } else { Status::Failed },
        checked: found.verdicts.len(),
        passed: found.passed(),
        reduced: found.reduced,
        worst: found
            .worst()
            .map(|w| record::Worst { label: w.label.clone(), error: finite(w.error) }),
    }
}

/// Each reason to doubt the figures.
fn doubts(measured: &Measured) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    match &measured.verification {
        None => doubts.push(Doubt::Unverified),
        Some(v) if !v.is_passed() => doubts.push(Doubt::WrongKernels),
        Some(_) => {}
    }
    if let Some(samples) = &measured.samples {
        if samples.clock == Clock::Wall {
            doubts.push(Doubt::WallClock { faults: samples.faults.clone() });
        }
        let summary = samples.summary();
        if !samples.settled {
            doubts.push(Doubt::Unsettled { interval: None, wanted: None });
        }
        if summary.drift.significant && summary.drift.relative.abs() > 0.02 {
            doubts.push(Doubt::Drift { relative: summary.drift.relative });
        }
    }
    if let Some(broken) = measured.profile.as_ref().filter(|p| !p.is_sound()) {
        doubts.push(Doubt::NoProfile { faults: broken.faults.clone() });
    }
    if let Some(profile) = sound_profile(measured) {
        if !profile.faults.is_empty() {
            doubts.push(Doubt::RoundedProfile { faults: profile.faults.clone() });
        }
        let share = median(&profile.gaps_ns) / median(&profile.span_ns);
        if share > GAPS {
            doubts.push(Doubt::Gaps { share });
        }
    }
    if measured.loss.is_some_and(|loss| !loss.is_finite()) {
        doubts.push(Doubt::Loss);
    }
    doubts
}

fn timing(samples: &Samples) -> record::Timing {
    let summary = samples.summary();
    record::Timing {
        clock: samples.clock,
        steps_per_submit: samples.steps_per_submit,
        step: record::Statistics {
            n: summary.n,
            median_ns: summary.median,
            ci95_ns: summary.ci95,
            min_ns: summary.min,
            cv: finite(summary.cv),
            outliers: summary.outliers,
            drift: finite(summary.drift.relative),
        },
        wall_median_ns: median(&samples.wall_ns),
        step_ns: samples.step_ns.clone(),
        wall_ns: samples.wall_ns.clone(),
        encode_ns: samples.encode_ns,
        settled: samples.settled,
    }
}

fn ops(measured: &Measured) -> Vec<record::Op> {
    let entries = measured.program.schedule.ops.iter().enumerate();
    let op = |(i, entry): (usize, &crate::pass::OpInstance)| {
        let kind = entry.op.kind();
        record::Op {
            label: entry.label.clone(),
            op: kind.name.into(),
            class: kind.class,
            phase: entry.phase,
            dispatches: entry.dispatches.len(),
            flops: entry.cost.flops,
            bytes: entry.cost.bytes,
            types: entry.op.kinds().iter().map(|kind| kind.name.to_string()).collect(),
            ns: sound_profile(measured).map(|p| op_time(p, i)),
        }
    };
    entries.map(op).collect()
}

fn op_time(profile: &Profile, entry: usize) -> record::OpTime {
    let (summary, samples) = (profile.op_summary(entry), &profile.op_ns[entry]);
    record::OpTime {
        median: summary.median,
        p05: quantile(samples, 0.05),
        p95: quantile(samples, 0.95),
        steadiness: Some(record::Steadiness {
            steps: summary.n,
            cv: finite(summary.cv),
            drift: finite(summary.drift.relative),
            drift_significant: summary.drift.significant,
        }),
        samples: samples.clone(),
    }
}

/// Writes the record to every place it is kept, and returns the place to show. Places asked for must
/// work; the user's own folder may fail, with a warning.
pub(super) fn keep(args: &RunArgs, record: &Record) -> Result<Option<PathBuf>> {
    output::save(&args.out, |form| headline::render(record, form))?;
    let mut shown = args.out.save.first().map(|target| target.path.clone());
    if let Some(folder) = store::folder() {
        match store::keep(record, &folder) {
            Ok(path) => {
                shown.get_or_insert(path);
            }
            Err(error) => warn(&args.out, &format!("{error}: the record is not kept there")),
        }
    }
    Ok(shown)
}

fn warn(args: &VoiceArgs, text: &str) {
    output::note(args, &format!("warning: {text}"));
}
