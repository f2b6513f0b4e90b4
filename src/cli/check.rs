//! `fathom check`: whether record files can be believed.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, Result, plain};
use crate::record::consistency::contradictions;
use crate::record::store::{self, Loaded};
use crate::report::section::records::{self as section, Checked};
use crate::score::fitness;
use crate::terms::counted;

use super::{OutputArgs, output};

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Record files, or folders of them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Also ask what `results/` asks: complete, verified, settled
    ///
    /// The record must come from a release build of a commit, with the program's own kernels, data and settings.
    #[arg(long)]
    publish: bool,

    #[command(flatten)]
    out: OutputArgs,
}

/// Checks and prints: schema, id, summaries against samples.
///
/// # Errors
/// [`Error::Data`] where a file is not a sound record, after all of them have been reported.
pub fn execute(args: &CheckArgs) -> Result<()> {
    let mut files = Vec::new();
    for path in &args.files {
        let inside = if path.is_dir() { store::tree(path)? } else { vec![path.clone()] };
        if inside.is_empty() {
            return Err(Error::Usage(format!(
                "{}: no records in this folder",
                plain(path.display())
            )));
        }
        files.extend(inside);
    }
    let checks: Vec<Checked> = files.iter().map(|path| check(path, args.publish)).collect();
    output::emit(&args.out, |form| section::checks(&checks, form))?;
    let faults = checks.iter().filter_map(|file| Some((file, file.faults().into_iter().next()?)));
    let faults: Vec<_> = faults.collect();
    let Some((first, fault)) = faults.first() else {
        return Ok(());
    };
    let are_not = match (faults.len(), args.publish) {
        (1, true) => "is not fit to be published",
        (1, false) => "is not a sound record",
        (_, true) => "are not fit to be published",
        (_, false) => "are not sound records",
    };
    let count = format!("{} of {} {are_not}", faults.len(), counted(checks.len(), "file"));
    Err(Error::data(&first.file, "check", format!("{fault}; {count}")))
}

fn check(path: &Path, publish: bool) -> Checked {
    let content = Loaded::read(path.to_path_buf()).map_err(|error| error.beside_its_file());
    let content = content.map(|loaded| {
        let contradictions = contradictions(&loaded.record);
        (loaded.record, contradictions)
    });
    let lacks = match &content {
        Ok((record, _)) if publish => fitness::lacks(record),
        _ => Vec::new(),
    };
    Checked { file: path.display().to_string(), content, lacks }
}
