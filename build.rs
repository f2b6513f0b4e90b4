//! Embeds every file of `shaders/` and the commit the binary is built from.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

#[path = "src/gpu/shader/comments.rs"]
mod comments;

/// What the binary is made of: where one of these differs from the commit, the build is dirty.
const BUILT_FROM: &[&str] = &["src", "shaders", "assets", "build.rs", "Cargo.toml", "Cargo.lock"];

/// Kernels for what no browser offers, or not as they need it (subgroups of one size): a page does without them.
const NATIVE: &[&str] = &[
    "conv2d/pixels",
    "conv2d/strips",
    "matmul/matrices",
    "matmul/outer",
    "matmul/subgroup",
    "recurrent/broadcast",
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let for_page = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32");
    let mut files = Vec::new();
    wgsl_files(&root.join("shaders"), &mut files);
    files.sort();
    let mut table = String::from("static SHADERS: &[(&str, &str)] = &[\n");
    for file in &files {
        let name = file.strip_prefix(root.join("shaders")).expect("inside");
        let name = name.with_extension("").to_string_lossy().replace('\\', "/");
        if for_page && NATIVE.contains(&name.as_str()) {
            continue;
        }
        if for_page {
            let text = fs::read_to_string(file).expect("shaders/ is part of the source");
            table += &format!("    ({name:?}, {:?}),\n", comments::without_comments(&text));
        } else {
            table += &format!("    ({name:?}, include_str!({:?})),\n", file.display());
        }
    }
    table += "];\n";
    fs::write(out.join("shaders.rs"), table).expect("the build folder can be written");

    // The score's units: a whole record of one device for each preset that has one. A page fetches them.
    let (mut presets, mut table) = (Vec::new(), String::new());
    for preset in ["full", "tiny"] {
        let reference = root.join(format!("assets/reference-{preset}.json"));
        if reference.exists() {
            presets.push(preset);
            if !for_page {
                let packed = out.join(format!("reference-{preset}.json.gz"));
                pack(&reference, &packed).expect("the build folder can be written");
                table += &format!("    include_bytes!({:?}),\n", packed.display());
            }
        }
    }
    let mut references =
        format!("/// The presets that have one.\npub const PRESETS: &[&str] = &{presets:?};\n");
    if !for_page {
        references += &format!("static PACKED: &[&[u8]] = &[\n{table}];\n");
    }
    fs::write(out.join("reference.rs"), references).expect("the build folder can be written");

    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let wgpu = lock.split("name = \"wgpu\"\nversion = \"").nth(1);
    let wgpu = wgpu.and_then(|rest| rest.split('"').next()).unwrap_or("unknown");
    println!("cargo:rustc-env=FATHOM_WGPU={wgpu}");

    // A commit or a checkout writes to HEAD's log; the index is no sign, since `git status` rewrites it too.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists());
    for watched in log.iter().map(String::as_str).chain(BUILT_FROM.iter().copied()) {
        println!("cargo:rerun-if-changed={watched}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let status = [&["--no-optional-locks", "status", "--porcelain", "--"], BUILT_FROM].concat();
    let dirty = git(&status).is_some_and(|changes| !changes.is_empty());
    println!("cargo:rustc-env=FATHOM_COMMIT={commit}");
    println!("cargo:rustc-env=FATHOM_DIRTY={dirty}");
    println!("cargo:rustc-env=FATHOM_PROFILE={}", env::var("PROFILE").unwrap_or_default());
}

fn pack(file: &Path, packed: &Path) -> std::io::Result<()> {
    let mut encoder = GzEncoder::new(fs::File::create(packed)?, Compression::best());
    encoder.write_all(&fs::read(file)?)?;
    encoder.finish().map(drop)
}

/// What git prints, or nothing where this is no checkout (a packaged source, say).
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}

fn wgsl_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("shaders/ is part of the source") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            wgsl_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "wgsl") {
            files.push(path);
        }
    }
}
