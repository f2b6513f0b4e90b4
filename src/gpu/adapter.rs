//! The adapters there are: real GPUs come before software adapters.

use std::fmt;

use crate::error::{Error, Result};
use crate::host;
use crate::kernel::HALVES;
use crate::terms::{Backend, DeviceKind, Feature, Restriction, device_id};

use super::driver;

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
    /// Place on the PCI bus, `0000:01:00.0`, where the driver tells.
    pub pci: Option<String>,
    /// Smallest and largest subgroup.
    pub subgroups: (u32, u32),
    /// Memory in bytes, where the system tells.
    pub memory: Option<u64>,
    /// Not conformant to its interface's standard: opened with `--allow-noncompliant` only.
    pub noncompliant: bool,
    /// Optional abilities it lacks, each with what that costs.
    pub missing: Vec<&'static str>,
}

impl AdapterSummary {
    pub(crate) fn of(index: usize, adapter: &wgpu::Adapter, restriction: &Restriction) -> Self {
        let info = adapter.get_info();
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
        // lavapipe and SwiftShader call themselves CPUs; WARP is only known by its name.
        let software = kind == DeviceKind::Cpu || info.name.contains("Basic Render");
        let pci = Some(info.device_pci_bus_id).filter(|pci| !pci.is_empty());
        Self {
            index,
            software,
            memory: driver::memory(pci.as_deref(), software),
            pci,
            subgroups: (info.subgroup_min_size, info.subgroup_max_size),
            noncompliant: false,
            backend,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            kind,
            vendor: info.vendor,
            device: info.device,
            missing: missing(adapter.features(), restriction),
            name: info.name,
        }
    }

    /// Whether this is Mesa's llvmpipe, which runs kernels on the CPU.
    pub fn is_llvmpipe(&self) -> bool {
        self.software && self.name.starts_with("llvmpipe")
    }

    /// The threads on which a software adapter runs kernels, where the environment says so: Mesa's llvmpipe
    /// reads `LP_NUM_THREADS` once, when its device is made. 0 where it has no workers, and the thread that submits
    /// computes. `None` for the driver's own choice (a thread a core) and for every other adapter.
    pub fn threads(&self) -> Option<usize> {
        let threads = std::env::var("LP_NUM_THREADS").ok();
        threads.filter(|_| self.is_llvmpipe()).and_then(|text| text.trim().parse().ok())
    }

    pub(super) fn rank(&self) -> usize {
        // A software adapter comes after every device of any kind, and what is hidden after all that is not.
        self.kind as usize + 10 * usize::from(self.software) + 20 * usize::from(self.noncompliant)
    }

    /// By what it is known across runs.
    pub fn id(&self) -> String {
        device_id(self.pci.as_deref(), self.vendor, self.device)
    }

    /// Whether two summaries are of one adapter.
    fn is_same(&self, other: &Self) -> bool {
        let of = |s: &Self| (s.name.clone(), s.backend, s.driver.clone(), s.id());
        of(self) == of(other)
    }
}

impl fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, backend, driver, .. } = self;
        write!(f, "{name} ({backend}, {driver})")
    }
}

/// How to get a driver, where there is no adapter at all.
const NO_ADAPTER: &str = "no GPU adapter found: there is no working driver for Vulkan, Metal or DX12
  Linux    install your GPU's Vulkan driver (Debian, Ubuntu: `apt install mesa-vulkan-drivers` covers \
AMD, Intel and, in software, any machine; NVIDIA's driver includes its own), or run ./scripts/run
  Windows  install the GPU vendor's driver; Windows 10 and later include DX12
  macOS    Metal is built in since 10.13; in a virtual machine it may be missing
afterwards, `fathom list devices` shows whether it is found";

/// The error where there is no adapter at all: it names the fix for each system, and what is wrong with this one.
pub fn none_found() -> Error {
    Error::Device(with_findings(NO_ADAPTER.to_string(), &[]))
}

/// What keeps devices of this system out of a list, in sentences with the cure.
pub fn findings(adapters: &[AdapterSummary]) -> Vec<String> {
    let real = adapters.iter().filter(|adapter| !adapter.software);
    driver::findings(&real.map(|adapter| adapter.vendor).collect::<Vec<_>>())
}

