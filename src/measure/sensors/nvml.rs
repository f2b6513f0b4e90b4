//! NVIDIA's sensors, which its driver shows through a library alone: NVML, opened when it is first asked.

use std::ffi::OsStr;
use std::sync::OnceLock;

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};

use crate::record::Sensors;

/// The library's names: that of the driver's own package, and the one that the development kit adds.
const LIBRARIES: &[&str] =
    if cfg!(windows) { &["nvml.dll"] } else { &["libnvidia-ml.so.1", "libnvidia-ml.so"] };

/// The sensors of the GPU at a place on the bus; nothing without NVIDIA's driver.
pub(super) fn read(pci: &str) -> Option<Sensors> {
    static NVML: OnceLock<Option<Nvml>> = OnceLock::new();
    let open = || LIBRARIES.iter().find_map(|name| library(name.as_ref()));
    of(NVML.get_or_init(open).as_ref()?, pci)
}

fn library(path: &OsStr) -> Option<Nvml> {
    Nvml::builder().lib_path(path).init().ok()
}

fn of(nvml: &Nvml, pci: &str) -> Option<Sensors> {
    let device = nvml.device_by_pci_bus_id(pci).ok()?;
    let megahertz = device.clock_info(Clock::SM).ok();
    let milliwatts = device.power_usage().ok();
    let degrees = device.temperature(TemperatureSensor::Gpu).ok();
    let sensors = Sensors {
        clock_hz: megahertz.map(|mhz| f64::from(mhz) * 1e6),
        power_w: milliwatts.map(|mw| f64::from(mw) / 1e3),
        temperature_c: degrees.map(f64::from),
    };
    (sensors != Sensors::default()).then_some(sensors)
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    /// A driver with one GPU, at 0000:65:00.0, that does not tell its power.
    const DRIVER: &str = r#"
        #include <string.h>
        static int gpu;
        int nvmlInit_v2(void) { return 0; }
        int nvmlShutdown(void) { return 0; }
        const char *nvmlErrorString(int code) { (void)code; return "no"; }
        int nvmlDeviceGetHandleByPciBusId_v2(const char *place, void **device) {
            *device = &gpu;
            return strcmp(place, "0000:65:00.0") ? 6 : 0;
        }
        int nvmlDeviceGetClockInfo(void *device, int kind, unsigned *mhz) {
            *mhz = kind == 1 ? 1980 : 0;
            return device != &gpu;
        }
        int nvmlDeviceGetPowerUsage(void *device, unsigned *mw) { (void)device; (void)mw; return 3; }
        int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *degrees) {
            *degrees = sensor == 0 ? 41 : 0;
            return device != &gpu;
        }
    "#;

    #[test]
    fn a_driver_s_figures_are_read_in_its_units_and_what_it_does_not_tell_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (source, driver) = (folder.path().join("driver.c"), folder.path().join("driver.so"));
        std::fs::write(&source, DRIVER).unwrap();
        let made =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&driver, &source]).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: no C compiler to make a driver with");
            return;
        }
        let nvml = library(driver.as_os_str()).unwrap();
        let (clock_hz, temperature_c) = (Some(1.98e9), Some(41.0));
        let expected = Sensors { clock_hz, power_w: None, temperature_c };
        assert_eq!(of(&nvml, "0000:65:00.0"), Some(expected));
        assert_eq!(of(&nvml, "0000:66:00.0"), None);
        assert!(library(folder.path().join("missing.so").as_os_str()).is_none());
    }
}
