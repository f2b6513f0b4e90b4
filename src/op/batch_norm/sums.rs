//! How the passes of batch norm and of its gradient deal out rows and channels: sums over chunks of rows, a pair per
//! channel, and then what takes these together; or one pass, where there are few rows.

use crate::graph::op::floats;
use crate::kernel::{Caps, Dispatch, Kernel, Variant, grid, vector};
use crate::op::rows::{GPU_WORKGROUP, width};
use crate::tensor::TensorSpec;

/// `sums.wgsl` where it folds gradients.
const GRAD_OPERANDS: &str = "\
@group(0) @binding(1) var<storage, read> mean: array<T>;
@group(0) @binding(2) var<storage, read> variance: array<T>;
@group(0) @binding(3) var<storage, read> dy: array<T>;
@group(0) @binding(4) var<storage, read_write> parts: array<T>;
struct Channel { shift: T, factor: T }
fn channel(c: u32, row: u32) -> Channel {
    let n = f32(params.rows);
    return Channel(mean[c], inverseSqrt(variance[c] * ((n - 1.0) / n) + params.epsilon));
}
fn given(at: u32) -> T { return dy[at]; }
";

/// Neighbouring channels of a workgroup on a GPU: 64 bytes, which its memory delivers at once, or a line of its cache, for tuning
/// to measure.
const SEGMENTS: [usize; 2] = [16, 32];

/// Most elements of x whose rows are held, by pieces of 16 bytes: what a cache holds.
const LARGE: usize = 8 << 20;

/// Most workgroups a processor of a GPU: what it has under way at once.
const MOST_TURNS: usize = 4;

/// The variant whose invocations hold their rows.
pub(super) const HELD: &str = "held";

/// Most rows of one: with as many vec4s of x and of dy it has half the registers that there may be.
const MOST_HELD: usize = 16;

/// Invocations of a workgroup on a CPU: two of its widest vectors.
const CPU_WORKGROUP: usize = 16;

/// Rows and channels of a tensor [.., C], and how sums over the rows are dealt out.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) rows: usize,
    pub(super) channels: usize,
    /// Elements of the widest vector that the channels consist of.
    pub(super) width: usize,
}

impl Channels {
    /// Those of `x`, which goes with vectors of one value a channel.
    pub(super) fn of(x: &TensorSpec, vectors: &[TensorSpec]) -> Result<Self, String> {
        let (rows, channels) = (x.shape.rows(), x.shape.last());
        let per_channel = TensorSpec::f32([channels]);
        if let Some(other) = vectors.iter().find(|spec| **spec != per_channel) {
            return Err(format!("{x} needs {per_channel}, not {other}"));
        }
        floats(std::slice::from_ref(x))?;
        if x.is_empty() {
            return Err(format!("{x} has no elements"));
        }
        Ok(Self { rows, channels, width: width(channels) })
    }

    pub(super) fn elements(&self) -> usize {
        self.rows * self.channels
    }

    fn vectors(&self) -> usize {
        self.channels / self.width
    }

