//! Sums over the rows of a tensor, a pair per channel: the statistics, and what the gradient needs of them.

use crate::kernel::{Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, scratch};
use crate::op::rows::GPU_WORKGROUP;
use crate::tensor::TensorSpec;

/// `sums.wgsl` where it folds gradients.
const GRAD_OPERANDS: &str = "\
@group(0) @binding(1) var<storage, read> mean: array<T>;
@group(0) @binding(2) var<storage, read> variance: array<T>;
@group(0) @binding(3) var<storage, read> dy: array<T>;
@group(0) @binding(4) var<storage, read_write> first: array<T>;
@group(0) @binding(5) var<storage, read_write> second: array<T>;
struct Channel { shift: T, factor: T }
fn channel(c: u32, row: u32) -> Channel {
    let n = f32(params.rows);
    return Channel(mean[c], inverseSqrt(variance[c] * ((n - 1.0) / n) + params.epsilon));
}
fn given(at: u32) -> T { return dy[at]; }
";

/// Elements below which a second dispatch costs more than it saves.
const CHUNKS_FROM: usize = 1 << 15;

/// Most invocations that fold the chunks of a channel.
const MOST_TEAM: usize = 16;

/// Workgroups that fill a large GPU.
const GPU_WORKGROUPS: usize = 512;

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
        if x.is_empty() {
            return Err(format!("{x} has no elements"));
        }
        Ok(Self { rows, channels, width: if channels.is_multiple_of(4) { 4 } else { 1 } })
    }

    pub(super) fn elements(&self) -> usize {
        self.rows * self.channels
    }

    fn vectors(&self) -> usize {
        self.channels / self.width
    }

    /// A variant that suits GPUs and one that suits CPUs, the device's own first.
    pub(super) fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let mut variants = vec![self.variant(caps.software), self.variant(!caps.software)];
        variants.dedup();
        variants
    }

    fn variant(&self, software: bool) -> Variant {
        let vectors = self.vectors();
        let (workgroup, columns, chunks) = if software {
            // One invocation a column: several would need barriers.
            let columns = vectors.next_power_of_two().min(16);
            (columns, columns, (self.rows / 16).min(64))
        } else {
            // At least eight rows for each of those who share a column.
            let lanes_per_column = (self.rows / 8).clamp(1, 64).next_power_of_two();
            let columns = vectors.next_power_of_two().clamp(4, 32);
            let columns = columns.max(GPU_WORKGROUP / lanes_per_column).min(GPU_WORKGROUP);
            let blocks = vectors.div_ceil(columns);
            let most = self.rows / (16 * (GPU_WORKGROUP / columns));
            (GPU_WORKGROUP, columns, (GPU_WORKGROUPS / blocks).min(most))
        };
        let large = self.rows * self.channels >= CHUNKS_FROM;
        let consts = [
            ("WORKGROUP", workgroup),
            ("COLUMNS", columns),
            ("WIDTH", self.width),
            ("CHUNKS", if large { chunks.max(1) } else { 1 }),
        ];
        Variant::new("sums", consts.map(|(name, value)| (name, value as u32)))
    }

    pub(super) fn element(&self) -> &'static str {
        if self.width == 4 { "vec4<f32>" } else { "f32" }
    }

    /// Sums over the rows into two vectors of channels, in one dispatch or in two.
    pub(super) fn sums(
        &self,
        variant: &Variant,
        Sums { grad, operands, results }: Sums,
        epsilon: f32,
        caps: &Caps,
    ) -> Lowered {
        let [columns, most] = ["COLUMNS", "CHUNKS"].map(|name| variant.get(name) as usize);
        // Rows dealt out evenly: the last chunk has some too.
        let chunk = self.rows.div_ceil(most);
        let chunks = self.rows.div_ceil(chunk);
        let consts = ["WORKGROUP", "COLUMNS"].map(|name| (name, variant.get(name)));
        let mut kernel = Kernel::new("batch_norm/sums")
            .with_consts(&consts)
            .with_text("T", self.element())
            .with_text("GRAD", grad.to_string())
            .with_text("FINAL", (chunks == 1).to_string());
        if grad {
            kernel = kernel.with_hook("operands", GRAD_OPERANDS);
        }
        let sizes = |dispatch: Dispatch, channels: usize| {
            dispatch
                .param("rows", self.rows)
                .param("C", channels)
                .param("chunk", chunk)
                .param("chunks", chunks)
        };
        let blocks = self.vectors().div_ceil(columns);
        let sums = Dispatch::new(kernel, grid(blocks * chunks, caps));
        let sums = sizes(sums, self.vectors()).param("epsilon", epsilon);
        let sums = operands.iter().fold(sums, |sums, &(name, operand)| sums.bind(name, operand));
        let [first, second] = results;
        if chunks == 1 {
            return Lowered::one(sums.bind("first", first).bind("second", second));
        }
        // On a CPU adapter a barrier costs more than a walk over its few chunks.
        let team =
            if caps.software { 1 } else { (1usize << (chunks.ilog2() / 2 + 1)).min(MOST_TEAM) };
        let kernel = Kernel::new("batch_norm/combine")
            .with_text("GRAD", grad.to_string())
            .with_consts(&[("TEAM", team)]);
        let combine = Dispatch::new(kernel, grid(self.channels.div_ceil(64 / team), caps))
            .bind("firsts", scratch(0).read())
            .bind("seconds", scratch(1).read())
            .bind("first", first)
            .bind("second", second);
        Lowered {
            dispatches: vec![
                sums.bind("first", scratch(0)).bind("second", scratch(1)),
                sizes(combine, self.channels),
            ],
            scratch: vec![TensorSpec::f32([chunks, self.channels]); 2],
        }
    }

    /// `kernel` over the vectors of all rows, with the parameters that every such kernel begins with.
    pub(super) fn elementwise(&self, kernel: Kernel, epsilon: f32, caps: &Caps) -> Dispatch {
        let count = self.rows * self.vectors();
        let n = self.rows as f32;
        Dispatch::new(kernel, grid(count.div_ceil(64), caps))
            .param("count", count)
            .param("C", self.vectors())
            .param("bias", (n - 1.0) / n)
            .param("epsilon", epsilon)
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

/// What is summed, and where to.
pub(super) struct Sums<'a> {
    pub(super) grad: bool,
    pub(super) operands: &'a [(&'static str, Binding)],
    pub(super) results: [Binding; 2],
}
