//! Synthetic records, for tests with known answers.

use crate::record::{
    BuildProfile, Client, Clock, Config, Device, Host, Integrity, Limits, Memory, Op, OpTime,
    Peaks, Profile, Record, Run, SCHEMA, ShaderSource, Statistics, Status, Timing, Tool, Verified,
};
use crate::terms::{
    Backend, Checks, Class, DeviceKind, Mode, Phase, Precision, Preset, Restriction,
};

/// A workload, a mode, and its ops with their times in nanoseconds.
pub(crate) type Planted<'a> = (&'a str, Mode, &'a [(&'a str, f64)]);

/// 100 GFLOP/s and 10 GB/s.
pub(crate) fn peaks() -> Peaks {
    Peaks {
        fma_f32_flop_per_s: 100e9,
        copy_bytes_per_s: 10e9,
        launch_ns: 1.0,
        submit_ns: 1.0,
        pipeline_ns: 1.0,
        ..Peaks::default()
    }
}

/// A record of these runs, each with 2 % of gaps, on one made-up adapter.
pub(crate) fn record(runs: &[Planted]) -> Record {
    Record {
        schema: SCHEMA.into(),
        id: "sha256:00".into(),
        created: "2026-11-23T07:22:03Z".into(),
        tool: Tool {
            version: "0.1.0".into(),
            git: String::new(),
            dirty: false,
            profile: BuildProfile::Release,
            wgpu: String::new(),
            argv: Vec::new(),
            peer: None,
            client: Client::Native,
        },
        host: Host {
            os: String::new(),
            cpu: None,
            logical_cores: None,
            usable_cores: None,
            ram_bytes: None,
            threads: None,
            browser: None,
        },
        device: Device {
            name: "made up".into(),
            backend: Backend::Vulkan,
            driver: String::new(),
            kind: DeviceKind::Discrete,
            software: false,
            vendor: 0,
            device: 0,
            pci: None,
            index: None,
            memory_bytes: None,
            limits: Limits {
                subgroup: None,
                subgroup_min: None,
                subgroup_max: None,
                max_binding_bytes: 0,
                max_buffer_bytes: 0,
                max_shared_bytes: 0,
                max_invocations: 0,
                timestamps: true,
                timestamp_period_ns: 1.0,
                timestamp_resolution_ns: None,
            },
        },
        config: Config {
            preset: Preset::Tiny,
            precision: Precision::F32,
            fuse: false,
            checks: Checks::Off,
            restriction: Restriction::default(),
            shaders: ShaderSource::default(),
            seed: 1,
            data: None,
            time_s: 1.0,
            max_noise: 0.01,
            min_samples: 10,
        },
        peaks: peaks(),
        tuning: None,
        runs: runs.iter().map(run).collect(),
        notes: Vec::new(),
        integrity: Integrity::Intact,
    }
}

fn run((workload, mode, ops): &Planted) -> Run {
    let ops_ns: f64 = ops.iter().map(|(_, ns)| ns).sum();
    Run {
        workload: workload.to_string(),
        mode: *mode,
        preset: Preset::Tiny,
        batch: 4,
        model: serde_json::Map::new(),
        data: String::new(),
        listed: None,
        program: String::new(),
        verified: Verified {
            status: Status::Passed,
            checked: 1,
            passed: 1,
            reduced: 0,
            sampled: None,
            worst: None,
            failed: Vec::new(),
            program: None,
        },
        doubts: Vec::new(),
        timing: Some(timing(ops_ns, 0.01)),
        flops: 1000,
        bytes: 100,
        parameters: 10,
        dispatches: ops.len(),
        loss: None,
        outcome: None,
        memory: Memory { planned_bytes: 1000, slots_bytes: 500, slots_bound_bytes: 400 },
        build_ns: 1.0,
        first_step_ns: None,
        pipelines: 1,
        pipelines_ns: 1.0,
        data_ns: 1.0,
        upload_ns: 1.0,
        playing: None,
        stays_f32: Vec::new(),
        profile: Some(Profile {
            steps: 100,
            span_ns: ops_ns / 0.98,
            gaps_ns: ops_ns / 0.98 * 0.02,
            method: None,
            over_timed: None,
        }),
        ops: ops.iter().map(|(name, ns)| op(name, *ns)).collect(),
    }
}

/// A step time whose interval reaches `noise` of it to both sides.
pub(crate) fn timing(median_ns: f64, noise: f64) -> Timing {
    Timing {
        clock: Clock::Timestamps,
        steps_per_submit: 1,
        step_ns: vec![median_ns],
        wall_ns: vec![median_ns],
        step: Statistics {
            n: 100,
            median_ns,
            ci95_ns: (median_ns * (1.0 - noise), median_ns * (1.0 + noise)),
            min_ns: median_ns,
            cv: Some(noise),
            outliers: 0,
            drift: Some(0.0),
        },
        wall_median_ns: median_ns,
        encode_ns: 1.0,
        overlapped_ns: None,
        queue_depth: None,
        latency_ns: None,
        cpu_ns: None,
        yardstick: None,
        settled: true,
    }
}

fn op(name: &str, ns: f64) -> Op {
    Op {
        label: format!("scope.{name}/variant"),
        op: name.into(),
        class: match name {
            "matmul" => Class::Matrix,
            name if name.starts_with("conv2d") => Class::Convolution,
            "sum" => Class::Reduction,
            "dropout" => Class::Random,
            "advance_step" => Class::Optimisation,
            "copy" => Class::Movement,
            _ => Class::Elementwise,
        },
        phase: Phase::Forward,
        dispatches: 1,
        flops: 1000,
        bytes: 100,
        types: vec![name.into()],
        ns: Some(OpTime {
            mean: Some(ns),
            median: ns,
            p05: ns,
            p95: ns,
            steadiness: None,
            samples: Vec::new(),
        }),
    }
}
