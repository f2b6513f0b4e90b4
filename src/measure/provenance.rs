//! What a record says besides its runs: the program, the machine, the device.

use crate::gpu::{Gpu, shader};
use crate::host::{self, Machine};
use crate::record::conditions::of_device;
use crate::record::{
    BuildProfile, Client, Config, Device, Host, Integrity, Limits, Peaks, Record, SCHEMA,
    ShaderSource, Tool,
};
use crate::terms::Checks;

use super::run::Plan;

/// A record of no run yet, of runs measured by a plan on samples from `data`, if not on built-in ones.
pub fn record(gpu: &Gpu, plan: &Plan, data: Option<String>, peaks: Peaks) -> Record {
    Record {
        schema: SCHEMA.into(),
        id: String::new(),
        created: host::now(),
        tool: tool(),
        host: machine(gpu),
        device: device(gpu),
        config: config(gpu, plan, data),
        peaks,
        tuning: None,
        runs: Vec::new(),
        notes: Vec::new(),
        integrity: Integrity::Intact,
    }
}

/// Every option as it was resolved.
fn config(gpu: &Gpu, plan: &Plan, data: Option<String>) -> Config {
    Config {
        preset: plan.preset,
        precision: plan.options.precision,
        fuse: plan.options.fuse,
        checks: gpu.checks,
        restriction: gpu.restriction.clone(),
        shaders: shaders(),
        seed: plan.seed,
        data,
        time_s: plan.budget.time.as_secs_f64(),
        max_noise: plan.budget.noise,
        min_samples: plan.budget.min_samples,
    }
}

/// Which kernels run.
fn shaders() -> ShaderSource {
    if shader::is_replaced() { ShaderSource::Folder } else { ShaderSource::BuiltIn }
}

/// What a device runs all kernels under that is not as published; `bounds checks, without subgroups`.
pub fn conditions(gpu: &Gpu) -> String {
    let told = of_device(gpu.checks == Checks::On, &gpu.restriction, shaders());
    told.collect::<Vec<_>>().join(", ")
}

/// What measures.
pub fn tool() -> Tool {
    let release = env!("FATHOM_PROFILE") == "release";
    Tool {
        version: env!("CARGO_PKG_VERSION").into(),
        git: env!("FATHOM_COMMIT").into(),
        dirty: env!("FATHOM_DIRTY") == "true",
        profile: if release { BuildProfile::Release } else { BuildProfile::Debug },
        wgpu: env!("FATHOM_WGPU").into(),
        argv: std::env::args().collect(),
        peer: None,
        client: if cfg!(target_arch = "wasm32") { Client::Browser } else { Client::Native },
    }
}

/// Where.
pub fn machine(gpu: &Gpu) -> Host {
    let Machine { os, cpu, logical_cores, ram_bytes } = host::machine();
    Host {
        os,
        cpu,
        logical_cores,
        usable_cores: Some(host::cores()),
        ram_bytes,
        threads: gpu.summary.threads(),
        browser: None,
    }
}

/// On what.
pub fn device(gpu: &Gpu) -> Device {
    let (summary, caps) = (&gpu.summary, &gpu.caps);
    Device {
        name: summary.name.clone(),
        backend: summary.backend,
        driver: summary.driver.clone(),
        kind: summary.kind,
        software: summary.software,
        vendor: summary.vendor,
        device: summary.device,
        pci: summary.pci.clone(),
        index: Some(summary.index),
        memory_bytes: summary.memory,
        limits: Limits {
            subgroup: caps.subgroup,
            subgroup_min: Some(summary.subgroups.0),
            subgroup_max: Some(summary.subgroups.1),
            max_binding_bytes: caps.max_binding,
            max_buffer_bytes: caps.max_buffer,
            max_shared_bytes: caps.max_shared,
            max_invocations: caps.max_invocations,
            timestamps: caps.timestamps,
            timestamp_period_ns: gpu.timestamp_period,
            timestamp_resolution_ns: gpu.timestamp_resolution,
        },
    }
}
