//! `fathom report`: records as an HTML page.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::error::{Error, Result, plain};
use crate::host::{is_stream, writable, write_atomically};
use crate::record::store::{self, Loaded};
use crate::report::html::{self, NamedRecord};
use crate::terms::counted;

use super::{VoiceArgs, output};

/// Options of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Records: files, folders, @last, @last~1, baselines, or the start of an id
    #[arg(value_name = "RECORD", default_value = "@last")]
    records: Vec<String>,

    /// File to write
    #[arg(short, long, value_name = "FILE.html", default_value = "report.html", value_parser = PathBufValueParser::new().try_map(page))]
    save: PathBuf,

    #[command(flatten)]
    voice: VoiceArgs,
}

/// Writes the page.
///
/// # Errors
/// [`Error::Data`] and [`Error::Usage`] for what is not a record, [`Error::Io`] where the page cannot be
/// written.
pub fn execute(args: &ReportArgs) -> Result<()> {
    let mut sources = Vec::new();
    for Loaded { path, text, record } in store::find_all(&args.records)? {
        if record.runs.is_empty() {
            return Err(Error::data(&path, "runs", "the record has no runs: nothing was measured"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(why) = record.integrity.warning() {
            output::note(&args.voice, &format!("warning: {name}: {why}"));
        }
        sources.push(NamedRecord { name, text, record });
    }
    write_atomically(&args.save, html::page(&sources, None)?.as_bytes())?;
    let (path, of) = (plain(args.save.display()), counted(sources.len(), "record"));
    output::note(&args.voice, &format!("report  {path} ({of}): open it in a browser"));
    Ok(())
}

/// Reads a `--save` argument: a page is HTML whatever it is called, so that it has to be called that. A pipe or a device
/// has no extension to go by.
fn page(path: PathBuf) -> std::result::Result<PathBuf, String> {
    let is_html = path.extension().is_some_and(|e| e == "html" || e == "htm");
    if !is_html && !is_stream(&path) {
        return Err("the extension must be .html or .htm: that is what is written".into());
    }
    writable(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_saved_as_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["a.html", "a.htm"] {
            assert_eq!(page(at(name)).unwrap(), folder.path().join(name));
        }
        for (name, expected) in
            [("a.pdf", ".html"), ("a", ".html"), ("none/a.html", "no such folder")]
        {
            let error = page(at(name)).unwrap_err();
            assert!(error.contains(expected), "{name}: {error}");
        }
        #[cfg(unix)]
        assert!(page("/dev/null".into()).is_ok(), "a device has no extension");
    }
}
