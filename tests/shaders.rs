//! Every shader file is valid WGSL by itself, every variant of every case assembles to valid WGSL whose
//! bindings and workgroup memory are what the lowering says, and no file is unused.

use std::collections::BTreeSet;

use fathom::gpu::shader;
use fathom::graph::op::Io;
use fathom::kernel::{Caps, Dispatch, Kernel};
use fathom::op::LIST;
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn validate(text: &str, name: &str) -> naga::Module {
    let module = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    let capabilities = Capabilities::SUBGROUP;
    Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    module
}

#[test]
fn every_file_is_valid_by_itself() {
    for name in shader::names() {
        let text = if name.starts_with("common/") {
            shader::source(name).unwrap().into_owned()
        } else {
            shader::assemble(&Kernel::new(name)).unwrap()
        };
        validate(&text, name);
    }
}

fn check_dispatch(dispatch: &Dispatch, label: &str, caps: &Caps) {
    let text = shader::assemble(&dispatch.kernel).unwrap();
    let module = validate(&text, label);
    let mut declared = BTreeSet::new();
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let mut shared = 0;
    for (_, variable) in module.global_variables.iter() {
        let size = layouter[variable.ty].size;
        match (variable.space, &variable.binding) {
            (naga::AddressSpace::Storage { access }, Some(at)) => {
                assert_eq!(at.group, 0, "{label}: storage belongs in group 0");
                let write = access.contains(naga::StorageAccess::STORE);
                declared.insert((at.binding as usize, write));
            }
            (naga::AddressSpace::Uniform, Some(at)) => {
                assert_eq!((at.group, at.binding), (1, 0), "{label}: params belong in group 1");
                assert_eq!(
                    size as usize,
                    dispatch.params.len() * 4,
                    "{label}: struct Params and the lowering's words differ"
                );
            }
            (naga::AddressSpace::WorkGroup, _) => shared += size,
            _ => {}
        }
    }
    let bound = dispatch.bindings.iter().map(|b| b.write).enumerate();
    assert_eq!(declared, bound.collect(), "{label}: bindings");
    assert!(shared <= caps.max_shared, "{label}: {shared} bytes of workgroup memory");
    assert!(declared.len() <= caps.max_bindings as usize, "{label}: too many bindings");
    for entry in &module.entry_points {
        let invocations: u32 = entry.workgroup_size.iter().product();
        assert!(invocations <= caps.max_invocations, "{label}: {invocations} invocations");
    }
    let most = dispatch.grid.iter().max().copied().unwrap_or(0);
    assert!(most <= caps.max_workgroups, "{label}: {most} workgroups in a line");
}

#[test]
fn every_variant_assembles_to_what_its_lowering_says() {
    let mut used = BTreeSet::new();
    for caps in [Caps::portable(), Caps::portable_software()] {
        for family in LIST {
            for case in family.cases() {
                let outputs = case.op.output(&case.inputs).unwrap();
                let io = Io { inputs: &case.inputs, outputs: &outputs, caps: &caps };
                for variant in case.op.variants(&case.inputs, &caps) {
                    let label = format!("{}/{variant}/{}", family.name(), case.name);
                    for dispatch in case.op.lower(&variant, &io).dispatches {
                        check_dispatch(&dispatch, &label, &caps);
                        let text = shader::assemble(&dispatch.kernel).unwrap();
                        let parts = text.lines().filter_map(|l| l.strip_prefix("// use: "));
                        used.extend(parts.map(|name| name.trim().to_string()));
                        used.insert(dispatch.kernel.shader.clone());
                    }
                }
            }
        }
    }
    let unused: Vec<_> = shader::names()
        .filter(|n| !n.starts_with("common/") && !n.starts_with("peak/"))
        .filter(|n| !n.ends_with("/operands") && !used.contains(*n))
        .collect();
    assert_eq!(unused, Vec::<&str>::new(), "no variant uses these files");
}