    /// Variants that suit GPUs and those that suit CPUs, the device's own first.
    pub(super) fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let mut variants = SEGMENTS.map(|segment| self.for_gpu(segment, caps)).to_vec();
        variants.insert(if caps.software { 0 } else { variants.len() }, self.for_cpu());
        variants.dedup();
        let held = self.held(caps).filter(|_| self.elements() <= LARGE);
        held.into_iter().chain(variants).collect()
    }

    /// One pass for two, which does not read x again: each workgroup has whole columns, and its invocations hold their rows; on
    /// a CPU one holds all rows of a column, or there would be barriers.
    fn held(&self, caps: &Caps) -> Option<Variant> {
        let (workgroup, team) = match caps.software {
            true => (self.vectors().next_power_of_two().min(CPU_WORKGROUP), 1),
            false => (GPU_WORKGROUP, self.rows.next_power_of_two().min(GPU_WORKGROUP)),
        };
        let rows = self.rows.div_ceil(team);
        let consts = [
            ("WORKGROUP", workgroup),
            ("COLUMNS", workgroup / team),
            ("TEAM", team),
            ("WIDTH", self.width),
            ("ROWS", rows),
        ];
        let variant = Variant::new(HELD, consts.map(|(name, value)| (name, value as u32)));
        (rows <= MOST_HELD).then_some(variant)
    }

    /// Narrow blocks of columns, so that few chunks fill the device: every workgroup of the second pass reads all parts of
    /// its columns.
    fn for_gpu(&self, segment: usize, caps: &Caps) -> Variant {
        // At least eight rows for each of those who share a column.
        let team = (self.rows / 8).clamp(1, GPU_WORKGROUP).next_power_of_two();
        let segment = (segment / self.width).min(self.vectors().next_power_of_two());
        let columns = segment.max(GPU_WORKGROUP / team);
        let blocks = self.vectors().div_ceil(columns);
        // Reading two values of each chunk again is a quarter of what reading x is, at most.
        let most = (self.rows / 8).isqrt();
        let processors = caps.speeds.processors as usize;
        let chunks = match (most * blocks / processors).min(MOST_TURNS) {
            0 => most,
            turns => turns * processors / blocks,
        };
        self.variant(GPU_WORKGROUP, columns, GPU_WORKGROUP / columns, chunks)
    }

    /// Every chunk of a column has an invocation of its own: several would need barriers.
    fn for_cpu(&self) -> Variant {
        let columns = self.vectors().next_power_of_two().min(CPU_WORKGROUP);
        self.variant(CPU_WORKGROUP, columns, 1, (self.rows / 16).isqrt().min(64))
    }

    fn variant(&self, workgroup: usize, columns: usize, team: usize, chunks: usize) -> Variant {
        let consts = [
            ("WORKGROUP", workgroup),
            ("COLUMNS", columns),
            ("TEAM", team),
            ("WIDTH", self.width),
            ("CHUNKS", chunks.max(1)),
        ];
        Variant::new("sums", consts.map(|(name, value)| (name, value as u32)))
    }

    /// Rows of a chunk, and how many chunks there are: dealt out evenly, so that the last has some too.
    fn chunks(&self, variant: &Variant) -> (usize, usize) {
        if variant.name == HELD {
            return (self.rows, 1);
        }
        let chunk = self.rows.div_ceil(variant.get("CHUNKS") as usize);
        (chunk, self.rows.div_ceil(chunk))
    }

    /// One of the passes, `shader` with nothing bound yet: all deal out rows and channels alike.
    pub(super) fn pass(&self, shader: &str, of: &Pass<'_>) -> Dispatch {
        let Pass { variant, grad, epsilon, caps } = *of;
        let (chunk, chunks) = self.chunks(variant);
        let [workgroup, columns, team] =
            ["WORKGROUP", "COLUMNS", "TEAM"].map(|name| variant.get(name));
        let side_by_side = workgroup / columns / team;
        let blocks = self.vectors().div_ceil(columns as usize);
        let mut kernel = Kernel::new(format!("batch_norm/{shader}"))
            .with_consts(&[("WORKGROUP", workgroup), ("COLUMNS", columns), ("TEAM", team)])
            .with_text("T", vector(self.width));
        if grad && shader == "sums" {
            kernel = kernel.with_text("GRAD", "true").with_hook("operands", GRAD_OPERANDS);
        }
        if variant.name == HELD {
            kernel = kernel.with_consts(&[("ROWS", variant.get("ROWS"))]);
        }
        if shader == "normalise" {
            kernel = kernel.with_text("PLAIN", "false");
        }
        Dispatch::new(kernel, grid(blocks * chunks.div_ceil(side_by_side as usize), caps))
            .param("rows", self.rows)
            .param("C", self.vectors())
            .param("chunk", chunk)
            .param("chunks", chunks)
            .param("epsilon", epsilon)
    }

    /// What lies between the passes: two values of each chunk and channel, and of each channel two more that the first
    /// pass of a gradient knows.
    pub(super) fn parts(&self, of: &Pass<'_>) -> TensorSpec {
        let (_, chunks) = self.chunks(of.variant);
        TensorSpec::f32([chunks + usize::from(of.grad), 2, self.channels])
    }

    /// The inputs with fewer rows where there are many: as many as take the same path, and no multiple of
    /// anything.
    pub(super) fn fewer_rows(&self, inputs: &[TensorSpec]) -> Option<Vec<TensorSpec>> {
        const ROWS: usize = 4099;
        if self.rows <= ROWS {
            return None;
        }
        let mut dims = vec![1; inputs[0].shape.rank()];
        dims[0] = ROWS;
        dims[inputs[0].shape.rank() - 1] = self.channels;
        let fewer = |spec: &TensorSpec| {
            let is_x = spec.is_like(&inputs[0]);
            if is_x { TensorSpec::f32(dims.clone()) } else { spec.clone() }
        };
        Some(inputs.iter().map(fewer).collect())
    }
}

/// What all passes go by.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) variant: &'a Variant,
    pub(super) grad: bool,
    pub(super) epsilon: f32,
    pub(super) caps: &'a Caps,
}
