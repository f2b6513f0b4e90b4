//! From a kernel's description to WGSL text: shared files, constants, hooks, unrolled loops.
//!
//! Every file under `shaders/` is valid WGSL on its own, so assembly is plain text replacement:
//! - `// use: common/philox` lines name shared files, which are prepended, once each;
//! - `const NAME ... = value;` and `alias NAME = type;` at the top level, those of shared files included,
//!   get another right-hand side;
//! - `enable` lines come first;
//! - a `// hook: NAME` ... `// end` block is replaced as a whole;
//! - `var<storage, read> NAME:` becomes `read_write`, where its buffer is written as well;
//! - an array of f32 becomes one of f16, and one of vectors of 32-bit values one of 64-bit integers, whose elements are
//!   converted as they are read and written;
//! - for llvmpipe loops are tested last;
//! - a `for` loop with constant bounds under `// unroll` is repeated as text, since naga passes loops to
//!   drivers as they are and not all of them unroll: an array indexed by the loop variable then leaves the
//!   registers.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::host;
use crate::kernel::{Caps, HALVES, Kernel};

mod comments;
mod half;
mod rotate;
mod storage;
mod unroll;
mod words;

pub(crate) use comments::without_comments;

include!(concat!(env!("OUT_DIR"), "/shaders.rs"));

/// The names of all shader files.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHADERS.iter().map(|(name, _)| *name)
}

/// The folder that shaders are read from in place of those compiled in; an empty name is none.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os("FATHOM_SHADERS").filter(|name| !name.is_empty()).map(PathBuf::from)
}

/// Whether shaders are read from a folder, not those compiled in.
pub fn is_replaced() -> bool {
    folder().is_some()
}

/// The text of a shader file: from `$FATHOM_SHADERS` if that is set, so that a shader can be edited
/// without compiling, else the one compiled in.
///
/// # Errors
/// [`Error::Internal`] for an unknown name, [`Error::Io`] for an unreadable file.
pub fn source(name: &str) -> Result<Cow<'static, str>> {
    if let Some(folder) = folder() {
        let path = folder.join(format!("{name}.wgsl"));
        return Ok(Cow::Owned(host::read_text(&path)?));
    }
    match SHADERS.iter().find(|(n, _)| *n == name) {
        Some((_, text)) => Ok(Cow::Borrowed(text)),
        None => Err(Error::Internal(format!("no shader named {name}"))),
    }
}

/// The WGSL of a kernel.
///
/// # Errors
/// [`Error::Internal`] where a constant, hook or file does not exist; of a folder [`Error::Shader`], [`Error::Io`].
pub fn assemble(kernel: &Kernel) -> Result<String> {
    unrolled(kernel, &assemble_rolled(kernel)?)
}

/// The WGSL of a kernel as a device of these abilities is given it.
///
/// # Errors
/// As [`assemble`].
pub fn assemble_for(kernel: &Kernel, caps: &Caps) -> Result<String> {
    let text = assemble_rolled(kernel)?;
    let text = if caps.int64 { words::by_words(text) } else { text };
    unrolled(kernel, &if caps.llvmpipe { rotate::rotate(&text) } else { text })
}

fn unrolled(kernel: &Kernel, text: &str) -> Result<String> {
    unroll::unroll(text).map_err(|what| fault(kernel, what))
}

/// The WGSL of a kernel with its loops as they are written: it does the same, and is many times shorter.
///
/// # Errors
/// As [`assemble`].
pub fn assemble_rolled(kernel: &Kernel) -> Result<String> {
    let fault = |what| fault(kernel, what);
    let mut files = Files { hooks: &kernel.hooks, ..Files::default() };
    files.add(&source(&kernel.shader)?)?;
    if let Some((name, _)) = kernel.hooks.iter().find(|(name, _)| !files.replaced.contains(name)) {
        return Err(fault(format!("no block `// hook: {name}` ... `// end`")));
    }
    let mut text = files.text;
    // Before all else, as the language has it.
    let (enables, rest): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| line.starts_with("enable "));
    if !enables.is_empty() {
        text = [enables, rest].concat().join("\n") + "\n";
    }
    for (name, value) in &kernel.consts {
        text = replace_declaration(&text, name, value)
            .ok_or_else(|| fault(format!("no top-level const or alias {name}")))?;
    }
    for name in &kernel.writable {
        let declared = format!("var<storage, read> {name}:");
        if !text.contains(&declared) {
            return Err(fault(format!("no `{declared}`")));
        }
        text = text.replace(&declared, &format!("var<storage, read_write> {name}:"));
    }
    if HALVES {
        text = half::store_halves(text, &kernel.halves).map_err(fault)?;
    }
    Ok(text)
}

fn fault(kernel: &Kernel, what: String) -> Error {
    blame(folder(), &kernel.shader, what)
}

/// What is wrong with the text that was put together for a labelled kernel from this file on.
pub(super) fn invalid(name: &str, label: &str, what: impl Display) -> Error {
    // Which may end in empty lines.
    let what = what.to_string();
    let what = what.trim_end();
    let what = match folder() {
        Some(_) => format!(
            "as {label}: {what}\nlines are those of the text with all that the file uses: \
             `fathom show WORKLOAD --kernel LABEL`"
        ),
        None => format!("as {label}: {what}"),
    };
    blame(folder(), name, what)
}

