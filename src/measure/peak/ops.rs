//! The kernels of the ceilings, as ops of their own that no model uses.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::host::{self, Instant};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
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

impl OldOp for Fma {
    fn name(&self) -> &'static str {
        "peak"
    }

    fn class(&self) -> Class {
        Class::Elementwise
    }

    fn output(&self, _inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        Ok(vec![TensorSpec::f32([self.invocations])])
    }

    fn cost(&self, _inputs: &[TensorSpec]) -> Cost {
        Cost::default()
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        let shape = |&(c, w): &(u32, u32)| Variant::new("fma", [("CHAINS", c), ("WIDTH", w)]);
        FMA_SHAPES.iter().map(shape).collect()
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        Lowered::one(Dispatch {
            kernel: Kernel::new("peak/fma")
                .with_consts(&[("CHAINS", variant.get("CHAINS"))])
                .with_text("T", vector(variant.get("WIDTH")))
                .with_hook(
                    "total",
                    if variant.get("WIDTH") == 4 {
                        "fn total(x: T) -> f32 { return x.x + x.y + x.z + x.w; }\nconst WIDTH: u32 = 4u;\n"
                    } else {
                        "fn total(x: T) -> f32 { return x; }\nconst WIDTH: u32 = 1u;\n"
                    },
                ),
            bindings: vec![output(0)],
            params: unnamed(vec![self.loops, 0.5f32.to_bits(), 0.5f32.to_bits()]),
            grid: grid(self.invocations / 64, io.caps),
        })
    }

    fn reference(&self, _inputs: &[&Array]) -> Vec<Array> {
        // Each chain ends at 1; how many chains there are is the variant's affair, so the kernel
        // divides by it.
        vec![Array::f32([self.invocations], vec![1.0; self.invocations])]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(64)
    }

    fn distributions(&self) -> &'static [Distribution] {
        &[Distribution::Uniform]
    }
}

/// A copy of one flat tensor.
#[derive(Debug, Clone, Copy)]
pub struct Copy;

impl OldOp for Copy {
    fn name(&self) -> &'static str {
        "peak"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        Ok(inputs.to_vec())
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(0, inputs, inputs)
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        let shape = |&(w, s): &(u32, u32)| Variant::new("copy", [("WIDTH", w), ("STEPS", s)]);
        COPY_SHAPES.iter().map(shape).collect()
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let (width, steps) = (variant.get("WIDTH") as usize, variant.get("STEPS") as usize);
        let groups = io.inputs[0].len() / width;
        Lowered::one(Dispatch {
            kernel: Kernel::new("peak/copy")
                .with_consts(&[("STEPS", steps as u32)])
                .with_text("T", vector(width as u32)),
            bindings: vec![input(0), output(0)],
            params: unnamed(vec![groups as u32]),
            grid: grid(groups.div_ceil(64 * steps), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }

    fn sample(&self, inputs: &[TensorSpec], _: Distribution, _: &mut Rng) -> Vec<Array> {
        // Random draws for half a gigabyte would take longer than the measurement.
        let ramp = (0..inputs[0].len()).map(|i| (i % 65_521) as f64).collect();
        vec![Array::new(inputs[0].clone(), ramp)]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }
}

/// Dispatches that do nothing but leave a 1.
#[derive(Debug, Clone, Copy)]
pub struct Empty {
    /// How many.
    pub dispatches: usize,
}

impl OldOp for Empty {
    fn name(&self) -> &'static str {
        "peak"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, _inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        Ok(vec![TensorSpec::f32([1])])
    }

    fn cost(&self, _inputs: &[TensorSpec]) -> Cost {
        Cost::default()
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("empty", [])]
    }

    fn lower(&self, _variant: &Variant, _io: &Io) -> Lowered {
        let one = Dispatch {
            kernel: Kernel::new("peak/empty"),
            bindings: vec![output(0)],
            params: vec![],
            grid: [1, 1, 1],
        };
        Lowered { dispatches: vec![one; self.dispatches], scratch: vec![] }
    }

    fn reference(&self, _inputs: &[&Array]) -> Vec<Array> {
        vec![Array::f32([1], vec![1.0])]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }
}

/// Nanoseconds to make a pipeline no cache can hold: its text has a number that was never used before.
pub(super) fn pipeline_creation(gpu: &Gpu) -> Result<f64> {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed) + host::process_id();
    let dispatch = Dispatch {
        kernel: Kernel::new("peak/copy")
            .with_consts(&[("STEPS", 1 + serial % 1_000_000)])
            .with_text("T", "f32"),
        bindings: vec![input(0), output(0)],
        params: unnamed(vec![1]),
        grid: [1, 1, 1],
    };
    let begun = Instant::now();
    gpu.pipeline(&dispatch, "peak/pipeline")?;
    Ok(begun.elapsed().as_nanos() as f64)
}
