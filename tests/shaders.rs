//! Every shader file is valid WGSL by itself, every variant of every case assembles to valid WGSL whose
//! bindings and workgroup memory are what the lowering says, and no file is unused.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fathom::gpu::shader;
use fathom::kernel::{Caps, Dispatch, Kernel, Word};
use fathom::op::{Case, LIST};
use halves::in_halves;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use rayon::prelude::*;

#[path = "common/halves.rs"]
mod halves;

fn validate(text: &str, name: &str) -> naga::Module {
    let module = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    let capabilities = Capabilities::SUBGROUP
        | Capabilities::SHADER_FLOAT16
        | Capabilities::SHADER_INT64
        | Capabilities::COOPERATIVE_MATRIX;
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

/// The members of `struct Params` and what the lowering gives them: names and types, in order.
fn check_params(
    module: &naga::Module,
    ty: naga::Handle<naga::Type>,
    dispatch: &Dispatch,
    label: &str,
) {
    let naga::TypeInner::Struct { members, .. } = &module.types[ty].inner else {
        panic!("{label}: params are no struct");
    };
    assert_eq!(members.len(), dispatch.params.len(), "{label}: members of struct Params");
    for (member, param) in members.iter().zip(&dispatch.params) {
        assert_eq!(member.name.as_deref(), Some(param.name), "{label}: a member of struct Params");
        let scalar = match param.word {
            Word::U32(_) => naga::Scalar::U32,
            Word::F32(_) => naga::Scalar::F32,
        };
        assert_eq!(
            module.types[member.ty].inner,
            naga::TypeInner::Scalar(scalar),
            "{label}: the type of {}",
            param.name
        );
    }
}

/// A dispatch, what to call it in a complaint, and the device that it was lowered for.
type Asked<'a> = (Dispatch, String, &'a Caps);

fn check_dispatch(module: &naga::Module, (dispatch, label, caps): &Asked) {
    let mut declared = BTreeMap::new();
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let mut shared = 0;
    for (_, variable) in module.global_variables.iter() {
        let size = layouter[variable.ty].size;
        match (variable.space, &variable.binding) {
            (naga::AddressSpace::Storage { access }, Some(at)) => {
                assert_eq!(at.group, 0, "{label}: storage belongs in group 0");
                let write = access.contains(naga::StorageAccess::STORE);
                let name = variable.name.clone().unwrap_or_default();
                declared.insert(at.binding as usize, (name, write));
            }
            (naga::AddressSpace::Uniform, Some(at)) => {
                assert_eq!((at.group, at.binding), (1, 0), "{label}: params belong in group 1");
                assert_eq!(
                    size as usize,
                    dispatch.params.len() * 4,
                    "{label}: struct Params and the lowering's words differ"
                );
                check_params(module, variable.ty, dispatch, label);
            }
            (naga::AddressSpace::WorkGroup, _) => shared += size,
            _ => {}
        }
    }
    let bound = dispatch.bindings.iter().enumerate();
    let bound = bound.map(|(at, binding)| (at, (binding.name.to_string(), binding.write)));
    assert_eq!(declared, bound.collect::<BTreeMap<_, _>>(), "{label}: bindings");
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
    // By text: reading one takes longer than all else, and many cases and devices have it in common.
    let mut kernels = HashMap::<String, Vec<Asked>>::new();
    let devices = [Caps::portable(), Caps::portable_software(), Caps::portable_matrices()];
    for caps in &devices {
        // Matrices are of halves, and what else computes these is the same as of singles.
        let in_halves = |case: Case| in_halves(&case).filter(|_| caps.matrices.is_some());
        for family in LIST {
            let singles = family.cases().into_iter().filter(|_| caps.matrices.is_none());
            for case in singles.chain(family.cases().into_iter().filter_map(in_halves)) {
                let problem = case.problem();
                for variant in problem.variants(caps) {
                    if caps.matrices.is_some() && variant.name != "matrices" {
                        continue;
                    }
                    let label = format!("{}/{variant}/{}", family.name(), case.name);
                    for dispatch in problem.lower(&variant, caps).dispatches {
                        let text = shader::assemble_for(&dispatch.kernel, caps).unwrap();
                        let parts = text.lines().filter_map(|l| l.strip_prefix("// use: "));
                        used.extend(parts.map(|name| name.trim().to_string()));
                        used.insert(dispatch.kernel.shader.clone());
                        let asked = (dispatch, label.clone(), caps);
                        kernels.entry(text).or_default().push(asked);
                    }
                }
            }
        }
    }
    kernels.par_iter().for_each(|(text, asked)| {
        let module = validate(text, &asked[0].1);
        asked.iter().for_each(|asked| check_dispatch(&module, asked));
    });
    let unused: Vec<_> = shader::names()
        .filter(|n| !n.starts_with("common/") && !n.starts_with("peak/"))
        .filter(|n| !n.ends_with("/operands") && !used.contains(*n))
        .collect();
    assert_eq!(unused, Vec::<&str>::new(), "no variant uses these files");
}
