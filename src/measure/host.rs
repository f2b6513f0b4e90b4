//! What the host machine is: the facts a record carries beside the device.

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::gpu::AdapterSummary;

/// The host machine. What the system does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Operating system with its version: `Linux (Debian 12)`, `macOS 15.1.1 Sequoia`.
    pub os: String,
    /// Kernel version: `6.8.0-48-generic`.
    pub kernel: Option<String>,
    /// CPU model as its maker names it.
    pub cpu: Option<String>,
    /// Logical cores that are online, of all sockets.
    pub logical_cores: Option<usize>,
    /// Physical memory, in bytes, whatever limit a container sets.
    pub ram_bytes: Option<u64>,
}

impl Host {
    /// Asks the system; never fails, since a record without host facts is still a record.
    pub fn detect() -> Self {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(wanted).ok();
        let cpus = system.as_ref().map_or(&[][..], System::cpus);
        let brand = cpus.first().map(|cpu| cpu.brand().trim());
        Self {
            os: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
            kernel: System::kernel_version().ok(),
            cpu: brand.filter(|brand| !brand.is_empty()).map(str::to_owned),
            logical_cores: Some(cpus.len()).filter(|&n| n > 0),
            ram_bytes: system.map(|s| s.total_memory()).filter(|&n| n > 0),
        }
    }
}

/// The threads on which a software adapter runs kernels, where the environment says so: Mesa's llvmpipe
/// reads `LP_NUM_THREADS` once, when its device is made. `None` for the driver's own choice (a thread a
/// core) and for every other adapter.
pub fn threads(adapter: &AdapterSummary) -> Option<usize> {
    let told = std::env::var("LP_NUM_THREADS").ok();
    told.filter(|_| adapter.software && adapter.name.starts_with("llvmpipe"))
        .and_then(|text| text.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_facts() {
        let host = Host::detect();
        assert!(!host.os.is_empty());
        assert!(host.logical_cores.is_none_or(|n| (1..100_000).contains(&n)), "{host:?}");
        assert!(host.ram_bytes.is_none_or(|n| n > 1 << 20), "{host:?}");
    }
}
