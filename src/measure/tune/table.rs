//! The tuning table of a device: what was measured of each problem's kernels, and which was the fastest.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::gpu::{Gpu, shader};
use crate::host;
use crate::kernel::{Caps, Variant};
use crate::pass::{OpInstance, Schedule};
use crate::record::store::TUNING;
use crate::stats::quantile;
use crate::terms::{Backend, Checks, Effort, Restriction, Speeds, hex};

/// The schema of the file.
const SCHEMA: &str = "fathom.tuning/1";

/// What a table holds for: kernels are as fast again only there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The adapter's name.
    pub name: String,
    /// The interface it answers on.
    pub backend: Backend,
    /// Driver and version.
    pub driver: String,
    /// PCI vendor number.
    pub vendor: u32,
    /// PCI device number.
    pub device: u32,
    /// Threads that a software adapter was told to use.
    pub threads: Option<usize>,
    /// Whether shaders run with bounds checks.
    pub checks: Checks,
    /// What of it is left unused.
    pub restriction: Restriction,
}

impl Device {
    /// Of an open device.
    pub fn of(gpu: &Gpu) -> Self {
        let summary = &gpu.summary;
        Self {
            name: summary.name.clone(),
            backend: summary.backend,
            driver: summary.driver.clone(),
            vendor: summary.vendor,
            device: summary.device,
            threads: summary.threads(),
            checks: gpu.checks,
            restriction: gpu.restriction.clone(),
        }
    }

    /// The file of its table: `vulkan-llvmpipe-llvm-15-0-6-256-bits-1f3a09b2.json`. The number tells apart what letters do not.
    fn file(&self) -> String {
        let whole = sha256(&format!("{self:?}"));
        let name = self.name.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<_> = name.filter(|word| !word.is_empty()).take(6).collect();
        format!("{}-{}-{}.json", self.backend, words.join("-").to_lowercase(), &whole[..8])
    }
}

/// What was measured of one kernel, beside the first one's times in the same turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// `tile[BM=64,BN=64,BK=16]`.
    pub variant: String,
    /// SHA-256 of what reached the device: the assembled text of each dispatch, its grid and parameters.
    pub kernel: String,
    /// Nanoseconds in each step.
    pub ns: Vec<f64>,
    /// Nanoseconds of the first candidate in the step before each.
    pub first_ns: Vec<f64>,
    /// Whether it agreed with its reference; nothing where that was not asked, as it was not the fastest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

impl Candidate {
    /// Its time over the first one's, of the quieter steps of both: others on the machine only ever make steps longer.
    pub fn ratio(&self) -> f64 {
        quantile(&self.ns, 0.25) / quantile(&self.first_ns, 0.25)
    }
}

/// One problem: an op at its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The op: `matmul`.
    pub op: String,
    /// Its inputs.
    pub inputs: Vec<String>,
    /// How much was measured.
    pub effort: Effort,
    /// The fastest that was verified.
    pub chosen: String,
    /// All that were measured, the estimates' choice first.
    pub candidates: Vec<Candidate>,
}

/// All that is known of a device's kernels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    schema: String,
    device: Device,
    /// What the estimates follow from.
    pub speeds: Speeds,
    /// By [`crate::pass::problem_key`].
    pub entries: BTreeMap<String, Entry>,
    /// Steps that were tuned, by the hash of their problems, with how much was measured.
    pub steps: BTreeMap<String, Effort>,
}

impl Table {
    /// An empty one.
    pub fn new(device: Device, speeds: Speeds) -> Self {
        let (entries, steps) = (BTreeMap::new(), BTreeMap::new());
        Self { schema: SCHEMA.into(), device, speeds, entries, steps }
    }

    /// Where the table of a device lies under the folder for records.
    pub fn path(folder: &Path, device: &Device) -> PathBuf {
        folder.join(TUNING).join(device.file())
    }

    /// Reads the table of a device; nothing where there is none yet.
    ///
    /// # Errors
    /// Why a file cannot be used: it is corrupt, or another device's.
    pub fn load(path: &Path, device: &Device) -> std::result::Result<Option<Self>, String> {
        if !path.exists() {
            return Ok(None);
        }
        let text = host::read_text(path).map_err(|error| error.to_string())?;
        let table: Self = serde_json::from_str(&text)
            .map_err(|error| format!("{} is not a tuning table: {error}", path.display()))?;
        if table.schema != SCHEMA {
            return Err(format!("{} is of another version, {}", path.display(), table.schema));
        }
        if table.device != *device {
            let of = &table.device;
            return Err(format!("{} is of {} with {}", path.display(), of.name, of.driver));
        }
        Ok(Some(table))
    }

