//! What the system says of a device's clock, power and temperature: informative only, where Linux has it (amdgpu,
//! i915, xe and nouveau under `/sys`) or NVIDIA's driver. No figure depends on it.

#[cfg(all(feature = "cli", any(target_os = "linux", target_os = "windows")))]
mod nvml;

use std::path::Path;

use crate::host::{self, HAS_FILES};
use crate::record::Sensors;

/// The sensors of the device at a place on the bus, `0000:01:00.0`; nothing where it has none that can be read.
pub(super) fn read(pci: &str) -> Option<Sensors> {
    if !HAS_FILES {
        return None;
    }
    let of_system = under(&Path::new("/sys/bus/pci/devices").join(pci));
    #[cfg(all(feature = "cli", any(target_os = "linux", target_os = "windows")))]
    let of_system = of_system.or_else(|| nvml::read(pci));
    of_system
}

fn under(device: &Path) -> Option<Sensors> {
    let hwmon = |names: &[&str]| {
        let monitors = host::list_folder(&device.join("hwmon")).ok()?;
        let files = monitors.iter().flat_map(|monitor| names.iter().map(|name| monitor.join(name)));
        files.filter_map(|file| number(&file)).next()
    };
    let sensors = Sensors {
        clock_hz: hwmon(&["freq1_input"]).or_else(|| megahertz(device).map(|mhz| mhz * 1e6)),
        power_w: hwmon(&["power1_average", "power1_input"]).map(|microwatts| microwatts / 1e6),
        temperature_c: hwmon(&["temp1_input"]).map(|thousandths| thousandths / 1e3),
    };
    (sensors != Sensors::default()).then_some(sensors)
}

/// The clock of Intel's drivers: xe, then i915.
fn megahertz(device: &Path) -> Option<f64> {
    let cards = host::list_folder(&device.join("drm")).unwrap_or_default();
    let i915 = cards.iter().map(|card| card.join("gt/gt0/rps_act_freq_mhz"));
    let xe = device.join("tile0/gt0/freq0/act_freq");
    std::iter::once(xe).chain(i915).find_map(|file| number(&file))
}

fn number(file: &Path) -> Option<f64> {
    host::read_text(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_driver_s_files_are_read_in_their_units_and_none_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let write = |device: &str, file: &str, text: &str| {
            let path = folder.path().join(device).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let of = |device: &str| under(&folder.path().join(device));
        write("amd", "hwmon/hwmon3/freq1_input", "2100000000\n");
        write("amd", "hwmon/hwmon3/power1_average", "181000000\n");
        write("amd", "hwmon/hwmon3/temp1_input", "61000\n");
        let (clock_hz, power_w, temperature_c) = (Some(2.1e9), Some(181.0), Some(61.0));
        assert_eq!(of("amd"), Some(Sensors { clock_hz, power_w, temperature_c }));
        write("xe", "tile0/gt0/freq0/act_freq", "1850\n");
        write("i915", "drm/card0/gt/gt0/rps_act_freq_mhz", "1150\n");
        assert_eq!(of("xe").unwrap().clock_hz, Some(1.85e9));
        assert_eq!(of("i915").unwrap().clock_hz, Some(1.15e9));
        write("nvidia", "vendor", "0x10de\n");
        write("odd", "hwmon/hwmon0/temp1_input", "N/A\n");
        assert_eq!((of("nvidia"), of("odd"), of("missing")), (None, None, None));
    }
}
