//! Loops that are tested at their ends, for Mesa's llvmpipe.
//!
//! It runs lanes side by side under a mask. Where a loop is tested first, as `for` and `while` are, the turn in which the last
//! lane leaves runs the rest of the body once more, for no lane. Tested last, a loop runs as many bodies as it has turns.
//! Compilers know this as loop rotation; those of GPUs do it themselves (`docs/kernels-log.md`, "Loops tested last on
//! lavapipe").

use super::unroll::matching;

const MARK: &str = "// unroll\n";

/// The same shader with every loop as `if C { loop { BODY STEP if !C { break; } } }`, line for line: all but loops that are
/// marked, which are repeated as text, those that `continue`, which would skip the step and the test, and those with products of
/// matrices, which naga takes behind no branch that lanes may take apart.
pub(super) fn rotate(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = next(rest) {
        let Loop { at, head, open, close } = found;
        let body = &rest[open + 1..close];
        let marked = rest[..at].trim_end_matches(' ').ends_with(MARK);
        let stays =
            marked || ["continue", "coopMultiplyAdd"].iter().any(|word| body.contains(word));
        let parts = Parts::of(head).filter(|_| !stays);
        let inner = rotate(body);
        out += &rest[..at];
        match parts {
            Some(Parts { first, test, step }) => {
                out += &format!("{{ {first}if {test} {{ loop {{ {{{inner}}} ");
                out += &format!("{step}if !({test}) {{ break; }} }} }} }}");
            }
            None => out += &format!("{}{inner}}}", &rest[at..=open]),
        }
        rest = &rest[close + 1..];
    }
    out + rest
}

/// A loop in a text: its head lies from `at` to the brace at `open`, its body ends at `close`.
struct Loop<'a> {
    at: usize,
    head: &'a str,
    open: usize,
    close: usize,
}

/// The first `for` or `while` of a text.
fn next(text: &str) -> Option<Loop<'_>> {
    let begins =
        |word: &str| text.match_indices(word).map(|(at, _)| at).find(|&at| is_code(text, at));
    let at = [begins("for ("), begins("while ")].into_iter().flatten().min()?;
    let open = at + text[at..].find('{')?;
    let close = open + matching(&text[open..])?;
    Some(Loop { at, head: text[at..open].trim(), open, close })
}

/// Whether a word starts here, and no comment before it on its line.
fn is_code(text: &str, at: usize) -> bool {
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    !line.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && !line.contains("//")
}

/// What a loop does before its first turn, asks before each, and does after it: statements, or nothing.
struct Parts<'a> {
    first: String,
    test: &'a str,
    step: String,
}

impl<'a> Parts<'a> {
    fn of(head: &'a str) -> Option<Self> {
        if let Some(test) = head.strip_prefix("while ") {
            return Some(Self { first: String::new(), test, step: String::new() });
        }
        let parts = head.strip_prefix("for (")?.strip_suffix(')')?;
        let [first, test, step] =
            parts.split(';').map(str::trim).collect::<Vec<_>>().try_into().ok()?;
        let statement = |text: &str| match text {
            "" => String::new(),
            text => format!("{text}; "),
        };
        (!test.is_empty()).then(|| Self { first: statement(first), test, step: statement(step) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_tested_last_line_for_line() {
        let shader = "fn main() {
    for (var k = tile.k; k < end; k += 4u) {
        // unroll
        for (var i = 0u; i < 4u; i++) { x += y[k + i]; }
        while wait(k) { more(); } // for (all) while it lasts
    }
    for (; r < end;) { r = next(r); }
}
";
        let rotated = "fn main() {
    { var k = tile.k; if k < end { loop { {
        // unroll
        for (var i = 0u; i < 4u; i++) { x += y[k + i]; }
        { if wait(k) { loop { { more(); } if !(wait(k)) { break; } } } } // for (all) while it lasts
    } k += 4u; if !(k < end) { break; } } } }
    { if r < end { loop { { r = next(r); } if !(r < end) { break; } } } }
}
";
        assert_eq!(rotate(shader), rotated);
    }

    #[test]
    fn loops_that_continue_and_those_without_a_test_or_of_matrices_stay() {
        for shader in [
            "for (var k = 0u; k < n; k++) { c = coopMultiplyAdd(a, b, c); }",
            "for (var i = 0u; i < n; i++) { if skip(i) { continue; } s += x[i]; }",
            "for (var i = 0u; ; i++) { if i > n { break; } }",
            "let before (x) { } // fn therefor (x) { }",
        ] {
            assert_eq!(rotate(shader), shader);
        }
    }
}
