//! `fathom run --repeat N`: the same run several times, each with a record of its own.

use std::path::Path;

use crate::error::{Error, Result, plain};
use crate::host;
use crate::record::store;
use crate::report::Format;

use super::output::Target;
use super::run::{self, RunArgs};
use super::{output, records};

/// Runs once, or as often as `--repeat` says.
///
/// # Errors
/// As [`run::execute`]; the first error ends it.
pub fn execute(args: &RunArgs) -> Result<()> {
    // Told before anything is measured.
    if let Some(name) = &args.save_baseline {
        let what = format!("--save-baseline {name}");
        match store::folder() {
            Some(folder) => records::check_place(&store::baselines(&folder), &what)?,
            None => return Err(Error::Usage(format!("{what}: {}", store::NO_FOLDER))),
        }
    }
    if args.repeat <= 1 {
        return run::execute(args);
    }
    // A name with the longest number may be too long, where the one that was given is not.
    for Target { path, .. } in numbered(args, args.repeat).out.save {
        let refused = |why| Error::Usage(format!("--save {}: {why}", plain(path.display())));
        host::writable(&path).map_err(refused)?;
    }
    if args.dry_run {
        return run::execute(args);
    }
    if args.out.output == Format::Json {
        return Err(Error::Usage(
            "--repeat prints one record after another, which is not valid JSON: -o jsonl, or --save r.json for a file each"
                .into(),
        ));
    }
    for number in 1..=args.repeat {
        output::note(&args.out, &format!("run {number} of {}", args.repeat));
        run::execute(&numbered(args, number))?;
    }
    Ok(())
}

/// The same options, with the files to write numbered.
fn numbered(args: &RunArgs, number: u32) -> RunArgs {
    let mut args = args.clone();
    args.goes_on = number > 1;
    args.save_baseline = args.save_baseline.map(|name| format!("{name}/{number}"));
    for target in &mut args.out.save {
        // A pipe or a device takes them one after the other.
        if !host::is_stream(&target.path) {
            target.path = target.path.with_file_name(file_name(&target.path, number));
        }
    }
    args
}

/// `r-2.json` of `r.json`.
fn file_name(path: &Path, number: u32) -> String {
    let part =
        |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    format!("{}-{number}.{}", part(path.file_stem()), part(path.extension()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered() {
        assert_eq!(file_name(Path::new("a/r.v1.json"), 2), "r.v1-2.json");
    }
}
