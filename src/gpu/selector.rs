//! Chooses an adapter: an ambiguous name is an error.

use crate::error::{Error, Result};
use crate::terms::Restriction;

use super::adapter::{AdapterSummary, all, none_found, with_findings};

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

/// What a selector picks from a list.
///
/// # Errors
/// [`Error::Usage`] for a name that no device can have; [`Error::Device`] where none or several match.
fn pick(adapters: &[AdapterSummary], selector: &Selector) -> Result<usize> {
    if selector.device.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return Err(Error::Usage(
            "--device is empty: give an index, a part of a name, or pci: and a place on the bus; \
             `fathom list devices` lists them"
                .into(),
        ));
    }
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
    use crate::terms::{Backend, DeviceKind};

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
