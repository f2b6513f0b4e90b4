//! Where output goes: data to stdout and to files, everything else to stderr, progress only to a terminal.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ColorChoice, ValueEnum};

use crate::error::{Error, Result, lines};
use crate::host::{self, message_width, write_atomically};
use crate::report::Format;
use crate::report::field::Field;
use crate::report::table::{Table, prose};

use super::{interrupt, progress};

/// The format in which data is printed and saved, and how much else is printed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Format of the data: table, md, csv, json, jsonl
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "table",
        hide_possible_values = true
    )]
    pub output: Format,

    /// Also save to a .json, .jsonl, .csv or .md file
    ///
    /// The extension names the format. May be repeated.
    #[arg(short, long, value_name = "FILE", value_parser = targets())]
    pub save: Vec<Target>,

    #[command(flatten)]
    pub(super) voice: VoiceArgs,
}

impl std::ops::Deref for OutputArgs {
    type Target = VoiceArgs;

    fn deref(&self) -> &VoiceArgs {
        &self.voice
    }
}

/// How much is printed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct VoiceArgs {
    /// Print no progress or notes
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// Print warnings of drivers; twice for debug lines
    ///
    /// The debug lines include those of fathom's own passes.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,

    /// Colours: auto, always, never
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    color: ColorChoice,
}

fn apply(color: ColorChoice) {
    let choice = match color {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::AlwaysAnsi,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Applies `--color` by the words of a command line that has not been read: of one that asks for help, or is wrong.
pub fn set_color(words: impl IntoIterator<Item = OsString>) {
    let words: Vec<String> =
        words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let behind = |(at, word): (usize, &String)| match word.strip_prefix("--color") {
        Some("") => words.get(at + 1).cloned(),
        Some(value) => value.strip_prefix('=').map(str::to_string),
        None => None,
    };
    let named = words.iter().enumerate().find_map(behind);
    if let Some(color) = named.and_then(|name| ColorChoice::from_str(&name, true).ok()) {
        apply(color);
    }
}

/// Applies `--color`, `--verbose` and `--quiet` to the whole process.
pub fn set_up(args: &VoiceArgs) {
    apply(args.color);
    let level = match (args.quiet, args.verbose) {
        (true, _) => log::LevelFilter::Off,
        (_, 0) => log::LevelFilter::Error,
        (_, 1) => log::LevelFilter::Warn,
        _ => log::LevelFilter::Debug,
    };
    // The drivers' own messages start at `warn`; RUST_LOG overrides that if it is set.
    let mut builder = env_logger::Builder::new();
    // naga has a debug line for every expression of every kernel: 36,000 of a run of memnet, and all others lost in them.
    builder.filter_level(level).filter_module("naga", level.min(log::LevelFilter::Info));
    builder.parse_default_env();
    if builder.try_init().is_err() {
        log::debug!("a logger is set already");
    }
}

/// Writes data to stdout, without what a terminal would act on: a record may come from anywhere. A reader that has gone
/// away is not an error.
///
/// # Errors
/// [`Error::Io`] where stdout cannot be written: a full disk, say.
pub fn data(text: &str) -> Result<()> {
    styled(&lines(text))
}

/// Writes a text of the program's own to stdout, styles and all.
///
/// # Errors
/// As [`data`].
pub fn styled(text: &str) -> Result<()> {
    let print = || {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
    match progress::apart(print) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("write", "standard output")(e))
        }
        _ => Ok(()),
    }
}

/// Prints data in the form asked for, and writes each `--save` file in its own.
///
/// # Errors
/// Those of `render`, and as [`data`] and [`save`].
pub fn emit(args: &OutputArgs, render: impl Fn(Format) -> Result<String>) -> Result<()> {
    together([data(&render(args.output)?), save(args, render)])
}

/// What came of several things that were each done whatever became of the others: the first error, after the other ones
/// have been said.
///
/// # Errors
/// That first one.
pub(super) fn together(outcomes: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    // All are done before anything is said.
    let errors: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    let mut errors = errors.into_iter();
    let first = errors.next().map_or(Ok(()), Err);
    errors.for_each(|error| warn(&error.to_string()));
    first
}

/// Writes each `--save` file whole in its own form, whether or not the others can be written.
///
/// # Errors
/// Those of `render`; [`Error::Io`].
pub fn save(args: &OutputArgs, render: impl Fn(Format) -> Result<String>) -> Result<()> {
    let write = |target: &Target| write_atomically(&target.path, render(target.form)?.as_bytes());
    together(args.save.iter().map(write))
}

/// A table whose rows are printed as they come; JSON, which is one whole, and files come at the end, however the
/// command ends.
#[derive(Debug)]
pub struct Live<'a> {
    args: &'a OutputArgs,
    table: Table,
}