/// Shaders that are compiled in are right; those of a folder are their author's.
fn blame(folder: Option<PathBuf>, name: &str, what: String) -> Error {
    match folder {
        Some(folder) => Error::Shader { file: folder.join(format!("{name}.wgsl")), what },
        None => Error::Internal(format!("shaders/{name}.wgsl: {what}")),
    }
}

/// A kernel's text as it is put together.
#[derive(Default)]
struct Files<'a> {
    /// What replaces blocks, in every file that has them: a block's text may use files in turn.
    hooks: &'a [(&'static str, String)],
    /// Names of the blocks that were found.
    replaced: Vec<&'static str>,
    /// Files that are in the text.
    used: Vec<String>,
    text: String,
}

impl Files<'_> {
    /// Appends the files that a file's text uses, each after what it uses itself, none twice; then this text.
    fn add(&mut self, text: &str) -> Result<()> {
        let mut text = text.to_string();
        for (name, body) in self.hooks {
            if let Some(with_body) = replace_hook(&text, name, body) {
                text = with_body;
                self.replaced.push(name);
            }
        }
        for name in text.lines().filter_map(|line| line.strip_prefix("// use: ")) {
            let name = name.trim();
            if !self.used.iter().any(|used| used == name) {
                self.used.push(name.to_string());
                self.add(&source(name)?)?;
                self.text.push('\n');
            }
        }
        self.text.push_str(&text);
        Ok(())
    }
}

fn replace_hook(text: &str, name: &str, body: &str) -> Option<String> {
    let start = text.find(&format!("// hook: {name}\n"))?;
    let end = start + text[start..].find("// end")?;
    Some([&text[..start], body, &text[end..]].concat())
}

fn replace_declaration(text: &str, name: &str, value: &str) -> Option<String> {
    let mut replaces = false;
    let lines = text.lines().map(|line| {
        let declared = line
            .strip_prefix("const ")
            .or_else(|| line.strip_prefix("alias "))
            .and_then(|rest| rest.strip_prefix(name))
            .filter(|rest| rest.starts_with([' ', ':', '=']));
        match (declared, line.find('='), line.find(';')) {
            (Some(_), Some(equals), Some(semicolon)) => {
                replaces = true;
                format!("{}= {value}{}\n", &line[..equals], &line[semicolon..])
            }
            _ => format!("{line}\n"),
        }
    });
    let replaced: String = lines.collect();
    replaces.then_some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shader_without_comments_keeps_its_code_and_the_marks_that_assembly_reads() {
        let text = "// About it.\n// use: common/tiles\nconst A: u32 = 1u; // why\n\n    // unroll\n    for\n";
        let code = "// use: common/tiles\nconst A: u32 = 1u;\n// unroll\nfor\n";
        assert_eq!(without_comments(text), code);
        assert_eq!(without_comments(code), code);
        for (name, text) in SHADERS {
            let marks = |text: &str| {
                text.matches("// unroll\n").count() + text.matches("// hook: ").count()
            };
            let code = without_comments(text);
            assert!(marks(text) == marks(&code) && code.len() < text.len(), "{name}");
            // Assembly takes what begins a line for the top level's.
            let inner = |line: &str| {
                let code = line.trim_start();
                code != line && (code.starts_with("const ") || code.starts_with("alias "))
            };
            assert!(!text.lines().any(inner), "{name}");
        }
    }

    #[test]
    fn constants_and_hooks_are_replaced() {
        let text =
            "const BM: u32 = 64u; // rows\nalias T = f32;\n// hook: epilogue\nfn e() {}\n// end\n";
        let text = replace_declaration(text, "BM", "8u").unwrap();
        let text = replace_declaration(&text, "T", "vec4<f32>").unwrap();
        let text = replace_hook(&text, "epilogue", "fn e() { other(); }\n").unwrap();
        assert_eq!(
            text,
            "const BM: u32 = 8u; // rows\nalias T = vec4<f32>;\nfn e() { other(); }\n// end\n"
        );
        assert_eq!(replace_declaration(&text, "B", "1u"), None);
        assert_eq!(replace_hook(&text, "prologue", ""), None);
    }

    #[test]
    fn a_folder_answers_for_its_own_shaders() {
        let error = blame(Some("mine".into()), "shift/shift", "no\nsuch".into());
        assert_eq!(
            (error.exit_code(), error.to_string().as_str()),
            (10, "mine/shift/shift.wgsl: no\nsuch")
        );
        let error = blame(None, "shift/shift", "no".into());
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("shaders/shift/shift.wgsl: no"), "{error}");
    }

    #[test]
    fn an_unknown_constant_names_the_file() {
        let kernel = Kernel::new("map/map").with_consts(&[("NOPE", 1)]);
        let error = assemble(&kernel).unwrap_err().to_string();
        assert!(error.contains("shaders/map/map.wgsl") && error.contains("NOPE"));
    }
}