    /// Writes it, and makes its folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            host::make_folder(folder)?;
        }
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::Internal(format!("a tuning table as JSON: {error}")))?;
        host::write_atomically(path, text.as_bytes())
    }

    /// Whether a step, known by its mark, was tuned with this effort or more.
    pub(super) fn is_tuned(&self, mark: &str, effort: Effort) -> bool {
        self.steps.get(mark).is_some_and(|known| *known >= effort)
    }

    /// Whether a problem was measured with this effort or more.
    pub(super) fn has(&self, problem: &str, effort: Effort) -> bool {
        self.entries.get(problem).is_some_and(|known| known.effort >= effort)
    }

    /// What it chooses for the problems of `schedules`, by [`crate::pass::problem_key`]. A kernel that is not what was
    /// measured any more is passed over.
    ///
    /// # Errors
    /// [`Error::Internal`] where a kernel's text cannot be assembled.
    pub fn choose<'a>(
        &self,
        schedules: impl IntoIterator<Item = &'a Schedule>,
        caps: &Caps,
    ) -> Result<HashMap<String, Variant>> {
        let mut chosen = HashMap::new();
        for op in schedules.into_iter().flat_map(|schedule| &schedule.ops) {
            let key = op.problem_key();
            let Some(entry) = self.entries.get(&key).filter(|_| !chosen.contains_key(&key)) else {
                continue;
            };
            if let Some(variant) = entry.fresh(op, caps)? {
                chosen.insert(key, variant);
            }
        }
        Ok(chosen)
    }

    /// Removes the entries of a step whose kernel is not what was measured any more, since its text or the op's plan
    /// has changed, and tells how many those were.
    ///
    /// # Errors
    /// As [`Table::choose`].
    pub fn drop_stale(&mut self, schedule: &Schedule, caps: &Caps) -> Result<usize> {
        let before = self.entries.len();
        for op in &schedule.ops {
            let key = op.problem_key();
            if let Some(entry) = self.entries.get(&key)
                && entry.fresh(op, caps)?.is_none()
            {
                self.entries.remove(&key);
            }
        }
        Ok(before - self.entries.len())
    }

    /// What is chosen, in one number: two tables with the same choices have the same.
    pub fn hash(&self) -> String {
        let lines = self.entries.iter().map(|(key, entry)| format!("{key} {}\n", entry.chosen));
        format!("sha256:{}", sha256(&lines.collect::<String>()))
    }
}

impl Entry {
    /// The variant chosen, if its kernel is still the one that was measured.
    pub(super) fn fresh(&self, op: &OpInstance, caps: &Caps) -> Result<Option<Variant>> {
        let variants = op.problem.variants(caps);
        let variant = variants.into_iter().find(|variant| variant.to_string() == self.chosen);
        let measured = self.candidates.iter().find(|known| known.variant == self.chosen);
        let (Some(variant), Some(measured)) = (variant, measured) else { return Ok(None) };
        let same = kernel_hash(op, &variant, caps)? == measured.kernel;
        Ok(same.then_some(variant))
    }

    /// The earliest of the candidates that none after it beats by more than [`FAVOUR`], of those that are not wrong.
    pub(super) fn fastest(&self) -> Option<&Candidate> {
        let right = self.candidates.iter().filter(|known| known.verified != Some(false));
        right.reduce(|best, next| if next.ratio() < FAVOUR * best.ratio() { next } else { best })
    }
}

/// A later candidate has to take less than this share of the time: what is measured within it is noise.
const FAVOUR: f64 = 0.97;

/// What a variant hands to the device, as a number.
pub(super) fn kernel_hash(op: &OpInstance, variant: &Variant, caps: &Caps) -> Result<String> {
    let mut text = String::new();
    for dispatch in &op.lowered(variant, caps).dispatches {
        text += &shader::assemble_for(&dispatch.kernel, caps)?;
        text += &format!("{:?} {:?}\n", dispatch.grid, dispatch.words());
    }
    Ok(sha256(&text))
}

/// The hash of a text, in digits.
pub(super) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(variant: &str, ns: f64, verified: Option<bool>) -> Candidate {
        let (ns, first_ns) = (vec![ns; 3], vec![100.0; 3]);
        Candidate { variant: variant.into(), kernel: String::new(), ns, first_ns, verified }
    }

    fn entry(candidates: Vec<Candidate>) -> Entry {
        let (op, inputs, chosen) = ("matmul".into(), vec![], String::new());
        Entry { op, inputs, effort: Effort::Quick, chosen, candidates }
    }

    #[test]
    fn the_earlier_is_favoured_by_three_percent_and_the_wrong_are_left_out() {
        let fastest = |times: &[(f64, Option<bool>)]| {
            let of =
                |(i, &(ns, ok)): (usize, &(f64, Option<bool>))| candidate(&i.to_string(), ns, ok);
            let entry = entry(times.iter().enumerate().map(of).collect());
            entry.fastest().map(|known| known.variant.clone())
        };
        assert_eq!(fastest(&[(100.0, None), (98.0, None)]).unwrap(), "0");
        assert_eq!(fastest(&[(100.0, None), (96.0, None), (94.0, None)]).unwrap(), "1");
        assert_eq!(
            fastest(&[(100.0, None), (50.0, Some(false)), (80.0, Some(true))]).unwrap(),
            "2"
        );
        assert_eq!(fastest(&[(100.0, Some(false))]), None);
    }

    #[test]
    fn a_corrupt_table_or_that_of_another_device_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let device = Device {
            name: "Tuned GPU".into(),
            backend: Backend::Vulkan,
            driver: "driver 1.0".into(),
            vendor: 1,
            device: 2,
            threads: None,
            checks: Checks::Off,
            restriction: Restriction::default(),
        };
        let path = Table::path(folder.path(), &device);
        assert_eq!(Table::load(&path, &device), Ok(None));
        let mut table = Table::new(device.clone(), Speeds::GPU);
        table.entries.insert("key".into(), entry(vec![candidate("naive", 1.0, None)]));
        table.save(&path).unwrap();
        assert_eq!(Table::load(&path, &device), Ok(Some(table)));
        let newer = Device { driver: "driver 1.1".into(), ..device.clone() };
        assert_ne!(Table::path(folder.path(), &newer), path);
        assert!(Table::load(&path, &newer).unwrap_err().contains("driver 1.0"));
        std::fs::write(&path, "{").unwrap();
        assert!(Table::load(&path, &device).unwrap_err().contains("not a tuning table"));
    }
}
