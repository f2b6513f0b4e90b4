//! Why a device is not in the list: driver manifests that name no library, and devices that no driver answers for.
//!
//! Read from Linux's files, and only from files: nothing here loads a driver.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::host::{list_folder, read_text};
use crate::terms::each_once;

/// A node of a device under `/dev`, by which the kernel offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    path: PathBuf,
    maker: Maker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Nvidia,
    Amd,
    Intel,
    Microsoft,
    Other,
}

impl Maker {
    /// Of a PCI vendor number.
    fn of(vendor: u32) -> Self {
        match vendor {
            0x10de => Self::Nvidia,
            0x1002 => Self::Amd,
            0x8086 => Self::Intel,
            0x1414 => Self::Microsoft,
            _ => Self::Other,
        }
    }

    fn cure(self) -> &'static str {
        match self {
            Self::Nvidia => {
                "install the Vulkan part of NVIDIA's driver (Debian: `apt install nvidia-vulkan-icd`); in a \
                 container, run it with `--gpus all -e NVIDIA_DRIVER_CAPABILITIES=all`"
            }
            Self::Amd | Self::Intel | Self::Other => {
                "install Mesa's drivers (Debian, Ubuntu: `apt install mesa-vulkan-drivers`) and be a member of \
                 group render; in a container, run it with `--device /dev/dri`"
            }
            Self::Microsoft => {
                "this is WSL: install a Mesa with its driver dozen (`apt install mesa-vulkan-drivers`), and give \
                 --allow-noncompliant"
            }
        }
    }
}

/// Everything that keeps devices of this system out of the list, in sentences with the cure; `vendors` are the PCI
/// vendor numbers of the GPUs that are in it.
pub fn findings(vendors: &[u32]) -> Vec<String> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let root = Path::new("/");
    let mut findings = broken_manifests(root, &manifests(root));
    findings.extend(unanswered(&nodes(root), vendors));
    findings
}

/// Memory of a device, where the system tells: a card's own by its place on the PCI bus, the machine's for an
/// adapter that computes on the CPU.
pub(super) fn memory(pci: Option<&str>, software: bool) -> Option<u64> {
    memory_under(Path::new("/"), pci, software)
}

fn memory_under(root: &Path, pci: Option<&str>, software: bool) -> Option<u64> {
    if software {
        let text = read_text(&root.join("proc/meminfo")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        return Some(kibibytes << 10);
    }
    // amdgpu's file; other drivers have none.
    let file = root.join("sys/bus/pci/devices").join(pci?).join("mem_info_vram_total");
    read_text(&file).ok()?.trim().parse().ok()
}

/// Whatever lies in a folder; nothing where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    if folder.is_dir() { list_folder(folder).unwrap_or_default() } else { Vec::new() }
}

fn paths_of(variable: &str) -> Vec<PathBuf> {
    env::var_os(variable).map(|list| env::split_paths(&list).collect()).unwrap_or_default()
}

/// The manifests that Vulkan's loader reads.
fn manifests(root: &Path) -> Vec<PathBuf> {
    for only in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        let named = paths_of(only);
        if !named.is_empty() {
            return named;
        }
    }
    let mut folders: Vec<PathBuf> =
        ["etc", "usr/local/etc", "usr/local/share", "usr/share"].map(|f| root.join(f)).into();
    folders.extend(["XDG_CONFIG_DIRS", "XDG_DATA_DIRS", "XDG_DATA_HOME"].map(paths_of).concat());
    folders.sort();
    folders.dedup();
    let mut files: Vec<_> =
        folders.iter().flat_map(|folder| entries(&folder.join("vulkan/icd.d"))).collect();
    files.extend(paths_of("VK_ADD_DRIVER_FILES"));
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files
}

/// Manifests that cannot lead to a driver.
fn broken_manifests(root: &Path, manifests: &[PathBuf]) -> Vec<String> {
    let why = |path: &PathBuf| {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => return Some(error.to_string()),
        };
        let manifest: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(library) = manifest["ICD"]["library_path"].as_str() else {
            return Some(format!("{} names no library", path.display()));
        };
        (!is_there(root, path, library))
            .then(|| format!("{} names {library}, which is not there", path.display()))
    };
    let line = |why| {
        format!(
            "a Vulkan driver failed to load: {why}; reinstall its package, or remove the manifest"
        )
    };
    manifests.iter().filter_map(why).map(line).collect()
}

/// Whether a manifest's library exists: beside it, where it says, or where the system's loader looks.
fn is_there(root: &Path, manifest: &Path, library: &str) -> bool {
    if library.contains('/') {
        return manifest.with_file_name(library).exists();
    }
    let mut folders = paths_of("LD_LIBRARY_PATH");
    for under in ["lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib"] {
        let folder = root.join(under);
        // Debian's folder for each architecture: usr/lib/x86_64-linux-gnu.
        folders.extend(
            entries(&folder).into_iter().filter(|f| f.to_string_lossy().contains("-linux-")),
        );
        folders.push(folder);
    }
    for file in entries(&root.join("etc/ld.so.conf.d")) {
        let text = read_text(&file).unwrap_or_default();
        let named = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
        folders.extend(named.map(|line| root.join(&line[1..])));
    }
    folders.iter().any(|folder| folder.join(library).exists())
}