impl<'a> Live<'a> {
    /// Prints the headings.
    ///
    /// # Errors
    /// As [`data`].
    pub fn new(args: &'a OutputArgs, table: Table) -> Result<Self> {
        data(&table.head(args.output)?)?;
        Ok(Self { args, table })
    }

    /// Prints a row.
    ///
    /// # Errors
    /// As [`data`].
    pub fn row(&mut self, fields: impl IntoIterator<Item = Field>) -> Result<()> {
        self.table.row(fields);
        data(&self.table.last(self.args.output)?)?;
        let (args, table) = (self.args.clone(), self.table.clone());
        interrupt::leave(move || {
            if let Err(error) = finish(&args, &table) {
                note(&args, &format!("warning: {error}"));
            }
        });
        Ok(())
    }

    /// Prints JSON, and keeps the table where `--save` says.
    ///
    /// # Errors
    /// As [`data`] and [`save`].
    pub fn finish(self) -> Result<()> {
        interrupt::speak(|| finish(self.args, &self.table))
    }
}

fn finish(args: &OutputArgs, table: &Table) -> Result<()> {
    let is_whole = args.output == Format::Json;
    let printed = if is_whole { data(&table.render(args.output)?) } else { Ok(()) };
    together([printed, save(args, |form| table.render(form))])
}

/// A file that `--save` names, and the form its extension asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub path: PathBuf,
    /// In what form.
    pub form: Format,
}

/// What `--save` is read by, so that what cannot be written is refused before any work.
fn targets() -> impl TypedValueParser<Value = Target> {
    PathBufValueParser::new().try_map(target)
}

fn target(path: PathBuf) -> std::result::Result<Target, String> {
    let form = match path.extension().and_then(|e| e.to_str()) {
        Some("json") => Format::Json,
        Some("jsonl") => Format::Jsonl,
        Some("csv") => Format::Csv,
        Some("md") => Format::Md,
        // A pipe or a device has no extension to go by.
        _ if host::is_stream(&path) => Format::Json,
        _ => return Err("the extension must name a format: .json, .jsonl, .csv or .md".into()),
    };
    host::writable(&path)?;
    Ok(Target { path, form })
}

/// What a file to write is read by, so that one that cannot be written is refused before any work.
pub(super) fn file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| host::writable(&path).map(|()| path))
}

/// Writes a line to stderr, unless `--quiet`.
pub fn note(args: &VoiceArgs, text: &str) {
    if !args.quiet {
        say(text);
    }
}

/// Writes to stderr, within the width of its terminal and without what that would act on.
fn say(text: &str) {
    let text = prose(&lines(text), message_width());
    // Where stderr is closed nobody reads it.
    let _closed = progress::apart(|| writeln!(anstream::stderr().lock(), "{text}"));
}

/// Writes why the program ends to stderr, as [`note`] does, `--quiet` or not.
pub fn failure(error: &Error) {
    let text = match error {
        Error::Interrupted => interrupt::stopped(),
        other => marked(&format!("error: {other}")),
    };
    // Where the terminal is gone there is nobody to tell.
    let _closed = progress::apart(|| writeln!(anstream::stderr().lock(), "{text}"));
}

/// Writes what is wrong with a command line to stderr, in the same way.
pub fn refusal(error: &clap::Error) {
    let text = marked(error.to_string().trim_end());
    let _closed = writeln!(anstream::stderr().lock(), "{text}");
}

/// An error's text within the width of stderr's terminal, its first word in red.
fn marked(text: &str) -> String {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    let text = prose(&lines(text), message_width());
    text.replacen("error:", &format!("{style}error:{style:#}"), 1)
}

/// Writes a warning of a loss to stderr, `--quiet` or not; once, however often it happens.
pub(super) fn warn(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if !SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.into()) {
        return;
    }
    say(&format!("warning: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_target_is_checked_before_any_work() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for (name, form) in [
            ("a.json", Format::Json),
            ("a.jsonl", Format::Jsonl),
            ("a.csv", Format::Csv),
            ("a.md", Format::Md),
        ] {
            assert_eq!(target(at(name).into()).unwrap().form, form);
        }
        std::fs::create_dir(folder.path().join("d.json")).unwrap();
        for (name, expected) in [
            ("a.txt", "extension"),
            ("a", "extension"),
            ("none/a.csv", "no such folder"),
            ("d.json", "it is a folder: name a file"),
        ] {
            let error = target(at(name).into()).unwrap_err();
            assert!(error.contains(expected), "{name}: {error}");
        }
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "trying leaves nothing behind");
    }
}
