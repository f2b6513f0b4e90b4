//! Storage variables that hold f16, under kernels that compute in f32.

use crate::tensor::DType;

use super::storage::{Kept, Variable};

/// The same shader with each of `halves`, a storage variable and its type, as an array of f16: what is read becomes
/// f32, what is written f16. Nothing else of the text changes.
///
/// # Errors
/// Says which variable is no array of f32, or is used otherwise than element by element.
pub(super) fn store_halves(
    mut text: String,
    halves: &[(&'static str, DType)],
) -> Result<String, String> {
    for &(name, dtype) in halves {
        let variable = Variable::named(&text, name)
            .ok_or_else(|| format!("no storage variable {name} that is an array"))?;
        let kept = match variable.element_type() {
            "f32" => "f16",
            "vec4<f32>" => "vec4<f16>",
            // The kernel takes f16 as they are.
            "f16" | "vec4<f16>" => continue,
            other => return Err(format!("{name} is an array of {other}, not of f32")),
        };
        text = variable.kept(&converted(kept, variable.element, dtype.scale()))?;
    }
    Ok(if halves.is_empty() { text } else { format!("enable f16;\n{text}") })
}

/// Elements kept as f16, multiplied by `scale`.
fn converted(as_type: &'static str, element: &str, scale: f32) -> Kept {
    if scale == 1.0 {
        let around = |of: &str| [format!("{of}("), ")".to_string()];
        return Kept { as_type, read: around(element), written: around(as_type) };
    }
    let read = [format!("({element}("), format!(") * {:?})", 1.0 / scale)];
    Kept { as_type, read, written: [format!("{as_type}(("), format!(") * {scale:?})")] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHADER: &str = "alias T = vec4<f32>;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// x[0] stays.
fn first(x: mat4x4<f32>) -> vec4<f32> { return x[0]; }
fn main() {
    let i = u32(x[2].y);
    y[i] = x[u32(y[i + 1u])].x;
    y[i] += 1.0;
    if y[i] == 2.0 { let y = x[i]; use(y[1]); }
    y[i] = 3.0;
}
";

    #[test]
    fn elements_are_converted_where_they_are_read_and_written() {
        let plain = store_halves(SHADER.into(), &[("x", DType::F16)]).unwrap();
        assert!(plain.starts_with("enable f16;\n"));
        assert!(plain.contains("read> x: array<vec4<f16>>;"));
        assert!(plain.contains("// x[0] stays.") && plain.contains("return x[0]; }"), "{plain}");
        assert!(plain.contains("let i = u32(T(x[2]).y);"), "{plain}");
        let scaled = store_halves(SHADER.into(), &[("y", DType::ScaledF16)]).unwrap();
        let read = |place: &str| format!("(f32({place}) * 0.0009765625)");
        for expected in [
            "y: array<f16>;".to_string(),
            format!("y[i] = f16((x[u32({})].x) * 1024.0);", read("y[i + 1u]")),
            format!("y[i] = f16(({} + (1.0)) * 1024.0);", read("y[i]")),
            format!("if {} == 2.0 {{ let y = x[i]; use(y[1]); }}", read("y[i]")),
            "y[i] = f16((3.0) * 1024.0);".to_string(),
        ] {
            assert!(scaled.contains(&expected), "{expected} in {scaled}");
        }
    }

    #[test]
    fn what_cannot_be_converted_is_refused() {
        let of = |text: &str, name| store_halves(text.into(), &[(name, DType::F16)]).unwrap_err();
        let shader = |rest: &str| format!("var<storage, read_write> y: array<vec4<f32>>;\n{rest}");
        assert!(of(SHADER, "z").contains("no storage variable z"));
        assert!(of("var<storage, read> i: array<u32>;", "i").contains("array of u32"));
        assert!(of(&shader("fn f() { y[0].x = 1.0; }"), "y").contains("component of y"));
        assert!(of(&shader("fn f() { g(y); }"), "y").contains("as a whole"));
    }
}
