//! Finds adapters and chooses one: real GPUs come before software adapters, and an ambiguous name is an error.

use std::fmt;

use crate::error::{Error, Result};
use crate::host;
use crate::terms::{Backend, DeviceKind};

/// What is known of an adapter before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterSummary {
    /// Its place in the list, as `--device` takes it.
    pub index: usize,
    /// The adapter's own name.
    pub name: String,
    /// The interface it answers on.
    pub backend: Backend,
    /// Driver name and version.
    pub driver: String,
    /// A card, a part of the CPU, or the CPU itself.
    pub kind: DeviceKind,
    /// Runs on the CPU.
    pub software: bool,
    /// PCI vendor number.
    pub vendor: u32,
    /// PCI device number.
    pub device: u32,
    /// Optional abilities it lacks, each with what that costs.
    pub missing: Vec<&'static str>,
}

impl AdapterSummary {
    pub(crate) fn of(index: usize, adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let features = adapter.features();
        let mut missing = Vec::new();
        if !features.contains(wgpu::Features::TIMESTAMP_QUERY) {
            missing.push("timestamps (the wall clock is used)");
        }
        if !features.contains(wgpu::Features::SUBGROUP) {
            missing.push("subgroups");
        }
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
            wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
            wgpu::DeviceType::Cpu => DeviceKind::Cpu,
            wgpu::DeviceType::Other => DeviceKind::Other,
        };
        let backend = match info.backend {
            wgpu::Backend::Vulkan => Backend::Vulkan,
            wgpu::Backend::Metal => Backend::Metal,
            wgpu::Backend::Dx12 => Backend::Dx12,
            wgpu::Backend::Gl => Backend::Gl,
            wgpu::Backend::BrowserWebGpu => Backend::WebGpu,
            wgpu::Backend::Noop => Backend::Noop,
        };
        Self {
            index,
            // lavapipe and SwiftShader call themselves CPUs; WARP is only known by its name.
            software: kind == DeviceKind::Cpu || info.name.contains("Basic Render"),
            backend,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            kind,
            vendor: info.vendor,
            device: info.device,
            missing,
            name: info.name,
        }
    }

    /// The threads on which a software adapter runs kernels, where the environment says so: Mesa's llvmpipe
    /// reads `LP_NUM_THREADS` once, when its device is made. `None` for the driver's own choice (a thread a
    /// core) and for every other adapter.
    pub fn threads(&self) -> Option<usize> {
        let threads = std::env::var("LP_NUM_THREADS").ok();
        threads
            .filter(|_| self.software && self.name.starts_with("llvmpipe"))
            .and_then(|text| text.trim().parse().ok())
    }

    fn rank(&self) -> usize {
        // A software adapter comes after every device of any kind.
        self.kind as usize + 10 * usize::from(self.software)
    }
}

impl fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, backend, driver, .. } = self;
        write!(f, "{name} ({backend}, {driver})")
    }
}

/// Which adapter is wanted: `2`, `rtx`, `vulkan:rtx`, and perhaps only one backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// As given to `--device`.
    pub device: Option<String>,
    /// As given to `--backend`.
    pub backend: Option<String>,
}

/// How to get a driver, where there is no adapter at all.
const NO_ADAPTER: &str = "no GPU adapter found: there is no working driver for Vulkan, Metal or DX12
  Linux    install your GPU's Vulkan driver (Debian, Ubuntu: `apt install mesa-vulkan-drivers` covers \
AMD, Intel and, in software, any machine; NVIDIA's driver includes its own), or run ./scripts/run
  Windows  install the GPU vendor's driver; Windows 10 and later include DX12
  macOS    Metal is built in since 10.13; in a virtual machine it may be missing
afterwards, `fathom list devices` shows whether it is found";

/// The error where there is no adapter at all: it names the fix for each system.
pub fn none_found() -> Error {
    Error::Device(NO_ADAPTER.to_string())
}

/// Every adapter, in a stable order: real GPUs first.
fn all(backend: Option<&str>) -> Result<Vec<(AdapterSummary, wgpu::Adapter)>> {
    let backends = match backend {
        // OpenGL is left out: its compute limits are too small for the models.
        None => {
            wgpu::Backends::VULKAN
                | wgpu::Backends::METAL
                | wgpu::Backends::DX12
                | wgpu::Backends::BROWSER_WEBGPU
        }
        Some("vulkan") => wgpu::Backends::VULKAN,
        Some("metal") => wgpu::Backends::METAL,
        Some("dx12") => wgpu::Backends::DX12,
        Some(other) => {
            return Err(Error::Usage(format!(
                "unknown backend '{other}': expected one of vulkan, metal, dx12"
            )));
        }
    };
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    // Validation of indirect calls costs a dispatch; nothing here is indirect.
    descriptor.flags =
        wgpu::InstanceFlags::default() - wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = host::block_on(instance.enumerate_adapters(backends));
    let mut computing: Vec<_> = adapters
        .into_iter()
        .filter(|a| {
            a.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        })
        .map(|a| (AdapterSummary::of(0, &a), a))
        .collect();
    computing.sort_by_key(|(summary, _)| (summary.rank(), summary.name.clone()));
    for (index, (summary, _)) in computing.iter_mut().enumerate() {
        summary.index = index;
    }
    Ok(computing)
}

