//! `fathom site`: records of many devices as pages that any host can serve.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, Result, plain};
use crate::host::{list_folder, make_folder, read, write_atomically};
use crate::report::site::{Content, LeftOut, gather, site};
use crate::terms::counted;
use crate::workload::WORKLOADS;

use super::{VoiceArgs, output};

/// Options of `site`.
#[derive(Debug, Args)]
pub struct SiteArgs {
    /// Folder of records, with those in the folders in it
    #[arg(value_name = "FOLDER", default_value = "results")]
    records: PathBuf,

    /// Folder to write the site into
    // A site has no format, so what builders of sites call it is not in doubt here.
    #[arg(
        short,
        long,
        short_alias = 'o',
        alias = "output",
        value_name = "DIR",
        default_value = "site"
    )]
    save: PathBuf,

    /// Built page that runs the benchmark in a browser
    ///
    /// What is in this folder is copied to DIR/run, and the site leads there.
    #[arg(long, value_name = "FOLDER")]
    page: Option<PathBuf>,

    #[command(flatten)]
    voice: VoiceArgs,
}

/// The page that runs the benchmark, below the site.
const RUN: &str = "run";

/// Writes the site.
///
/// # Errors
/// [`Error::Usage`] for a folder that is not what it should be, [`Error::Data`] where no record can be shown,
/// [`Error::Io`].
pub fn execute(args: &SiteArgs) -> Result<()> {
    if !args.records.is_dir() {
        let why = "no such folder: name one that holds records";
        return Err(Error::Usage(format!("{}: {why}", plain(args.records.display()))));
    }
    // All of it before anything is written: the one folder may be inside the other.
    let run = args.page.as_deref().map(inside).transpose()?;
    let (sources, left_out) = gather(&args.records)?;
    for LeftOut { file, why } in &left_out {
        output::note(&args.voice, &format!("warning: left out: {file}: {why}"));
    }
    if sources.is_empty() {
        let why = match left_out.first() {
            Some(one) => {
                format!("none of its records can be shown; the first: {}: {}", one.file, one.why)
            }
            None => "there are no records in it".into(),
        };
        return Err(Error::data(&args.records, "site", why));
    }
    let records = counted(sources.len(), "record");
    let content = Content {
        sources,
        left_out,
        workloads: WORKLOADS.iter().map(|w| w.name).collect(),
        runs_at: run.as_ref().map(|_| "run/index.html"),
    };
    for file in site(content)? {
        write(&args.save.join(file.path), file.text.as_bytes())?;
    }
    for (path, bytes) in run.into_iter().flatten() {
        write(&args.save.join(RUN).join(path), &bytes)?;
    }
    let index = args.save.join("index.html");
    let note = format!("site  {} ({records}): open it in a browser", plain(index.display()));
    output::note(&args.voice, &note);
    Ok(())
}

/// Folders in folders that a built page may have.
const DEPTH: usize = 4;

/// Every file of a built page by its path in it.
fn inside(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    if !folder.join("index.html").is_file() {
        let why = "there is no index.html in this folder: name one that holds the built page";
        return Err(Error::Usage(format!("--page {}: {why}", plain(folder.display()))));
    }
    let (mut files, mut open) = (Vec::new(), vec![(folder.to_path_buf(), 0)]);
    while let Some((at, depth)) = open.pop() {
        for path in list_folder(&at)? {
            if path.is_dir() && depth < DEPTH {
                open.push((path, depth + 1));
            } else if path.is_file() {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_path_buf();
                files.push((name, read(&path)?));
            }
        }
    }
    Ok(files)
}

/// Writes a file and the folders it lies in.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    path.parent().map_or(Ok(()), make_folder)?;
    write_atomically(path, bytes)
}
