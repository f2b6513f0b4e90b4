//! Operands longer than a binding: a product binds such a one as two ranges, and its kernel takes an element from the
//! range that has it.

use crate::kernel::{Caps, Dispatch, Operand};
use crate::tensor::TensorSpec;

/// What kernels call an operand, and the second range of it.
const NAMES: [(&str, &str); 3] = [("b", "b1"), ("x", "x1"), ("c", "c1")];

/// One of two ranges as the shader sees it.
struct Bound {
    name: &'static str,
    binding: usize,
}

/// The same dispatch with what is too long for one binding bound by two. `inputs` are the product's, and `c` is what it makes
/// if no epilogue is applied to it; `wide` if its rows are whole vec4s.
pub(super) fn in_ranges(
    mut dispatch: Dispatch,
    inputs: &[TensorSpec],
    c: Option<&TensorSpec>,
    wide: bool,
    caps: &Caps,
) -> Dispatch {
    for (name, second) in NAMES {
        let Some(at) = dispatch.bindings.iter().position(|binding| binding.name == name) else {
            continue;
        };
        let whole = dispatch.bindings[at];
        let spec = match whole.operand {
            Operand::Input(input) => Some(&inputs[input]),
            Operand::Output(_) => c,
            Operand::Scratch(_) => None,
        };
        let Some(spec) = spec.filter(|spec| spec.bytes() > caps.max_binding) else {
            continue;
        };
        let most = caps.most_elements(spec.dtype);
        let bound = [at, dispatch.bindings.len()];
        dispatch.bindings[at] = whole.range(0, most);
        dispatch = dispatch.bind(second, whole.range(most, spec.len() - most));
        let bound = [(name, bound[0]), (second, bound[1])];
        let bound = bound.map(|(name, binding)| Bound { name, binding });
        let (hook, text) = match name {
            "c" => ("store", store(&bound, most, wide)),
            _ => ("operand", load(&bound, most, name, is_wide(&dispatch, name))),
        };
        dispatch.kernel.hooks.retain(|(name, _)| *name != hook);
        dispatch.kernel = dispatch.kernel.with_hook(hook, text);
    }
    dispatch
}

/// Whether a kernel reads an operand four elements at a time.
fn is_wide(dispatch: &Dispatch, name: &str) -> bool {
    let constant = if name == "x" { "WIDE_X" } else { "WIDE_B" };
    dispatch.kernel.consts.iter().any(|(name, value)| *name == constant && value == "true")
}

fn declared(bound: &[Bound; 2], access: &str, element: &str) -> String {
    let declare = |Bound { name, binding }: &Bound| {
        format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;\n")
    };
    bound.iter().map(declare).collect()
}

/// `NAME_at` over ranges of which the first has `most` elements.
fn load(bound: &[Bound; 2], most: usize, name: &str, wide: bool) -> String {
    let element = if name == "x" { "ElementX" } else { "ElementB" };
    let (first, [Bound { name: near, .. }, Bound { name: far, .. }]) =
        (if wide { most / 4 } else { most }, bound);
    declared(bound, "read", element)
        + &format!(
            "fn {name}_at(i: u32) -> {element} {{
    if i < {first}u {{ return {near}[i]; }}
    return {far}[i - {first}u];
}}\n"
        )
}

/// `store` over such ranges, of a product without an epilogue.
fn store(bound: &[Bound; 2], most: usize, wide: bool) -> String {
    let (element, first) = if wide { ("vec4<f32>", most / 4) } else { ("f32", most) };
    let [Bound { name: near, .. }, Bound { name: far, .. }] = bound;
    let one = format!(
        "fn store_one(i: u32, x: {element}) {{
    if i < {first}u {{ {near}[i] = x; }} else {{ {far}[i - {first}u] = x; }}
}}\n"
    );
    let four = if wide {
        "fn store(i: u32, x: vec4<f32>, left: u32) { store_one(i / 4u, x); }\n"
    } else {
        "fn store(i: u32, x: vec4<f32>, left: u32) {
    store_one(i, x.x);
    if left > 1u { store_one(i + 1u, x.y); }
    if left > 2u { store_one(i + 2u, x.z); }
    if left > 3u { store_one(i + 3u, x.w); }
}\n"
    };
    declared(bound, "read_write", element) + &one + four
}
