//! Vectors of 32-bit values in storage as pairs of 64-bit integers.
//!
//! Mesa's llvmpipe loads and stores lane by lane, and word by word: a lane costs some ten instructions, and each word eight
//! more. With 64-bit words half as many bring the same vector (`docs/kernels-log.md`, "Vectors as 64-bit integers on lavapipe").

use super::storage::{Kept, Variable};

/// From pairs and to them.
const CONVERSIONS: &str = "\
fn of_words(x: vec2<u64>) -> vec4<u32> {
    return vec4<u32>(u32(x.x), u32(x.x >> 32u), u32(x.y), u32(x.y >> 32u));
}
fn as_words(x: vec4<u32>) -> vec2<u64> {
    return vec2<u64>(u64(x.x) | (u64(x.y) << 32u), u64(x.z) | (u64(x.w) << 32u));
}
";

/// The same shader with every array of `vec4<f32>` or `vec4<u32>` in storage as one of pairs of 64-bit integers, bit for bit,
/// except for those of which single components are written.
pub(super) fn by_words(text: String) -> String {
    let mut out = text.clone();
    for name in names(&text) {
        let Some(variable) = Variable::named(&out, name) else { continue };
        let (read, written) = match variable.element_type() {
            "vec4<u32>" => (["of_words(", ")"], ["as_words(", ")"]),
            "vec4<f32>" => {
                (["bitcast<vec4<f32>>(of_words(", "))"], ["as_words(bitcast<vec4<u32>>(", "))"])
            }
            _ => continue,
        };
        let [read, written] = [read, written].map(|around| around.map(String::from));
        let kept = Kept { as_type: "vec2<u64>", read, written };
        if let Ok(converted) = variable.kept(&kept) {
            out = converted;
        }
    }
    if out == text { out } else { out + CONVERSIONS }
}

/// The names of all storage variables.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("var<storage, ")
        .skip(1)
        .filter_map(|rest| rest.split_once("> ")?.1.split(':').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_in_storage_become_pairs_and_all_else_stays() {
        let shader = "enable f16;
alias T = vec4<f32>;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>; // [B, H]
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> z: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> keys: array<vec4<u32>>;
fn main() {
    var x_of: array<vec4<f32>, 2>;
    let n = y[0u].x;
    y[ids[1u]] = x[u32(n)] + x_of[0u];
    z[0u].x = 1.0;
    keys[0u] = keys[1u];
}
";
        let words = by_words(shader.into());
        assert!(words.starts_with("enable f16;\n"), "{words}");
        for expected in [
            "x: array<vec2<u64>>;",
            "y: array<vec2<u64>>; // [B, H]",
            "z: array<vec4<f32>>;",
            "ids: array<u32>;",
            "var x_of: array<vec4<f32>, 2>;",
            "let n = bitcast<vec4<f32>>(of_words(y[0u])).x;",
            "y[ids[1u]] = as_words(bitcast<vec4<u32>>(bitcast<vec4<f32>>(of_words(x[u32(n)])) + x_of[0u]));",
            "keys[0u] = as_words(of_words(keys[1u]));",
            "    z[0u].x = 1.0;",
            "fn of_words(x: vec2<u64>)",
        ] {
            assert!(words.contains(expected), "{expected} in {words}");
        }
        let plain = "var<storage, read> ids: array<u32>;\n";
        assert_eq!(by_words(plain.into()), plain);
    }
}
