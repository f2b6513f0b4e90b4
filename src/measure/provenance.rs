//! What a record says besides its runs: the program, the machine, the device.

use crate::gpu::Gpu;
use crate::host;
use crate::record::{
    BuildProfile, Client, Config, Device, Host, Integrity, Limits, Peaks, Record, SCHEMA, Tool,
};

/// A record of no run yet.
pub fn record(gpu: &Gpu, config: Config, peaks: Peaks) -> Record {
    Record {
        schema: SCHEMA.into(),
        id: String::new(),
        created: host::now(),
        tool: tool(),
        host: Host { threads: gpu.summary.threads(), ..machine() },
        device: device(gpu),
        config,
        peaks,
        tuning: None,
        runs: Vec::new(),
        notes: Vec::new(),
        integrity: Integrity::Intact,
    }
}

fn tool() -> Tool {
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

/// Asks the system; never fails, since a record without host facts is still a record.
#[cfg(feature = "cli")]
fn machine() -> Host {
    use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

    let wanted = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(wanted).ok();
    let cpus = system.as_ref().map_or(&[][..], System::cpus);
    let brand = cpus.first().map(|cpu| cpu.brand().trim());
    Host {
        os: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
        cpu: brand.filter(|brand| !brand.is_empty()).map(str::to_owned),
        logical_cores: Some(cpus.len()).filter(|&n| n > 0),
        ram_bytes: system.map(|s| s.total_memory()).filter(|&n| n > 0),
        threads: None,
        browser: None,
    }
}

/// What is known without asking a system: the page's front knows more.
#[cfg(not(feature = "cli"))]
fn machine() -> Host {
    Host {
        os: std::env::consts::OS.to_owned(),
        cpu: None,
        logical_cores: None,
        ram_bytes: None,
        threads: None,
        browser: None,
    }
}

fn device(gpu: &Gpu) -> Device {
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

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_facts() {
        let host = machine();
        assert!(!host.os.is_empty());
        assert!(host.logical_cores.is_none_or(|n| (1..100_000).contains(&n)), "{host:?}");
        assert!(host.ram_bytes.is_none_or(|n| n > 1 << 20), "{host:?}");
    }
}
