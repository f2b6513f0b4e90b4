//! Who makes a device.

use crate::record::Device;

/// Makers by the numbers that drivers give: those of PCI, and those above 65535 that Vulkan gives to others.
const VENDORS: [(u32, &str); 11] = [
    (0x10de, "NVIDIA"),
    (0x1002, "AMD"),
    (0x1022, "AMD"),
    (0x8086, "Intel"),
    (0x106b, "Apple"),
    (0x13b5, "Arm"),
    (0x5143, "Qualcomm"),
    (0x1010, "Imagination"),
    (0x1414, "Microsoft"),
    (0x1ae0, "Google"),
    (0x1_0005, "Mesa"),
];

/// The maker's name; by the device's own where the driver gives no number, as Apple's and a browser's do not.
pub(super) fn vendor(device: &Device) -> &'static str {
    let by_number = VENDORS.iter().find(|(number, _)| *number == device.vendor);
    let name = device.name.to_lowercase();
    let by_name = || VENDORS.iter().find(|(_, vendor)| name.contains(&vendor.to_lowercase()));
    by_number.or_else(by_name).map_or("other", |(_, vendor)| vendor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn a_maker_is_known_by_number_or_by_name() {
        let of = |number, name: &str| {
            let device = example::record(&[]).device;
            vendor(&Device { vendor: number, name: name.into(), ..device })
        };
        assert_eq!(of(0x10de, "Graphics Device"), "NVIDIA");
        assert_eq!(of(0, "Apple M3 Pro"), "Apple");
        assert_eq!(of(0x1_0005, "llvmpipe (LLVM 15.0.6, 256 bits)"), "Mesa");
        assert_eq!(of(0xffff, "Voodoo 3"), "other");
    }
}
