//! The kernels of the ceilings, as ops of their own that no model uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::{Cost, Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::host::{self, Instant};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, vector};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

/// Chains and vector width of the FMA kernels.
const FMA_SHAPES: &[(u32, u32)] = &[(4, 4), (8, 4), (12, 4), (16, 1), (8, 1)];

/// Vector width and steps of the copies.
const COPY_SHAPES: &[(u32, u32)] = &[(4, 1), (4, 4), (1, 1), (1, 8)];

/// Vectors of four that an invocation reads, of the reads.
const READ_STEPS: &[usize] = &[16, 4];

/// Those that are tried on a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shapes {
    pub(super) fma: &'static [(u32, u32)],
    pub(super) copy: &'static [(u32, u32)],
    pub(super) read: &'static [usize],
    /// Dispatches of the launch measurement.
    pub(super) launches: usize,
    /// Bytes of a transfer.
    pub(super) transferred: u64,
}

impl Shapes {
    /// All of them; on a CPU adapter, which compiles each for longer than it runs, those in vectors: single words came to two
    /// thirds in multiply-adds, and to a third in copies. Four chains were never the best of these there.
    pub(super) fn of(caps: &Caps) -> Self {
        let all = Self {
            fma: FMA_SHAPES,
            copy: COPY_SHAPES,
            read: READ_STEPS,
            launches: 256,
            transferred: 128 << 20,
        };
        if !caps.software {
            return all;
        }
        let (fma, copy, read) = (&all.fma[1..3], &all.copy[..2], &all.read[..1]);
        Self { fma, copy, read, launches: 64, transferred: 16 << 20 }
    }

    /// Measurements that the time is shared out among: each of these, the best of two once more, launching and workgroup
    /// memory.
    pub(super) fn parts(&self) -> usize {
        self.fma.len() + self.copy.len() + self.read.len() + 4
    }
}

/// The ops as the engine holds them, and the variant of those that have one.
macro_rules! probes {
    ($($op:ident $($name:literal [$($consts:expr),*])?,)+) => {
        $(impl $op {
            pub(in crate::measure) fn shared(self) -> Arc<dyn Op> {
                Arc::new(self)
            }

            $(pub(in crate::measure) fn variant() -> Variant {
                Variant::new($name, [$($consts),*])
            })?
        })+
    };
}

probes! {
    Fma,
    Copy,
    Read,
    Shared "shared" [],
    Empty "empty" [],
}

/// Multiply-adds in registers; no inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fma {
    /// Invocations, a multiple of `lanes`.
    pub invocations: usize,
    /// Invocations of a workgroup.
    pub lanes: u32,
    /// Turns of the outer loop.
    pub loops: u32,
}

impl Fma {
    /// Enough invocations to fill the device, a turn each.
    pub(super) fn on(gpu: &Gpu) -> Self {
        let invocations = if gpu.caps.software { 1 << 12 } else { 1 << 20 };
        Self { invocations, lanes: 64, loops: 1 }
    }

    /// Operations of one run.
    pub(in crate::measure) fn flops(&self, variant: &Variant) -> u64 {
        let (chains, width) = (variant.get("CHAINS"), variant.get("WIDTH"));
        2 * 4 * u64::from(chains * width) * u64::from(self.loops) * self.invocations as u64
    }
}

impl Op for Fma {
    fn kind(&self) -> Kind {
        Kind::new("peak", Class::Elementwise)
    }

    fn problem(&self, _inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let totals = TensorSpec::f32([self.invocations]);
        let facts = Facts::new([totals], Cost::default(), Tolerance::sum(64))
            .drawn_from(&[Distribution::Uniform]);
        Ok(Box::new(FmaProblem { fma: *self, facts }))
    }
}

#[derive(Debug)]
struct FmaProblem {
    fma: Fma,
    facts: Facts,
}

