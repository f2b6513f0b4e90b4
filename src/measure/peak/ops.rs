//! The kernels of the ceilings, as ops of their own that no model uses.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::{Cost, Distribution, Facts, Kind, Op, Problem, Tolerance};
use crate::host::{self, Instant};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

/// Chains and vector width of the FMA kernels tried.
pub(super) const FMA_SHAPES: &[(u32, u32)] = &[(4, 4), (8, 4), (16, 1), (8, 1), (12, 4)];

/// Vector width and steps of the copies tried.
pub(super) const COPY_SHAPES: &[(u32, u32)] = &[(4, 1), (4, 4), (1, 1), (1, 8)];

fn vector(width: u32) -> &'static str {
    if width == 4 { "vec4<f32>" } else { "f32" }
}

/// Multiply-adds in registers; no inputs.
#[derive(Debug, Clone, Copy)]
pub struct Fma {
    /// Invocations, a multiple of 64.
    pub invocations: usize,
    /// Turns of the outer loop.
    pub loops: u32,
}

impl Fma {
    /// Operations of one run.
    pub(super) fn flops(&self, variant: &Variant) -> u64 {
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
        let facts = Facts::new([totals], Cost::default(), Tolerance::sum(64));
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
            .with_consts(&[("CHAINS", variant.get("CHAINS"))])
            .with_text("T", vector(variant.get("WIDTH")))
            .with_hook(
                "total",
                if variant.get("WIDTH") == 4 {
                    "fn total(x: T) -> f32 { return x.x + x.y + x.z + x.w; }\nconst WIDTH: u32 = 4u;\n"
                } else {
                    "fn total(x: T) -> f32 { return x; }\nconst WIDTH: u32 = 1u;\n"
                },
            );
        Lowered::one(
            Dispatch::new(kernel, grid(self.fma.invocations / 64, caps))
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

    fn distributions(&self) -> &'static [Distribution] {
        &[Distribution::Uniform]
    }
}

/// A copy of one flat tensor.
#[derive(Debug, Clone, Copy)]
pub struct Copy;

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
        let shape = |&(w, s): &(u32, u32)| Variant::new("copy", [("WIDTH", w), ("STEPS", s)]);
        COPY_SHAPES.iter().map(shape).collect()
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let (width, steps) = (variant.get("WIDTH"), variant.get("STEPS"));
        let groups = self.0.spec().len() / width as usize;
        let kernel =
            Kernel::new("peak/copy").with_consts(&[("STEPS", steps)]).with_text("T", vector(width));
        Lowered::one(copy(kernel, grid(groups.div_ceil(64 * steps as usize), caps), groups))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }

    fn sample(&self, inputs: &[TensorSpec], _: Distribution, _: &mut Rng) -> Vec<Array> {
        // Random draws for half a gigabyte would take longer than the measurement.
        let ramp = (0..inputs[0].len()).map(|i| (i % 65_521) as f64).collect();
        vec![Array::new(inputs[0].clone(), ramp)]
    }
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
        vec![Variant::new("empty", [])]
    }

    fn lower(&self, _variant: &Variant, _caps: &Caps) -> Lowered {
        let empty = Dispatch::new(Kernel::new("peak/empty"), [1, 1, 1]).bind("y", output(0));
        Lowered { dispatches: vec![empty; self.dispatches], scratch: vec![] }
    }

    fn reference(&self, _inputs: &[&Array]) -> Vec<Array> {
        vec![Array::f32([1], vec![1.0])]
    }
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
    gpu.pipeline(&dispatch, "peak/pipeline")?;
    Ok(begun.elapsed().as_nanos() as f64)
}
