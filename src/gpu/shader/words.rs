//! Vectors of f32 in storage as pairs of 64-bit integers.
//!
//! Mesa's llvmpipe loads and stores lane by lane, and word by word: a lane costs some ten instructions, and each word eight
//! more. With 64-bit words half as many bring the same vector (`docs/kernels-log.md`, "What a load costs on lavapipe").

use super::storage::{Kept, Variable};

/// From pairs and to them.
const CONVERSIONS: &str = "\
fn of_words(x: vec2<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(u32(x.x), u32(x.x >> 32u), u32(x.y), u32(x.y >> 32u)));
}
fn as_words(value: vec4<f32>) -> vec2<u64> {
    let x = bitcast<vec4<u32>>(value);
    return vec2<u64>(u64(x.x) | (u64(x.y) << 32u), u64(x.z) | (u64(x.w) << 32u));
}
";

/// The same shader with every array of `vec4<f32>` in storage as one of pairs of 64-bit integers, bit for bit, except for
/// those of which single components are written.
pub(super) fn by_words(text: String) -> String {
    let around = |of: &str| [format!("{of}("), ")".to_string()];
    let kept = Kept { as_type: "vec2<u64>", read: around("of_words"), written: around("as_words") };
    let mut out = text.clone();
    for name in names(&text) {
        let variable = Variable::named(&out, name).filter(|v| v.element_type() == "vec4<f32>");
        if let Some(Ok(converted)) = variable.map(|variable| variable.kept(&kept)) {
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
fn main() {
    var x_of: array<vec4<f32>, 2>;
    y[ids[1u]] = x[u32(y[0u].x)] + x_of[0u];
    z[0u].x = 1.0;
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
            "y[ids[1u]] = as_words(of_words(x[u32(of_words(y[0u]).x)]) + x_of[0u]);",
            "    z[0u].x = 1.0;",
            "fn of_words(x: vec2<u64>)",
        ] {
            assert!(words.contains(expected), "{expected} in {words}");
        }
        let plain = "var<storage, read> ids: array<u32>;\n";
        assert_eq!(by_words(plain.into()), plain);
    }
}
