//! Every kernel that the full models' plans choose on any GPU is valid, and becomes Metal's, Direct3D's and
//! Vulkan's language. Vulkan's is checked by `spirv-val` where that is installed.

use std::io::Write;
use std::process::{Command, Stdio};

use fathom::gpu::shader;
use fathom::kernel::Caps;
use fathom::kernel::Kernel;
use fathom::op::LIST;
use halves::in_halves;
use naga::back::{hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use plans::of_plans;
use rayon::prelude::*;

#[path = "common/halves.rs"]
mod halves;
#[path = "common/plans.rs"]
mod plans;

/// As the programs are built: nothing is checked at run time.
const UNCHECKED: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Unchecked,
    buffer: BoundsCheckPolicy::Unchecked,
    image_load: BoundsCheckPolicy::Unchecked,
    binding_array: BoundsCheckPolicy::Unchecked,
};

fn metal(module: &naga::Module, info: &ModuleInfo) -> Result<(), String> {
    let options = msl::Options {
        lang_version: (2, 4),
        bounds_check_policies: UNCHECKED,
        zero_initialize_workgroup_memory: false,
        force_loop_bounding: false,
        ..Default::default()
    };
    let written = msl::write_string(module, info, &options, &msl::PipelineOptions::default());
    let (_, told) = written.map_err(|e| format!("Metal: {e}"))?;
    let names = told.entry_point_names.into_iter().collect::<Result<Vec<_>, _>>();
    names.map(drop).map_err(|e| format!("Metal: {e}"))
}

fn direct3d(module: &naga::Module, info: &ModuleInfo) -> Result<(), String> {
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        restrict_indexing: false,
        zero_initialize_workgroup_memory: false,
        force_loop_bounding: false,
        ..Default::default()
    };
    let (mut text, pipeline) = (String::new(), hlsl::PipelineOptions::default());
    let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
    let told = written.map_err(|e| format!("Direct3D: {e}"))?;
    let names = told.entry_point_names.into_iter().collect::<Result<Vec<_>, _>>();
    names.map(drop).map_err(|e| format!("Direct3D: {e}"))
}

fn vulkan(module: &naga::Module, info: &ModuleInfo) -> Result<Vec<u32>, String> {
    let options = spv::Options {
        lang_version: (1, 3),
        bounds_check_policies: UNCHECKED,
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ..Default::default()
    };
    spv::write_vec(module, info, &options, None).map_err(|e| format!("Vulkan: {e}"))
}

fn spirv_val(words: &[u32]) -> Result<(), String> {
    let mut child = Command::new("spirv-val")
        .args(["--target-env", "vulkan1.1", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&bytes).map_err(|e| e.to_string())?;
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("spirv-val: {}", String::from_utf8_lossy(&output.stderr)))
}

fn translate(kernel: &Kernel, validator: bool) -> Result<(), String> {
    let text = shader::assemble(kernel).map_err(|e| e.to_string())?;
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string(&text))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP)
        .validate(&module)
        .map_err(|e| e.emit_to_string(&text))?;
    metal(&module, &info)?;
    direct3d(&module, &info)?;
    let words = vulkan(&module, &info)?;
    if validator { spirv_val(&words) } else { Ok(()) }
}

#[test]
fn every_kernel_that_a_gpu_would_run_becomes_every_backends_language() {
    let kernels = of_plans(|_, problem, variant, caps| {
        let lowered = problem.lower(variant, caps);
        lowered.dispatches.into_iter().map(|dispatch| dispatch.kernel).collect()
    });
    let validator = Command::new("spirv-val").arg("--version").output().is_ok();
    if !validator {
        let told = "SKIPPED: spirv-val is not installed; kernels unchecked by it:";
        let _ = writeln!(std::io::stderr(), "{told} {}", kernels.len());
    }
    let faults: Vec<_> = kernels
        .par_iter()
        .filter_map(|kernel| {
            let fault = translate(kernel, validator).err()?;
            Some(format!("{} {:?}: {fault}", kernel.shader, kernel.consts))
        })
        .collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), kernels.len(), faults.join("\n"));
}

#[test]
fn cooperative_matrices_become_vulkans_language() {
    // Not the others': Direct3D has none, and Metal's are too small to be offered.
    let caps = Caps::portable_matrices();
    // Newer llvmpipes have them too, and their kernels are rewritten.
    let llvmpipe = Caps { llvmpipe: true, int64: true, ..caps.clone() };
    let features = Capabilities::SHADER_FLOAT16
        | Capabilities::SHADER_INT64
        | Capabilities::COOPERATIVE_MATRIX;
    let mut kernels = Vec::new();
    for case in LIST.iter().flat_map(|family| family.cases()).filter_map(|case| in_halves(&case)) {
        let problem = case.problem();
        for variant in problem.variants(&caps).iter().filter(|v| v.name == "matrices") {
            kernels.extend(problem.lower(variant, &caps).dispatches.into_iter().map(|d| d.kernel));
        }
    }
    assert!(kernels.len() > 50, "{} kernels", kernels.len());
    let texts = kernels.par_iter().flat_map_iter(|kernel| {
        [&caps, &llvmpipe].map(|caps| shader::assemble_for(kernel, caps).unwrap())
    });
    texts.for_each(|text| {
        let module = naga::front::wgsl::parse_str(&text).unwrap();
        let mut validator =
            Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP | features);
        let info =
            validator.validate(&module).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
        vulkan(&module, &info).unwrap();
    });
}
