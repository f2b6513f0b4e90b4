//! Finds adapters and chooses one: real GPUs come before software adapters, and an ambiguous name is an error.

use std::fmt;

use crate::error::{Error, Result};
use crate::host;
use crate::terms::{Backend, DeviceKind, Feature, Restriction};

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
        // A software adapter comes after every device of any kind, and what is hidden after all that is not.
        self.kind as usize + 10 * usize::from(self.software) + 20 * usize::from(self.noncompliant)
    }

    /// By what it is known across runs, whatever its place in the list: its place on the bus, else its numbers.
    pub fn id(&self) -> String {
        match &self.pci {
            Some(pci) => format!("pci:{pci}"),
            None => format!("{:04x}:{:04x}", self.vendor, self.device),
        }
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

/// Which adapter is wanted: `2`, `rtx`, `vulkan:rtx`, `pci:0000:01:00.0`, and perhaps only one backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// As given to `--device`.
    pub device: Option<String>,
    /// As given to `--backend`.
    pub backend: Option<String>,
    /// A real GPU or nothing: `--require gpu`.
    pub gpu_only: bool,
    /// Whether drivers that do not conform to their standard count: `--allow-noncompliant`.
    pub noncompliant: bool,
    /// What of it is not used: `--limits`, `--without`.
    pub restriction: Restriction,
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
fn with_findings(text: String, adapters: &[AdapterSummary]) -> String {
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
    // Validation of indirect calls costs a dispatch; nothing here is indirect.
    descriptor.flags =
        wgpu::InstanceFlags::default() - wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL;
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
fn all(backend: Option<&str>, noncompliant: bool) -> Result<Vec<(AdapterSummary, wgpu::Adapter)>> {
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
    missing
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
    if wanted.trim().is_empty() {
        return Err(Error::Usage(
            "--device is empty: give an index, a part of a name, or pci: and a place on the bus; \
             `fathom list devices` lists them"
                .into(),
        ));
    }
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
    let fits = |s: &AdapterSummary| match wanted.split_once(':') {
        Some(("pci", place)) => s.pci.as_deref().is_some_and(|pci| is_place(pci, place)),
        Some((backend, part)) => {
            backend.eq_ignore_ascii_case(s.backend.name()) && contains(&s.name, part)
        }
        None => contains(&s.name, wanted),
    };
    let matching: Vec<usize> = (0..adapters.len()).filter(|&i| fits(&adapters[i])).collect();
    match matching[..] {
        [index] => Ok(index),
        [] => Err(Error::Device(format!(
            "no device matches '{wanted}'; these are available:{}",
            listing(&everything)
        ))),
        _ => Err(Error::Device(format!(
            "'{wanted}' matches several devices; choose one by its index, as backend:name, or with --backend:{}",
            listing(&matching)
        ))),
    }
}

fn contains(name: &str, part: &str) -> bool {
    name.to_lowercase().contains(&part.to_lowercase())
}

/// Whether a place on the bus is meant: `0000:01:00.0`, or without the domain where that is 0.
fn is_place(pci: &str, wanted: &str) -> bool {
    pci.eq_ignore_ascii_case(wanted) || pci.eq_ignore_ascii_case(&format!("0000:{wanted}"))
}

/// Refuses a software adapter where a GPU is required.
fn check(picked: &AdapterSummary, selector: &Selector) -> Result<()> {
    if picked.software && selector.gpu_only {
        return Err(Error::Device(format!(
            "{picked} computes on the CPU, and --require gpu asks for a GPU"
        )));
    }
    Ok(())
}

/// The adapter a selector names, with its index.
pub(crate) fn choose(selector: &Selector) -> Result<(usize, wgpu::Adapter)> {
    let mut adapters = all(selector.backend.as_deref(), selector.noncompliant)?;
    let summaries: Vec<_> = adapters.iter().map(|(s, _)| s.clone()).collect();
    let picked = pick(&summaries, selector)
        .and_then(|index| check(&summaries[index], selector).map(|()| index));
    let index = picked.map_err(|error| explain(error, &summaries, selector))?;
    Ok((index, adapters.swap_remove(index).1))
}

/// Adds to the error of a device that is not there what may keep it away.
fn explain(error: Error, known: &[AdapterSummary], selector: &Selector) -> Error {
    let Error::Device(mut text) = error else {
        return error;
    };
    let hidden = all(selector.backend.as_deref(), true).unwrap_or_default();
    for (summary, _) in hidden.iter().filter(|(s, _)| s.noncompliant && !selector.noncompliant) {
        text += &format!(
            "\n  {summary} does not conform to its standard: --allow-noncompliant admits it"
        );
    }
    // Where there is none at all, that has been said.
    Error::Device(if known.is_empty() { text } else { with_findings(text, known) })
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
            pci: None,
            subgroups: (32, 32),
            memory: None,
            noncompliant: false,
            missing: vec![],
        }
    }

    fn pick_of(wanted: Option<&str>) -> Result<usize> {
        let mut adapters = [
            adapter(0, "RTX 5080", Backend::Vulkan, DeviceKind::Discrete),
            adapter(1, "RTX 5080", Backend::Dx12, DeviceKind::Discrete),
            adapter(2, "llvmpipe", Backend::Vulkan, DeviceKind::Cpu),
        ];
        adapters[0].pci = Some("0000:01:00.0".into());
        adapters[1].pci = Some("0000:0A:00.0".into());
        pick(&adapters, &Selector { device: wanted.map(String::from), ..Selector::default() })
    }

    #[test]
    fn picks_by_index_name_backend_and_place() {
        assert_eq!(pick_of(Some("pci:0000:01:00.0")).unwrap(), 0);
        assert_eq!(pick_of(Some("pci:0a:00.0")).unwrap(), 1);
        assert_eq!(pick_of(None).unwrap(), 0);
        assert_eq!(pick_of(Some("2")).unwrap(), 2);
        assert_eq!(pick_of(Some("LLVM")).unwrap(), 2);
        assert_eq!(pick_of(Some("dx12:rtx")).unwrap(), 1);
    }

    #[test]
    fn refuses_what_is_absent_or_ambiguous() {
        for wanted in ["99", "radeon", "rtx", "metal:rtx", "pci:0000:02:00.0", "pci:01:00"] {
            let error = pick_of(Some(wanted)).unwrap_err();
            assert_eq!(error.exit_code(), 3);
            assert!(error.to_string().contains("RTX 5080"), "{error}");
        }
        for empty in ["", "  "] {
            assert_eq!(pick_of(Some(empty)).unwrap_err().exit_code(), 2);
        }
        let none = pick(&[], &Selector::default()).unwrap_err();
        assert!(none.to_string().contains("mesa-vulkan-drivers"));
    }

    #[test]
    fn a_required_gpu_is_not_replaced_by_the_processor() {
        let gpu_only = Selector { gpu_only: true, ..Selector::default() };
        let software = adapter(0, "llvmpipe", Backend::Vulkan, DeviceKind::Cpu);
        let error = check(&software, &gpu_only).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("--require gpu"), "{error}");
        assert!(check(&software, &Selector::default()).is_ok());
        let card = adapter(0, "RTX", Backend::Vulkan, DeviceKind::Discrete);
        assert!(check(&card, &gpu_only).is_ok());
    }

    #[test]
    fn what_does_not_conform_comes_last_so_that_the_others_keep_their_places() {
        let hidden = AdapterSummary {
            noncompliant: true,
            ..adapter(0, "NVK", Backend::Vulkan, DeviceKind::Discrete)
        };
        assert!(hidden.rank() > adapter(0, "llvmpipe", Backend::Vulkan, DeviceKind::Cpu).rank());
    }
}