impl Problem for FmaProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        let shape = |&(c, w): &(u32, u32)| Variant::new("fma", [("CHAINS", c), ("WIDTH", w)]);
        FMA_SHAPES.iter().map(shape).collect()
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let kernel = Kernel::new("peak/fma")
            .with_consts(&[("LANES", self.fma.lanes), ("CHAINS", variant.get("CHAINS"))])
            .with_text("T", vector(variant.get("WIDTH") as usize))
            .with_hook(
                "total",
                if variant.get("WIDTH") == 4 {
                    "fn total(x: T) -> f32 { return x.x + x.y + x.z + x.w; }\nconst WIDTH: u32 = 4u;\n"
                } else {
                    "fn total(x: T) -> f32 { return x; }\nconst WIDTH: u32 = 1u;\n"
                },
            );
        Lowered::one(
            Dispatch::new(kernel, grid(self.fma.invocations / self.fma.lanes as usize, caps))
                .bind("y", output(0))
                .param("loops", self.fma.loops)
                .param("a", 0.5)
                .param("b", 0.5),
        )
    }

    fn reference(&self, _inputs: &[&Array]) -> Vec<Array> {
        // Each chain ends at 1; how many chains there are is the variant's affair, so the kernel
        // divides by it.
        let n = self.fma.invocations;
        vec![Array::f32([n], vec![1.0; n])]
    }
}

/// A copy of one flat tensor.
#[derive(Debug, Clone, Copy)]
pub struct Copy;

impl Copy {
    pub(super) fn variant((width, steps): (u32, u32)) -> Variant {
        Variant::new("copy", [("WIDTH", width), ("STEPS", steps)])
    }
}

impl Op for Copy {
    fn kind(&self) -> Kind {
        Kind::new("peak", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        Ok(Box::new(CopyProblem(Facts::moving(0, inputs, [inputs[0].clone()], Tolerance::EXACT))))
    }
}

#[derive(Debug)]
struct CopyProblem(Facts);

fn copy(kernel: Kernel, grid: [u32; 3], groups: usize) -> Dispatch {
    Dispatch::new(kernel, grid).bind("x", input(0)).bind("y", output(0)).param("groups", groups)
}

impl Problem for CopyProblem {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        COPY_SHAPES.iter().copied().map(Copy::variant).collect()
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let (width, steps) = (variant.get("WIDTH") as usize, variant.get("STEPS"));
        let groups = self.0.spec().len() / width;
        let kernel =
            Kernel::new("peak/copy").with_consts(&[("STEPS", steps)]).with_text("T", vector(width));
        Lowered::one(copy(kernel, grid(groups.div_ceil(64 * steps as usize), caps), groups))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }

    fn sample(&self, inputs: &[TensorSpec], _: &mut Sampler) -> Vec<Array> {
        vec![ramp(&inputs[0])]
    }
}

/// Sums of one flat tensor, a few values each.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// Vectors of four in a sum.
    pub steps: usize,
}

impl Read {
    pub(super) fn variant(self) -> Variant {
        Variant::new("read", [("STEPS", self.steps as u32)])
    }
}

impl Op for Read {
    fn kind(&self) -> Kind {
        Kind::new("peak", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let sums = TensorSpec::f32([inputs[0].len() / 4 / self.steps]);
        let tolerance = Tolerance::sum(4 * self.steps);
        let facts = Facts::moving(0, inputs, [sums], tolerance);
        Ok(Box::new(ReadProblem { read: *self, facts }))
    }
}

#[derive(Debug)]
struct ReadProblem {
    read: Read,
    facts: Facts,
}

impl Problem for ReadProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![self.read.variant()]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let sums = self.facts.spec().len();
        let kernel = Kernel::new("peak/read").with_consts(&[("STEPS", variant.get("STEPS"))]);
        let dispatch = Dispatch::new(kernel, grid(sums.div_ceil(64), caps));
        Lowered::one(dispatch.bind("x", input(0)).bind("y", output(0)).param("apart", sums))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let sums = self.facts.spec().len();
        let group = |i: usize, step: usize| &inputs[0].data[4 * (i + step * sums)..][..4];
        let sum = |i| (0..self.read.steps).flat_map(|step| group(i, step)).sum();
        vec![Array::new(self.facts.spec().clone(), (0..sums).map(sum).collect())]
    }

    fn sample(&self, inputs: &[TensorSpec], _: &mut Sampler) -> Vec<Array> {
        vec![ramp(&inputs[0])]
    }
}

/// Reads of workgroup memory; no inputs.
#[derive(Debug, Clone, Copy)]
pub struct Shared {
    /// Invocations, a multiple of 64.
    pub invocations: usize,
    /// Turns, of four vectors each.
    pub loops: u32,
}

impl Shared {
    /// Bytes read in one run.
    pub(super) fn bytes(&self) -> f64 {
        64.0 * f64::from(self.loops) * self.invocations as f64
    }
}

