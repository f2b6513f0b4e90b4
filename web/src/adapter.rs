//! The device as a page knows it: wgpu passes on little of what the browser tells.

use fathom::gpu::AdapterSummary;
use fathom::terms::DeviceKind;

use crate::message::{Surroundings, Told};

/// PCI numbers of the vendors that browsers name.
const VENDORS: &[(&str, u32)] = &[
    ("amd", 0x1002),
    ("apple", 0x106b),
    ("arm", 0x13b5),
    ("google", 0x1ae0),
    ("intel", 0x8086),
    ("microsoft", 0x1414),
    ("nvidia", 0x10de),
    ("qualcomm", 0x5143),
];

/// Adapters that compute on the CPU, by a part of their names.
const SOFTWARE: &[&str] = &["swiftshader", "llvmpipe", "basic render"];

/// The summary with what is known. Without a name different GPUs would compare as one; the driver is the browser, since it
/// compiles the kernels.
pub(crate) fn described(summary: AdapterSummary, known: &Surroundings) -> AdapterSummary {
    let told = &known.adapter;
    let name = name(told);
    let vendor = VENDORS.iter().find(|(vendor, _)| told.vendor.eq_ignore_ascii_case(vendor));
    let device = told.device.strip_prefix("0x").map(|n| u32::from_str_radix(n, 16));
    let lower = name.to_ascii_lowercase();
    let software = summary.software || SOFTWARE.iter().any(|part| lower.contains(part));
    AdapterSummary {
        driver: known.browser.clone(),
        vendor: vendor.map_or(0, |(_, number)| *number),
        device: device.and_then(Result::ok).unwrap_or(0),
        kind: if software { DeviceKind::Cpu } else { summary.kind },
        software,
        name,
        ..summary
    }
}

/// What it is called: its description, or vendor and architecture where the browser keeps that to itself.
fn name(told: &Told) -> String {
    if !told.description.is_empty() {
        return told.description.clone();
    }
    let words = [&told.vendor, &told.architecture, &told.device];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).cloned().collect();
    if words.is_empty() { "a GPU that the browser does not name".into() } else { words.join(" ") }
}
