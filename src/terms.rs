//! The vocabulary that the engine and the records share: mode, preset, phase, class of operation, device.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An enum whose variants are words: people, the command line and records use the same ones.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $($(#[$what])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The word.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use words;

mod listed;
mod restriction;
mod speeds;

pub use listed::{Listed, PassedOver, Reason};
pub use restriction::{Feature, LimitSet, Restriction};
pub use speeds::Speeds;

/// What is named, each once, in order of first mention.
pub fn each_once<T: PartialEq>(named: impl IntoIterator<Item = T>) -> Vec<T> {
    named.into_iter().fold(Vec::new(), |mut known, one| {
        if !known.contains(&one) {
            known.push(one);
        }
        known
    })
}

/// What belongs to each key, keys in order of first mention.
pub fn by_key<K: PartialEq, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    pairs.into_iter().fold(Vec::new(), |mut groups: Vec<(K, Vec<V>)>, (key, value)| {
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => groups.push((key, vec![value])),
        }
        groups
    })
}

/// `1 record`, `2 records`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Threads that run kernels on a software adapter that has so many workers: without any, the thread that submits computes.
pub fn computing(workers: usize) -> usize {
    workers.max(1)
}

/// The workers with which so many threads run kernels at the least cost: a single one is handed each dispatch, and the thread
/// that submits waits for it.
pub fn workers(computing: usize) -> usize {
    if computing > 1 { computing } else { 0 }
}

words! {
    /// Training or inference.
    Mode {
        /// Forward, loss, backward, clip, update.
        Train = "train",
        /// Forward to the model's outputs, and decoding where the model has one.
        Infer = "infer",
    }
}

words! {
    /// The model's size.
    Preset {
        /// The seminal model at its real size.
        Full = "full",
        /// The same topology and ops, small enough for a CPU adapter.
        Tiny = "tiny",
    }
}

words! {
    /// The type that the values between ops are stored as; sums, states, losses and parameters are f32 in either.
    Precision {
        /// Single.
        F32 = "f32",
        /// Half, wherever the ops on both sides of a value take it.
        F16 = "f16",
    }
}

words! {
    /// What is done when the device fails during a run.
    OnFailure {
        /// The run is marked, and the others are measured, on the device opened anew if it was lost.
        GoOn = "go-on",
        /// The run is tried once more, from the seed; if it fails again, as above.
        Retry = "retry",
        /// Nothing else is measured.
        Stop = "stop",
    }
}

words! {
    /// How much is measured to choose between the kernels of an op.
    Effort {
        /// Nothing: each op runs the kernel that its estimate says.
        Off = "off",
        /// Kernels whose estimates are close to the best, for seconds.
        Quick = "quick",
        /// Every kernel, however long it takes.
        Full = "full",
    }
}

words! {
    /// Which part of a training step a node belongs to.
    Phase {
        /// From the inputs to the outputs and the loss.
        Forward = "forward",
        /// Gradients.
        Backward = "backward",
        /// Clipping and updates.
        Update = "update",
    }
}

words! {
    /// The paper's seven classes of operation (Fathom, IISWC 2016, section V), by letter.
    Class {
        /// Matrix products.
        Matrix = "A",
        /// Convolutions and their gradients.
        Convolution = "B",
        /// Elementwise arithmetic.
        Elementwise = "C",
        /// Reductions and expansions: sums, softmax, losses, pooling, normalisation.
        Reduction = "D",
        /// Random sampling.
        Random = "E",
        /// Optimisation: updates, clipping, target copies.
        Optimisation = "F",
        /// Data movement.
        Movement = "G",
    }
}

impl Class {
    /// The class's letter, A to G.
    pub fn letter(self) -> char {
        (b'A' + self as u8) as char
    }

    /// What the paper calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Matrix => "matrix",
            Self::Convolution => "convolution",
            Self::Elementwise => "elementwise",
            Self::Reduction => "reduction and expansion",
            Self::Random => "random",
            Self::Optimisation => "optimisation",
            Self::Movement => "movement",
        }
    }
}

words! {
    /// The system's interface to a device.
    Backend {
        /// Linux, Windows, Android.
        Vulkan = "vulkan",
        /// Apple's.
        Metal = "metal",
        /// Windows.
        Dx12 = "dx12",
        /// OpenGL: nothing is run on it, its limits are too small.
        Gl = "gl",
        /// A browser's WebGPU.
        WebGpu = "webgpu",
        /// Computes nothing.
        Noop = "noop",
        /// A framework's own, which its record names: fathom runs nothing on it.
        Own = "own",
    }
}

words! {
    /// What a device is; real GPUs first.
    DeviceKind {
        /// A card with memory of its own.
        Discrete = "discrete",
        /// Shares the host's memory.
        Integrated = "integrated",
        /// A virtual machine's.
        Virtual = "virtual",
        /// The driver does not say.
        Other = "other",
        /// A driver that computes on the CPU.
        Cpu = "cpu",
    }
}

words! {
    /// Whether shaders run with bounds checks and loop bounds, as in a browser.
    Checks {
        /// With.
        On = "on",
        /// Without, as native figures are published.
        Off = "off",
    }
}

words! {
    /// A fault of a device's timestamps.
    ClockFault {
        /// Both stamps of a pair are 0: the driver wrote nothing.
        Zero = "zero",
        /// The end lies before the start: the counter wrapped, or the driver mixed them up.
        Reversed = "reversed",
        /// Start and end are equal: the clock is too coarse for this pass.
        Equal = "equal",
        /// All stamps are multiples of a step so coarse that the figures would be rounded by over 1 %.
        Coarse = "coarse",
    }
}

impl ClockFault {
    /// What a report says.
    pub fn text(self) -> &'static str {
        match self {
            Self::Zero => "timestamps read as zero",
            Self::Reversed => "timestamps ran backwards",
            Self::Equal => "timestamps did not advance",
            Self::Coarse => "timestamps are rounded",
        }
    }
}

/// A fault and how many pairs of timestamps have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultCount {
    /// What is wrong.
    pub fault: ClockFault,
    /// Pairs that have it.
    pub pairs: usize,
}

impl fmt::Display for FaultCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} pairs)", self.fault.text(), self.pairs)
    }
}

/// By what a device is known across runs, whatever its place in a list: its place on the bus, else its numbers.
pub(crate) fn device_id(pci: Option<&str>, vendor: u32, device: u32) -> String {
    match pci {
        Some(pci) => format!("pci:{pci}"),
        None => format!("{vendor:04x}:{device:04x}"),
    }
}

/// Bytes, as of a hash, in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_again_keeps_its_place() {
        assert_eq!(each_once(["b", "a", "b", "c", "a"]), ["b", "a", "c"]);
    }

    #[test]
    fn a_driver_gets_as_many_workers_as_threads_compute_and_none_for_one() {
        assert_eq!([1, 2, 16].map(workers), [0, 2, 16]);
        assert_eq!([1, 2, 16].map(|n| computing(workers(n))), [1, 2, 16]);
        // A worker computes alone, too: the thread that submits waits for it.
        assert_eq!(computing(1), 1);
    }
}