/// A text with that, a line each.
pub(super) fn with_findings(text: String, adapters: &[AdapterSummary]) -> String {
    findings(adapters).iter().fold(text, |text, finding| format!("{text}\n  {finding}"))
}

fn backends(name: Option<&str>) -> Result<wgpu::Backends> {
    match name {
        // OpenGL is left out: its compute limits are too small for the models.
        None => Ok(wgpu::Backends::VULKAN
            | wgpu::Backends::METAL
            | wgpu::Backends::DX12
            | wgpu::Backends::BROWSER_WEBGPU),
        Some("vulkan") => Ok(wgpu::Backends::VULKAN),
        Some("metal") => Ok(wgpu::Backends::METAL),
        Some("dx12") => Ok(wgpu::Backends::DX12),
        Some(other) => Err(Error::Usage(format!(
            "unknown backend '{other}': expected one of vulkan, metal, dx12"
        ))),
    }
}

/// Adapters that can compute, as the system lists them, those of drivers that do not conform only if asked for.
fn enumerate(backends: wgpu::Backends, noncompliant: bool) -> Vec<(AdapterSummary, wgpu::Adapter)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    // Validation of indirect calls costs a dispatch; nothing here is indirect. Kernels go to the driver as a release build
    // hands them over: in others naga would count each statement's line, from the text's first.
    let left_out = wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL | wgpu::InstanceFlags::DEBUG;
    descriptor.flags = wgpu::InstanceFlags::default() - left_out;
    descriptor.flags.set(wgpu::InstanceFlags::ALLOW_UNDERLYING_NONCOMPLIANT_ADAPTER, noncompliant);
    let instance = wgpu::Instance::new(descriptor);
    let adapters = host::block_on(instance.enumerate_adapters(backends)).into_iter();
    let computing = adapters.filter(|adapter| {
        let flags = adapter.get_downlevel_capabilities().flags;
        flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    });
    let summary = |adapter: &_| AdapterSummary::of(0, adapter, &Restriction::default());
    computing.map(|adapter| (summary(&adapter), adapter)).collect()
}

/// Every adapter, in a stable order: real GPUs first, those of drivers that do not conform last, if at all.
pub(super) fn all(
    backend: Option<&str>,
    noncompliant: bool,
) -> Result<Vec<(AdapterSummary, wgpu::Adapter)>> {
    let backends = backends(backend)?;
    let mut adapters = enumerate(backends, noncompliant);
    if noncompliant {
        // wgpu does not say which they are: those that it hides otherwise.
        let conformant = enumerate(backends, false);
        for (summary, _) in &mut adapters {
            summary.noncompliant = !conformant.iter().any(|(known, _)| known.is_same(summary));
        }
    }
    adapters.sort_by_key(|(summary, _)| (summary.rank(), summary.name.clone()));
    for (index, (summary, _)) in adapters.iter_mut().enumerate() {
        summary.index = index;
    }
    Ok(adapters)
}

/// Summaries of every adapter, those included that take `--allow-noncompliant`, as they are under a restriction.
///
/// # Errors
/// [`Error::Usage`] for an unknown backend.
pub fn list(backend: Option<&str>, restriction: &Restriction) -> Result<Vec<AdapterSummary>> {
    let summary = |(summary, adapter): (AdapterSummary, wgpu::Adapter)| {
        let missing = missing(adapter.features(), restriction);
        AdapterSummary { missing, ..summary }
    };
    Ok(all(backend, true)?.into_iter().map(summary).collect())
}

/// Optional abilities that an adapter lacks, or that are not used.
fn missing(features: wgpu::Features, restriction: &Restriction) -> Vec<&'static str> {
    let lacks = |feature, bit| restriction.lacks(feature) || !features.contains(bit);
    let mut missing = Vec::new();
    if lacks(Feature::Timestamps, wgpu::Features::TIMESTAMP_QUERY) {
        missing.push("timestamps (the wall clock is used)");
    }
    if lacks(Feature::Subgroups, wgpu::Features::SUBGROUP) {
        missing.push("subgroups");
    }
    if HALVES && lacks(Feature::F16, wgpu::Features::SHADER_F16) {
        missing.push("f16");
    }
    missing
}
