//! What the machine is, as its system says.

/// The machine a program runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The operating system with its version.
    pub os: String,
    /// The processor's name, where the system says.
    pub cpu: Option<String>,
    /// Processors, counting each of a core's threads.
    pub logical_cores: Option<usize>,
    /// Memory in bytes.
    pub ram_bytes: Option<u64>,
}

/// Asks the system; never fails, since a record without these facts is still a record.
#[cfg(feature = "cli")]
pub fn machine() -> Machine {
    use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

    let wanted = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(wanted).ok();
    let cpus = system.as_ref().map_or(&[][..], System::cpus);
    let brand = cpus.first().map(|cpu| cpu.brand().trim());
    Machine {
        os: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
        cpu: brand.filter(|brand| !brand.is_empty()).map(str::to_owned),
        logical_cores: Some(cpus.len()).filter(|&n| n > 0),
        ram_bytes: system.map(|s| s.total_memory()).filter(|&n| n > 0),
    }
}

/// What is known without asking a system: the page's front knows more.
#[cfg(not(feature = "cli"))]
pub fn machine() -> Machine {
    Machine { os: std::env::consts::OS.to_owned(), cpu: None, logical_cores: None, ram_bytes: None }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_facts() {
        let machine = machine();
        assert!(!machine.os.is_empty());
        assert!(machine.logical_cores.is_none_or(|n| (1..100_000).contains(&n)), "{machine:?}");
        assert!(machine.ram_bytes.is_none_or(|n| n > 1 << 20), "{machine:?}");
    }
}
