//! The C++ compiler of this machine, and what it made.

use std::fmt::Write;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::emulated;
use super::translate::{Result, translate};

const SHIM: &str = include_str!("shim.hpp");
const MACHINE: &str = include_str!("machine.cpp");
/// Arithmetic as WGSL has it: integers wrap, and nothing is rearranged.
const FLAGS: [&str; 8] = [
    "-std=c++17",
    "-w",
    // Nothing is thrown: a tenth of the time.
    "-fno-exceptions",
    "-fno-asynchronous-unwind-tables",
    "-fwrapv",
    "-ffp-contract=off",
    "-D_XOPEN_SOURCE=700",
    "-D_DARWIN_C_SOURCE",
];

/// And as Metal's compiler has it unless told otherwise: sums in any order, no NaN and no infinity.
const FAST_MATHS: [&str; 3] = ["-O2", "-ffast-math", "-ffp-contract=fast"];

/// Bytes of a text above which optimising it takes longer than is saved when it runs once.
const LARGE: usize = 512 << 10;

/// The flags: `FATHOM_FAST_MATHS=1` shows which kernels fast maths breaks.
fn flags() -> Vec<&'static str> {
    let fast = std::env::var_os("FATHOM_FAST_MATHS").is_some();
    FLAGS.into_iter().chain(FAST_MATHS.into_iter().filter(|_| fast)).collect()
}

/// A kernel's text and entry point.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Source {
    pub(crate) wgsl: String,
    pub(crate) entry: &'static str,
}

/// A compiler with the machine compiled.
pub(crate) struct Compiler {
    command: &'static str,
    folder: PathBuf,
    machine: PathBuf,
}

/// The compiler, or why there is none.
pub(crate) fn compiler() -> std::result::Result<&'static Compiler, &'static str> {
    static COMPILER: OnceLock<Result<Compiler>> = OnceLock::new();
    COMPILER.get_or_init(Compiler::find).as_ref().map_err(String::as_str)
}

impl Compiler {
    fn find() -> Result<Self> {
        let command = emulated::command()?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulator");
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        fs::write(folder.join("shim.hpp"), SHIM).map_err(|e| e.to_string())?;
        let mut compiler = Self { command, folder, machine: PathBuf::new() };
        // All programs run it.
        compiler.machine = compiler.make("machine", MACHINE, "-O2", &["-c"])?;
        Ok(compiler)
    }

    /// A program that runs these kernels: numbers in its jobs are places in this list.
    pub(crate) fn build(&self, name: &str, kernels: &[Source]) -> Result<PathBuf> {
        let mut text = String::from("#include \"shim.hpp\"\n");
        let mut table = String::from("const Kernel kernels[] = {");
        for (at, source) in kernels.iter().enumerate() {
            let namespace = format!("k{at}");
            text += &translate(&source.wgsl, source.entry, &namespace)?;
            let _ = write!(table, "{namespace}::kernel, ");
        }
        text += &format!("{table}}};\n");
        let machine = self.machine.to_string_lossy();
        let level = if text.len() > LARGE { "-O0" } else { "-Og" };
        self.make(name, &text, level, &[&machine])
    }

    /// Compiles a text at this level of optimisation, or at that of fast maths, unless that was done before.
    fn make(&self, name: &str, text: &str, level: &str, options: &[&str]) -> Result<PathBuf> {
        let mut hasher = DefaultHasher::new();
        (self.command, level, flags(), SHIM, MACHINE, text).hash(&mut hasher);
        let stem = format!("{name}-{:016x}", hasher.finish());
        let made = self.folder.join(&stem);
        if made.exists() {
            return Ok(made);
        }
        self.forget(name);
        let (source, unfinished) =
            (self.folder.join(format!("{stem}.cpp")), self.folder.join(format!("{stem}.part")));
        fs::write(&source, text).map_err(|e| e.to_string())?;
        let output = Command::new(self.command)
            .arg(level)
            .args(flags())
            .arg("-I")
            .arg(&self.folder)
            .arg(&source)
            .args(options)
            .arg("-o")
            .arg(&unfinished)
            .output()
            .map_err(|e| e.to_string())?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<_> = text.lines().filter(|l| l.contains("error")).take(8).collect();
            return Err(format!(
                "{} refused {}:\n{}",
                self.command,
                source.display(),
                lines.join("\n")
            ));
        }
        fs::rename(&unfinished, &made).map_err(|e| e.to_string())?;
        Ok(made)
    }

    /// Removes what was made under a name before.
    fn forget(&self, name: &str) {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for file in files {
            let stem = file.file_name().to_string_lossy().into_owned();
            let hash = stem.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
            if hash.is_some_and(|rest| !rest.contains('-')) {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}
