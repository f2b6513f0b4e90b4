//! Takes comments and indentation out of shaders. The build script includes this file: a page's shaders have none.

/// What assembly reads, though it looks like a comment.
const MARKS: [&str; 4] = ["// unroll", "// hook: ", "// use: ", "// end"];

/// The text without comments, indentation and empty lines, but for what assembly reads.
pub(crate) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let is_mark = MARKS.iter().any(|mark| line.trim_start().starts_with(mark));
        let code = if is_mark { line } else { line.split("//").next().unwrap_or_default() };
        if !code.trim().is_empty() {
            out += code.trim();
            out.push('\n');
        }
    }
    out
}
