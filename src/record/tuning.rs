//! How a run's kernels were chosen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{Effort, Speeds};

/// How the kernels of a record's runs were chosen: a forced one, else the tuning table's, else the estimates' first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tuning {
    /// How much was to be measured before.
    pub effort: Effort,
    /// SHA-256 of what the device's table chooses; nothing where none was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Problems of the runs whose kernel is the table's and not the estimates'.
    pub changed: usize,
    /// What the estimates follow from: of the table, or typical of the kind of device.
    pub speeds: Speeds,
    /// Variants that were forced, by label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<String>,
}

impl Tuning {
    /// Of runs whose kernels are the estimates' first, or forced.
    pub fn none(speeds: Speeds, forced: Vec<String>) -> Self {
        Self { effort: Effort::Off, table: None, changed: 0, speeds, forced }
    }

    /// The table in a few letters: `table 3f2a91c0`, `no table`.
    pub fn called(&self) -> String {
        let digits = self.table.as_deref().map(|hash| hash.trim_start_matches("sha256:"));
        digits.map_or("no table".into(), |hash| format!("table {}", hash.get(..8).unwrap_or(hash)))
    }
}
