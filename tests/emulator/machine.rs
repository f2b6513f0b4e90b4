//! Jobs for the machine (`machine.cpp`), and what comes back.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::compiler::Source;
use super::translate::Result;

/// Memory of a job.
pub(crate) enum Buffer {
    /// Holds these words.
    Given(Vec<u32>),
    /// So many words that nobody has written.
    Fresh(usize),
}

/// Part of a buffer that a kernel sees.
pub(crate) struct Window {
    pub(crate) buffer: usize,
    /// In bytes.
    pub(crate) first: usize,
    pub(crate) bytes: usize,
}

/// A kernel run over a grid.
pub(crate) struct Launch {
    /// Its place in the program.
    pub(crate) kernel: usize,
    pub(crate) grid: [u32; 3],
    /// Lanes of a subgroup.
    pub(crate) subgroup: u32,
    pub(crate) params: Vec<u32>,
    pub(crate) bindings: Vec<Window>,
}

/// Buffers, launches one after the other, and the buffers to hand back.
pub(crate) struct Job {
    pub(crate) seed: u32,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) launches: Vec<Launch>,
    pub(crate) outputs: Vec<usize>,
}

/// What came of a job.
pub(crate) struct Outcome {
    /// A line each.
    pub(crate) faults: Vec<String>,
    /// The words of the outputs.
    pub(crate) outputs: Vec<Vec<u32>>,
    /// Turns of all loops together that an invocation made at most.
    pub(crate) longest_walk: u32,
}

impl Buffer {
    fn words(&self) -> usize {
        match self {
            Self::Given(words) => words.len(),
            Self::Fresh(words) => *words,
        }
    }
}

impl Job {
    fn write(&self, out: &mut Vec<u32>) {
        out.extend([self.seed, self.buffers.len() as u32]);
        for buffer in &self.buffers {
            out.push(buffer.words() as u32);
            match buffer {
                Buffer::Given(words) => {
                    out.push(1);
                    out.extend(words);
                }
                Buffer::Fresh(_) => out.push(0),
            }
        }
        out.push(self.launches.len() as u32);
        for launch in &self.launches {
            out.push(launch.kernel as u32);
            out.extend(launch.grid);
            out.extend([launch.subgroup, launch.params.len() as u32]);
            out.extend(&launch.params);
            out.push(launch.bindings.len() as u32);
            let windows = launch.bindings.iter();
            out.extend(windows.flat_map(|w| [w.buffer, w.first, w.bytes].map(|x| x as u32)));
        }
        out.push(self.outputs.len() as u32);
        out.extend(self.outputs.iter().map(|&buffer| buffer as u32));
    }

    fn read(&self, bytes: &mut &[u8]) -> Option<Outcome> {
        let length = take(bytes, 1)?[0] as usize;
        let (text, rest) = bytes.split_at_checked(length)?;
        let faults = String::from_utf8_lossy(text).lines().map(str::to_string).collect();
        *bytes = rest.split_at_checked(length.next_multiple_of(4) - length)?.1;
        let longest_walk = take(bytes, 1)?[0];
        let outputs = self
            .outputs
            .iter()
            .map(|&at| take(bytes, self.buffers[at].words()))
            .collect::<Option<_>>()?;
        Some(Outcome { faults, outputs, longest_walk })
    }
}

fn take(bytes: &mut &[u8], words: usize) -> Option<Vec<u32>> {
    let (taken, rest) = bytes.split_at_checked(4 * words)?;
    *bytes = rest;
    Some(taken.chunks_exact(4).map(|c| u32::from_ne_bytes([c[0], c[1], c[2], c[3]])).collect())
}

/// Runs jobs with a program of these kernels.
pub(crate) fn run(program: &Path, kernels: &[Source], jobs: &[Job]) -> Result<Vec<Outcome>> {
    let mut words = Vec::new();
    jobs.iter().for_each(|job| job.write(&mut words));
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let id = std::process::id();
    let [input, output] =
        ["jobs", "results"].map(|what| program.with_extension(format!("{id}.{what}")));
    fs::write(&input, bytes).map_err(|e| e.to_string())?;
    let status =
        Command::new(program).args([&input, &output]).status().map_err(|e| e.to_string())?;
    let results = fs::read(&output).map_err(|e| e.to_string());
    let _ = (fs::remove_file(&input), fs::remove_file(&output));
    if !status.success() {
        return Err(format!("{} ended with {status}", program.display()));
    }
    let results = results?;
    let mut rest = results.as_slice();
    let outcomes = jobs.iter().map(|job| {
        let mut outcome = job.read(&mut rest).ok_or("the results end too early")?;
        for fault in &mut outcome.faults {
            *fault = with_lines(fault, kernels).ok_or("a fault of no kernel")?;
        }
        Ok(outcome)
    });
    outcomes.collect()
}

/// A fault `2|race: ... at {57}` with the text of the kernel's line in place of its number.
fn with_lines(fault: &str, kernels: &[Source]) -> Option<String> {
    let (kernel, fault) = fault.split_once('|')?;
    let wgsl = &kernels.get(kernel.parse::<usize>().ok()?)?.wgsl;
    let mut parts = fault.split('{');
    let mut text = parts.next()?.to_string();
    for part in parts {
        let (number, rest) = part.split_once('}')?;
        let line = wgsl.lines().nth(number.parse::<usize>().ok()?.checked_sub(1)?)?;
        text += &format!("`{}`{rest}", line.trim());
    }
    Some(text)
}
