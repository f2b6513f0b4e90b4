//! Storage variables that hold f16, under kernels that compute in f32.

use crate::tensor::DType;

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
        if let Some(variable) = Variable::of(&text, name, dtype.scale())? {
            text = variable.stored(&text)?;
        }
    }
    Ok(if halves.is_empty() { text } else { format!("enable f16;\n{text}") })
}

/// A storage variable that is to hold f16.
struct Variable<'a> {
    name: &'a str,
    /// What its values are multiplied by where they are kept.
    scale: f32,
    /// What an element is to the kernel: `f32`, `vec4<f32>`, or an alias of one of them.
    element: String,
    /// What it is kept as: `f16` or `vec4<f16>`.
    kept: &'static str,
    /// Where the text has the element's type.
    at: usize,
}

impl<'a> Variable<'a> {
    /// Nothing where the kernel takes f16 as they are.
    fn of(text: &str, name: &'a str, scale: f32) -> Result<Option<Self>, String> {
        let begin = ["read", "read_write"].iter().find_map(|access| {
            let declaration = format!("var<storage, {access}> {name}: array<");
            text.find(&declaration).map(|at| at + declaration.len())
        });
        let end = |at: usize| text[at..].find(">;").map(|length| at + length);
        let Some((at, end)) = begin.and_then(|at| Some((at, end(at)?))) else {
            return Err(format!("no storage variable {name} that is an array"));
        };
        let element = text[at..end].to_string();
        let kept = match aliased(text, &element) {
            "f32" => "f16",
            "vec4<f32>" => "vec4<f16>",
            "f16" | "vec4<f16>" => return Ok(None),
            other => return Err(format!("{name} is an array of {other}, not of f32")),
        };
        Ok(Some(Self { name, scale, element, kept, at }))
    }

    fn stored(&self, text: &str) -> Result<String, String> {
        let (before, behind) = (&text[..self.at], &text[self.at + self.element.len()..]);
        Ok([&self.converted(before)?, self.kept, &self.converted(behind)?].concat())
    }

    /// Some text with its elements converted where they are read and written.
    fn converted(&self, mut text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len() * 9 / 8);
        let mut scopes = Scopes::default();
        while !text.is_empty() {
            let (word, behind) = text.split_at(token(text));
            let of_this = word == self.name && !out.ends_with('.');
            let hidden = scopes.see(word, of_this, behind.starts_with(':'));
            if of_this && !hidden {
                if behind.starts_with('[') {
                    let (element, rest) = self.element(behind)?;
                    out.push_str(&element);
                    text = rest;
                    continue;
                }
                if !behind.starts_with(':') && !out.ends_with('&') {
                    return Err(format!("{} is used as a whole", self.name));
                }
            }
            out.push_str(word);
            text = behind;
        }
        Ok(out)
    }

    /// An element that is read, or the statement that writes it; and the text behind. The variable's name is before
    /// `text`.
    fn element<'t>(&self, text: &'t str) -> Result<(String, &'t str), String> {
        let end = closing(text).ok_or("brackets that do not close")?;
        let place = format!("{}[{}]", self.name, self.converted(&text[1..end])?);
        let behind = &text[end + 1..];
        let read = match self.scale {
            1.0 => format!("{}({place})", self.element),
            scale => format!("({}({place}) * {:?})", self.element, 1.0 / scale),
        };
        let assigned = behind.trim_start();
        let sign = assigned.split('=').next().unwrap_or_default();
        if !matches!(sign, "" | "+" | "-" | "*" | "/") || assigned.starts_with("==") {
            let component = assigned.strip_prefix('.').map(|rest| &rest[token(rest)..]);
            if component.is_some_and(|rest| rest.starts_with(" = ") || rest.starts_with(" += ")) {
                return Err(format!("a component of {} is written", self.name));
            }
            return Ok((read, behind));
        }
        let value = &assigned[sign.len() + 1..];
        let end = value.find(';').ok_or("a statement that does not end")?;
        let (value, rest) = (self.converted(value[..end].trim())?, &value[end..]);
        let value = if sign.is_empty() { value } else { format!("{read} {sign} ({value})") };
        let value = match self.scale {
            1.0 => value,
            scale => format!("({value}) * {scale:?}"),
        };
        Ok((format!("{place} = {}({value})", self.kept), rest))
    }
}

/// Where a name stands for something else than the storage variable: from a declaration of its own to the end of the
/// block, or of the function whose parameter it is.
#[derive(Default)]
struct Scopes {
    braces: usize,
    parentheses: usize,
    declares: bool,
    /// The braces within which the name is another's.
    hidden: Option<usize>,
}

impl Scopes {
    /// Goes on by a token, which may be the name, and before a colon; tells whether the name is another's there.
    fn see(&mut self, word: &str, of_this: bool, before_colon: bool) -> bool {
        let parameter = before_colon && self.braces == 0 && self.parentheses > 0;
        if of_this && (self.declares || parameter) {
            self.hidden = Some(self.hidden.unwrap_or(self.braces + usize::from(parameter)));
            return true;
        }
        match word {
            "{" => self.braces += 1,
            "}" => {
                self.braces = self.braces.saturating_sub(1);
                self.hidden = self.hidden.filter(|braces| self.braces >= *braces);
            }
            "(" => self.parentheses += 1,
            ")" => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
        if !word.trim().is_empty() {
            self.declares = matches!(word, "let" | "var" | "const");
        }
        self.hidden.is_some()
    }
}

/// The length of the first token: a word, a comment, or a single character.
fn token(text: &str) -> usize {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.chars().next() {
        Some(c) if of_word(c) => text.find(|c| !of_word(c)).unwrap_or(text.len()),
        _ if text.starts_with("//") => text.find('\n').unwrap_or(text.len()),
        Some(c) => c.len_utf8(),
        None => 0,
    }
}

/// Where the bracket that `text` begins with closes.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '[' => open += 1,
            ']' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(at)
    })
}

/// What an alias stands for; itself, where it is none.
fn aliased<'t>(text: &'t str, name: &'t str) -> &'t str {
    let declaration = format!("alias {name} = ");
    let value = |line: &'t str| line.strip_prefix(&declaration)?.split(';').next();
    text.lines().find_map(value).unwrap_or(name)
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
