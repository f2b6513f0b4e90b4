//! Which variants the emulator (`tests/emulator/`) holds against the f64 reference, and on which cases.

use std::collections::HashMap;
use std::process::Command;
use std::sync::OnceLock;

use fathom::gpu::shader;
use fathom::kernel::{Caps, Kernel, Lowered};

/// Workgroups of a large case.
pub(crate) const MOST_WORKGROUPS: usize = 4000;

/// Workgroups in a line of the grid: few, so that grids are folded.
pub(crate) const LINE: u32 = 7;

/// What a C++ compiler is called.
const NAMES: [&str; 3] = ["c++", "g++", "clang++"];

/// The devices whose variants are emulated: the least a GPU may be, a large one, and a CPU adapter.
pub(crate) fn devices() -> [Caps; 3] {
    let folded = Caps { max_workgroups: LINE, ..Caps::portable() };
    let large = Caps {
        subgroup: Some(32),
        max_binding: 2 << 30,
        max_bindings: 32,
        max_invocations: 1024,
        max_shared: 48 << 10,
        ..folded.clone()
    };
    let software = Caps { software: true, subgroup: Some(8), ..folded.clone() };
    [folded, large, software]
}

/// The C++ compiler of this machine, or why there is none.
pub(crate) fn command() -> Result<&'static str, String> {
    static COMMAND: OnceLock<Option<&'static str>> = OnceLock::new();
    let works = |name: &&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let command = COMMAND.get_or_init(|| NAMES.into_iter().find(works));
    command.ok_or_else(|| format!("there is none of {}", NAMES.join(", ")))
}

/// How the invocations of a kernel wait for each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    Never,
    /// In subgroups, which share no memory.
    InSubgroups,
    AtBarriers,
}

/// A kernel's file and hooks: its constants make no difference to how it waits.
type Text = (String, Vec<(&'static str, String)>);

/// How kernels wait, as far as asked.
#[derive(Default)]
pub(crate) struct Waits(HashMap<Text, Wait>);

impl Waits {
    /// That of the dispatches which waits for most.
    pub(crate) fn of(&mut self, lowered: &Lowered) -> Result<Wait, String> {
        let mut most = Wait::Never;
        for dispatch in &lowered.dispatches {
            most = most.max(self.of_kernel(&dispatch.kernel)?);
        }
        Ok(most)
    }

    fn of_kernel(&mut self, kernel: &Kernel) -> Result<Wait, String> {
        let key = (kernel.shader.clone(), kernel.hooks.clone());
        if let Some(wait) = self.0.get(&key) {
            return Ok(*wait);
        }
        let text = shader::assemble(kernel).map_err(|e| e.to_string())?;
        let wait = if text.contains("workgroupBarrier()") || text.contains("storageBarrier()") {
            Wait::AtBarriers
        } else if text.contains("subgroupBroadcast(") {
            Wait::InSubgroups
        } else {
            Wait::Never
        };
        self.0.insert(key, wait);
        Ok(wait)
    }
}

pub(crate) fn workgroups(lowered: &Lowered) -> usize {
    let dispatches = lowered.dispatches.iter();
    dispatches.map(|dispatch| dispatch.grid.iter().product::<u32>() as usize).sum()
}

/// Whether a variant is emulated on every case that comes to these dispatches, not on one alone.
pub(crate) fn on_every_case(wait: Wait, lowered: &Lowered) -> bool {
    wait == Wait::AtBarriers && workgroups(lowered) <= MOST_WORKGROUPS
}
