//! Repeats marked loops as text.

use std::collections::HashMap;

/// Repeats the body of every `// unroll` + `for (var i = A; i < B; i++) {` loop, where A and B are
/// sums, products and quotients of unsigned literals and top-level constants.
///
/// The loop variable becomes a literal, so inner marked loops and array indices see constants.
pub(super) fn unroll(text: &str) -> Result<String, String> {
    let constants = constants(text);
    expand(text, &constants)
}

fn expand(text: &str, constants: &HashMap<String, u32>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = rest.find("// unroll\n") {
        out.push_str(&rest[..mark]);
        let after = &rest[mark + "// unroll\n".len()..];
        let open = after.find('{').ok_or("no loop follows // unroll")?;
        let head = after[..open].trim();
        let close = open + matching(&after[open..]).ok_or("unbalanced braces under // unroll")?;
        let body = &after[open + 1..close];
        let (name, from, to) =
            bounds(head, constants).ok_or_else(|| format!("cannot unroll `{head}`"))?;
        for i in from..to {
            let turn = substitute(body, &name, &format!("{i}u"));
            out.push('{');
            out.push_str(&expand(&turn, constants)?);
            out.push_str("}\n");
        }
        rest = &after[close + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Position of the brace that closes the one `text` starts with.
pub(super) fn matching(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `for (var i = A; i < B; i++)` as (i, A, B).
fn bounds(head: &str, constants: &HashMap<String, u32>) -> Option<(String, u32, u32)> {
    let inner = head.strip_prefix("for")?.trim();
    let inner = inner.strip_prefix('(')?.strip_suffix(')')?;
    let mut parts = inner.split(';').map(str::trim);
    let (name, from) = parts.next()?.strip_prefix("var ")?.split_once('=')?;
    let name = name.split(':').next()?.trim().to_string();
    let to = parts.next()?.strip_prefix(&name)?.trim().strip_prefix('<')?;
    let step = parts.next()?.replace(' ', "");
    let unit = step == format!("{name}++") || step == format!("{name}+=1u");
    unit.then_some((name, value(from, constants)?, value(to, constants)?))
}

/// Top-level `const NAME: u32 = ...;` values, in order of declaration.
fn constants(text: &str) -> HashMap<String, u32> {
    let mut constants = HashMap::new();
    for line in text.lines().filter_map(|l| l.strip_prefix("const ")) {
        let Some((left, right)) = line.split_once('=') else {
            continue;
        };
        let name = left.split(':').next().unwrap_or(left).trim().to_string();
        let right = right.split(';').next().unwrap_or(right);
        if let Some(v) = value(right, &constants) {
            constants.insert(name, v);
        }
    }
    constants
}

/// The value of sums and products, with brackets.
fn value(text: &str, constants: &HashMap<String, u32>) -> Option<u32> {
    let text: String = text.split_whitespace().collect();
    let mut rest = text.as_str();
    let value = sum(&mut rest, constants)?;
    rest.is_empty().then_some(value)
}

fn sum(rest: &mut &str, constants: &HashMap<String, u32>) -> Option<u32> {
    let mut sum = product(rest, constants)?;
    while let Some(sign) = operator(rest, "+-") {
        let next = product(rest, constants)?;
        sum = if sign == '+' { sum.checked_add(next)? } else { sum.checked_sub(next)? };
    }
    Some(sum)
}

fn product(rest: &mut &str, constants: &HashMap<String, u32>) -> Option<u32> {
    let mut product = factor(rest, constants)?;
    while let Some(sign) = operator(rest, "*/%") {
        let next = factor(rest, constants)?;
        product = match sign {
            '*' => product.checked_mul(next)?,
            '/' => product.checked_div(next)?,
            _ => product.checked_rem(next)?,
        };
    }
    Some(product)
}

/// A number, a constant, or a sum in brackets.
fn factor(rest: &mut &str, constants: &HashMap<String, u32>) -> Option<u32> {
    if operator(rest, "(").is_some() {
        let value = sum(rest, constants)?;
        return operator(rest, ")").map(|_| value);
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (atom, behind) = rest.split_at(end);
    *rest = behind;
    atom.strip_suffix('u').unwrap_or(atom).parse().ok().or_else(|| constants.get(atom).copied())
}

/// Takes one of these signs off the front.
fn operator(rest: &mut &str, signs: &str) -> Option<char> {
    let sign = rest.chars().next().filter(|sign| signs.contains(*sign))?;
    *rest = &rest[1..];
    Some(sign)
}

/// Replaces whole-word occurrences of `name`.
fn substitute(text: &str, name: &str, by: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (place, _) in text.match_indices(name) {
        let before = text[..place].chars().next_back();
        let after = text[place + name.len()..].chars().next();
        let member = before == Some('.');
        if place >= at && !before.is_some_and(word) && !after.is_some_and(word) && !member {
            out.push_str(&text[at..place]);
            out.push_str(by);
            at = place + name.len();
        }
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_loops_become_text() {
        let text = "const N: u32 = 4u;\nconst H: u32 = N / 2u;\n// unroll\nfor (var i = 0u; i < H; i++) {\n// unroll\nfor (var j = 1u; j < 1u + 1u; j++) { a[i] += b.i[j]; }\n}\n";
        let out = unroll(text).unwrap();
        let flat: String = out.split_whitespace().collect();
        assert!(flat.ends_with("{{a[0u]+=b.i[1u];}}{{a[1u]+=b.i[1u];}}"), "{flat}");
    }

    #[test]
    fn constants_follow_from_others() {
        let known = constants(
            "const A: u32 = 7u;\nconst B: u32 = (A + 3u) / 4u * 4u;\nconst C: u32 = B - A % 4u;\nconst D: f32 = 0.5;\n",
        );
        let expected = [("A", 7), ("B", 8), ("C", 5)].map(|(name, v)| (name.to_string(), v));
        assert_eq!(known, HashMap::from(expected));
        for wrong in ["A - 8u", "(A", "A)", "A +", "A / 0u", "min(A, 3u)", "E", ""] {
            assert_eq!(value(wrong, &known), None, "{wrong}");
        }
    }

    #[test]
    fn a_loop_that_cannot_be_unrolled_is_an_error() {
        let error = unroll("// unroll\nfor (var i = 0u; i < n; i++) {}").unwrap_err();
        assert!(error.contains("i < n"));
    }
}
