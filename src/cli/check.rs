//! `fathom check`: whether record files can be believed.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, Result};
use crate::record::consistency::contradictions;
use crate::record::store::{self, Loaded};
use crate::report::Format;
use crate::report::section::records::{Checked, checked};

use super::{OutputArgs, output};

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Record files, or folders of them
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Checks and prints: schema, id, summaries against samples.
///
/// # Errors
/// [`Error::Data`] where a file is no sound record, after all of them have been told.
pub fn execute(args: &CheckArgs) -> Result<()> {
    let mut files = Vec::new();
    for path in &args.files {
        files.extend(if path.is_dir() { store::files(path)? } else { vec![path.clone()] });
    }
    let checks: Vec<Checked> = files.iter().map(|path| check(path)).collect();
    output::emit(&args.out, |form| {
        let mut text = checked(&checks).render(form)?;
        if matches!(form, Format::Table | Format::Md) {
            for file in &checks {
                text += &file
                    .faults()
                    .iter()
                    .map(|f| format!("\n{}: {f}\n", file.file))
                    .collect::<String>();
            }
        }
        Ok(text)
    })?;
    let mut bad = checks.iter().filter(|file| !file.faults().is_empty());
    let Some(first) = bad.next() else {
        return Ok(());
    };
    let more = match bad.count() {
        0 => String::new(),
        n => format!(", nor are {n} more"),
    };
    let what = format!("not a sound record{more}: {} checked", checks.len());
    Err(Error::data(&first.file, "check", what))
}

fn check(path: &Path) -> Checked {
    let content = Loaded::read(path.to_path_buf()).map_err(|error| error.to_string());
    let content = content.map(|loaded| {
        let found = contradictions(&loaded.record);
        (loaded.record, found)
    });
    Checked { file: path.display().to_string(), content }
}