impl Op for Shared {
    fn kind(&self) -> Kind {
        Kind::new("peak", Class::Movement)
    }

    fn problem(&self, _inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let facts =
            Facts::new([TensorSpec::f32([self.invocations])], Cost::default(), Tolerance::sum(64))
                .drawn_from(&[Distribution::Uniform]);
        Ok(Box::new(SharedProblem { shared: *self, facts }))
    }
}

#[derive(Debug)]
struct SharedProblem {
    shared: Shared,
    facts: Facts,
}

impl Problem for SharedProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Shared::variant()]
    }

    fn lower(&self, _variant: &Variant, caps: &Caps) -> Lowered {
        let grid = grid(self.shared.invocations / 64, caps);
        let dispatch = Dispatch::new(Kernel::new("peak/shared"), grid).bind("y", output(0));
        Lowered::one(dispatch.param("loops", self.shared.loops))
    }

    fn reference(&self, _inputs: &[&Array]) -> Vec<Array> {
        // What is older than 64 turns has been halved out of sight.
        let last = self.shared.loops.saturating_sub(64)..self.shared.loops;
        let chain = |lane: u32, c: u32| {
            let read = |turn: u32| f64::from((lane + 64 * c + turn) & 255);
            last.clone().fold(0.0, |x, turn| 0.5 * x + read(turn))
        };
        let lanes: Vec<f64> =
            (0..64).map(|lane| (0..4).map(|c| 4.0 * chain(lane, c)).sum()).collect();
        let sums = (0..self.shared.invocations).map(|i| lanes[i % 64]).collect();
        vec![Array::new(self.facts.spec().clone(), sums)]
    }
}

/// Values for a bandwidth: random draws for half a gigabyte would take longer than the measurement.
fn ramp(spec: &TensorSpec) -> Array {
    Array::new(spec.clone(), (0..spec.len()).map(|i| (i % 65_521) as f64).collect())
}

/// Dispatches that do nothing but leave a 1.
#[derive(Debug, Clone, Copy)]
pub struct Empty {
    /// How many.
    pub dispatches: usize,
}

impl Op for Empty {
    fn kind(&self) -> Kind {
        Kind::new("peak", Class::Movement)
    }

    fn problem(&self, _inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let facts = Facts::new([TensorSpec::f32([1])], Cost::default(), Tolerance::EXACT);
        Ok(Box::new(EmptyProblem { dispatches: self.dispatches, facts }))
    }
}

#[derive(Debug)]
struct EmptyProblem {
    dispatches: usize,
    facts: Facts,
}

impl Problem for EmptyProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Empty::variant()]
    }

    fn lower(&self, _variant: &Variant, _caps: &Caps) -> Lowered {
        let empty = Dispatch::new(Kernel::new("peak/empty"), [1, 1, 1]).bind("y", output(0));
        Lowered { dispatches: vec![empty; self.dispatches], scratch: vec![] }
    }

    fn reference(&self, _inputs: &[&Array]) -> Vec<Array> {
        vec![Array::f32([1], vec![1.0])]
    }
}

/// Bytes a second from the host to the device, and back.
pub(super) fn transfers(gpu: &Gpu, bytes: u64) -> Result<[f64; 2]> {
    let buffer = gpu.storage("transfer", bytes)?;
    let data = vec![1; bytes as usize];
    let mut best = [f64::MAX; 2];
    for _ in 0..3 {
        let begun = Instant::now();
        gpu.write(&buffer, 0, &data);
        gpu.submit([]);
        gpu.wait()?;
        best[0] = best[0].min(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        gpu.read(&buffer, 0, bytes)?;
        best[1] = best[1].min(begun.elapsed().as_secs_f64());
    }
    Ok(best.map(|seconds| bytes as f64 / seconds))
}

/// Nanoseconds to make a pipeline no cache can hold: its text has a number that was never used before.
pub(super) fn pipeline_creation(gpu: &Gpu) -> Result<f64> {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed) + host::process_id();
    let kernel = Kernel::new("peak/copy")
        .with_consts(&[("STEPS", 1 + serial % 1_000_000)])
        .with_text("T", "f32");
    let dispatch = copy(kernel, [1, 1, 1], 1);
    let begun = Instant::now();
    gpu.pipelines(&[(&dispatch, "peak/pipeline".into())], &|_| Ok(()))?;
    Ok(begun.elapsed().as_nanos() as f64)
}