/// Summaries of every adapter.
///
/// # Errors
/// [`Error::Usage`] for an unknown backend.
pub fn list(backend: Option<&str>) -> Result<Vec<AdapterSummary>> {
    Ok(all(backend)?.into_iter().map(|(s, _)| s).collect())
}

/// What a selector picks from a list.
///
/// # Errors
/// [`Error::Device`] where none or several match.
fn pick(adapters: &[AdapterSummary], selector: &Selector) -> Result<usize> {
    if adapters.is_empty() {
        return Err(Error::Device(match &selector.backend {
            Some(backend) => format!(
                "no device on backend {backend}; `fathom list devices` lists those there are"
            ),
            None => return Err(none_found()),
        }));
    }
    let Some(wanted) = &selector.device else {
        return Ok(0);
    };
    let listing = |indices: &[usize]| {
        indices.iter().map(|&i| format!("\n  {i}  {}", adapters[i])).collect::<String>()
    };
    let everything: Vec<usize> = (0..adapters.len()).collect();
    if let Ok(index) = wanted.parse::<usize>() {
        return if index < adapters.len() {
            Ok(index)
        } else {
            Err(Error::Device(format!(
                "no device {index}; these are available:{}",
                listing(&everything)
            )))
        };
    }
    let (backend, part) = match wanted.split_once(':') {
        Some((backend, part)) => (Some(backend), part),
        None => (None, wanted.as_str()),
    };
    let fits = |s: &AdapterSummary| {
        s.name.to_lowercase().contains(&part.to_lowercase())
            && backend.is_none_or(|b| b.eq_ignore_ascii_case(s.backend.name()))
    };
    let matching: Vec<usize> = (0..adapters.len()).filter(|&i| fits(&adapters[i])).collect();
    match matching[..] {
        [index] => Ok(index),
        [] => Err(Error::Device(format!(
            "no device matches '{wanted}'; these are available:{}",
            listing(&everything)
        ))),
        _ => Err(Error::Device(format!(
            "'{wanted}' matches several devices; choose one by its index, or as backend:name:{}",
            listing(&matching)
        ))),
    }
}

/// The adapter a selector names, with its index.
pub(crate) fn choose(selector: &Selector) -> Result<(usize, wgpu::Adapter)> {
    let mut adapters = all(selector.backend.as_deref())?;
    let summaries: Vec<_> = adapters.iter().map(|(s, _)| s.clone()).collect();
    let index = pick(&summaries, selector)?;
    Ok((index, adapters.swap_remove(index).1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, name: &str, backend: Backend, kind: DeviceKind) -> AdapterSummary {
        AdapterSummary {
            index,
            name: name.into(),
            backend,
            driver: "1".into(),
            kind,
            software: kind == DeviceKind::Cpu,
            vendor: 0,
            device: 0,
            missing: vec![],
        }
    }

    fn pick_of(wanted: Option<&str>) -> Result<usize> {
        let adapters = [
            adapter(0, "RTX 5080", Backend::Vulkan, DeviceKind::Discrete),
            adapter(1, "RTX 5080", Backend::Dx12, DeviceKind::Discrete),
            adapter(2, "llvmpipe", Backend::Vulkan, DeviceKind::Cpu),
        ];
        let device = wanted.map(String::from);
        pick(&adapters, &Selector { device, backend: None })
    }

    #[test]
    fn picks_by_index_name_and_backend() {
        assert_eq!(pick_of(None).unwrap(), 0);
        assert_eq!(pick_of(Some("2")).unwrap(), 2);
        assert_eq!(pick_of(Some("LLVM")).unwrap(), 2);
        assert_eq!(pick_of(Some("dx12:rtx")).unwrap(), 1);
    }

    #[test]
    fn refuses_what_is_absent_or_ambiguous() {
        for wanted in ["99", "radeon", "rtx", "metal:rtx"] {
            let error = pick_of(Some(wanted)).unwrap_err();
            assert_eq!(error.exit_code(), 3);
            assert!(error.to_string().contains("RTX 5080"), "{error}");
        }
        let none = pick(&[], &Selector::default()).unwrap_err();
        assert!(none.to_string().contains("mesa-vulkan-drivers"));
    }
}