/// The nodes of GPUs.
fn nodes(root: &Path) -> Vec<Node> {
    let mut nodes = Vec::new();
    for path in [entries(&root.join("dev")), entries(&root.join("dev/dri"))].concat() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = |head: &str| {
            let rest = name.strip_prefix(head)?;
            (!rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit())).then_some(())
        };
        let maker = if number("nvidia").is_some() {
            Maker::Nvidia
        } else if number("renderD").is_some() {
            let file = root.join("sys/class/drm").join(&name).join("device/vendor");
            let text = read_text(&file).unwrap_or_default();
            let vendor = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16);
            vendor.map_or(Maker::Other, Maker::of)
        } else if name == "dxg" {
            Maker::Microsoft
        } else {
            continue;
        };
        nodes.push(Node { path, maker });
    }
    nodes
}

/// Nodes for which no GPU of their maker answers, those of a maker in one sentence.
fn unanswered(nodes: &[Node], vendors: &[u32]) -> Vec<String> {
    let answers = |maker: Maker| match maker {
        // Under WSL, and behind a number that is not known, any GPU will do.
        Maker::Microsoft | Maker::Other => !vendors.is_empty(),
        known => vendors.iter().any(|vendor| Maker::of(*vendor) == known),
    };
    let makers = each_once(nodes.iter().map(|node| node.maker).filter(|maker| !answers(*maker)));
    let line = |maker: Maker| {
        let of_maker = nodes.iter().filter(|node| node.maker == maker);
        let paths: Vec<_> = of_maker.map(|node| node.path.display().to_string()).collect();
        let (verb, answer) = if paths.len() == 1 { ("is", "it") } else { ("are", "them") };
        let paths = paths.join(", ");
        format!("there {verb} {paths}, but no driver answers for {answer}: {}", maker.cure())
    };
    makers.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of a made-up system.
    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_manifest_that_leads_to_no_library_is_named() {
        let system = tempfile::tempdir().unwrap();
        let root = system.path();
        let manifest = |name: &str, library: &str| {
            let path = format!("usr/share/vulkan/icd.d/{name}.json");
            write(root, &path, &format!("{{\"ICD\": {{\"library_path\": \"{library}\"}}}}"));
            root.join(path)
        };
        write(root, "usr/lib/x86_64-linux-gnu/libvulkan_good.so", "");
        write(root, "opt/vendor/libvulkan_conf.so", "");
        write(root, "etc/ld.so.conf.d/vendor.conf", "# a comment\n/opt/vendor\n");
        write(root, "usr/share/vulkan/icd.d/libvulkan_beside.so", "");
        let good = [
            manifest("good", "libvulkan_good.so"),
            manifest("conf", "libvulkan_conf.so"),
            manifest("beside", "./libvulkan_beside.so"),
        ];
        assert_eq!(broken_manifests(root, &good), Vec::<String>::new());
        write(root, "usr/share/vulkan/icd.d/text.json", "no JSON");
        let bad = [
            manifest("gone", "libGLX_gone.so.0"),
            manifest("path", "/opt/none/lib.so"),
            root.join("usr/share/vulkan/icd.d/text.json"),
            root.join("usr/share/vulkan/icd.d/none.json"),
        ];
        let found = broken_manifests(root, &bad);
        assert_eq!(found.len(), 4, "{found:?}");
        for (text, expected) in found.iter().zip([
            "libGLX_gone.so.0",
            "/opt/none/lib.so",
            "names no library",
            "cannot read",
        ]) {
            assert!(text.contains(expected), "{text}");
        }
        let all = manifests(root);
        assert!(
            good.iter().all(|path| all.contains(path)) || env::var_os("VK_DRIVER_FILES").is_some()
        );
    }

    #[test]
    fn a_device_for_which_no_driver_answers_is_pointed_out_with_the_cure() {
        let system = tempfile::tempdir().unwrap();
        let root = system.path();
        assert_eq!(nodes(root), []);
        for name in ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"] {
            write(root, &format!("dev/{name}"), "");
        }
        write(root, "dev/dri/renderD128", "");
        write(root, "dev/dri/card0", "");
        write(root, "sys/class/drm/renderD128/device/vendor", "0x1002\n");
        let nodes = nodes(root);
        assert_eq!(nodes.len(), 3, "{nodes:?}");
        let found = unanswered(&nodes, &[]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("nvidia1") && found[0].contains("NVIDIA_DRIVER_CAPABILITIES"));
        assert!(found[1].contains("renderD128") && found[1].contains("mesa-vulkan-drivers"));
        assert_eq!(unanswered(&nodes, &[0x10de]).len(), 1, "NVIDIA's answers");
    }

    #[test]
    fn memory_is_read_where_the_system_tells_it() {
        let system = tempfile::tempdir().unwrap();
        let root = system.path();
        write(root, "proc/meminfo", "MemTotal:       24684084 kB\nMemFree: 1 kB\n");
        write(root, "sys/bus/pci/devices/0000:03:00.0/mem_info_vram_total", "25753026560\n");
        assert_eq!(memory_under(root, None, true), Some(24_684_084 << 10));
        assert_eq!(memory_under(root, Some("0000:03:00.0"), false), Some(25_753_026_560));
        assert_eq!(memory_under(root, Some("0000:04:00.0"), false), None);
        assert_eq!(memory_under(root, None, false), None);
    }
}
