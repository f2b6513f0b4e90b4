//! The words that the engine and the records share: mode, preset, phase, class of operation.

use std::fmt;

/// Training or inference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Forward, loss, backward, clip, update.
    Train,
    /// Forward to the model's outputs, and decoding where the model has one.
    Infer,
}

impl Mode {
    /// Both, in the order they are run.
    pub const ALL: [Mode; 2] = [Mode::Train, Mode::Infer];

    /// `train` or `infer`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Infer => "infer",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The model's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// The seminal model at its real size.
    Full,
    /// The same topology and ops, small enough for a CPU adapter.
    Tiny,
}

impl Preset {
    /// Both.
    pub const ALL: [Preset; 2] = [Preset::Full, Preset::Tiny];

    /// `full` or `tiny`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Tiny => "tiny",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which part of a training step a node belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// From the inputs to the outputs and the loss.
    Forward,
    /// Gradients.
    Backward,
    /// Clipping and updates.
    Update,
}

impl Phase {
    /// `forward`, `backward`, `update`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Update => "update",
        }
    }
}

/// The paper's seven classes of operation (Fathom, IISWC 2016, section V).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A: matrix products.
    Matrix,
    /// B: convolutions and their gradients.
    Convolution,
    /// C: elementwise arithmetic.
    Elementwise,
    /// D: reductions and expansions: sums, softmax, losses, pooling, normalisation.
    Reduction,
    /// E: random sampling.
    Random,
    /// F: optimisation: updates, clipping, target copies.
    Optimisation,
    /// G: data movement.
    Movement,
}

impl Class {
    /// Every class, in the paper's order.
    pub const ALL: [Class; 7] = [
        Self::Matrix,
        Self::Convolution,
        Self::Elementwise,
        Self::Reduction,
        Self::Random,
        Self::Optimisation,
        Self::Movement,
    ];

    /// The class's letter, A to G.
    pub fn letter(self) -> char {
        (b'A' + self as u8) as char
    }

    /// What the class is, in a word or two.
    pub fn name(self) -> &'static str {
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
