//! `fathom ab`: two programs, or one with two sets of options, run in turns and compared.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::compare::{self, Alike, Side};
use crate::error::{Error, Result};
use crate::host;
use crate::record::store;
use crate::report::section::compare::Layout;

use super::compare::{JudgeArgs, show};
use super::{OutputArgs, child, output, progress, records};

/// Options of `ab`.
#[derive(Debug, Args)]
pub struct AbArgs {
    /// The old program: its path, with options if any, as in `./old/fathom` or `./fathom --no-fuse`. Options alone run
    /// this program with them; `LP_NUM_THREADS=1` in front sets a variable
    #[arg(allow_hyphen_values = true)]
    old: String,

    /// The new program, likewise
    #[arg(allow_hyphen_values = true)]
    new: String,

    /// Runs of each, in turns: old new old new
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = super::args::whole::<u32>(1, 1000))]
    repeat: u32,

    /// Folder for the records, under `old` and `new` [default: a new one among the kept records]
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,

    #[command(flatten)]
    judged: JudgeArgs,

    #[command(flatten)]
    out: OutputArgs,

    /// Options of `run` for both, behind `--`
    #[arg(last = true, value_name = "RUN OPTIONS")]
    both: Vec<String>,
}

/// A program to run.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    variables: Vec<(String, String)>,
    path: PathBuf,
    options: Vec<String>,
}

impl Program {
    /// Reads `VARIABLE=value program options`, of which only one must be there.
    fn parse(text: &str, this: &Path) -> Result<Self> {
        let mut words = text.split_whitespace().peekable();
        let mut variables = Vec::new();
        while let Some((name, value)) = words.peek().and_then(|word| assignment(word)) {
            variables.push((name.to_string(), value.to_string()));
            words.next();
        }
        let path = match words.next_if(|word| !word.starts_with('-')) {
            Some(path) => PathBuf::from(path),
            None if text.trim().is_empty() => {
                return Err(Error::Usage("name a program, or options in quotes".into()));
            }
            None => this.to_path_buf(),
        };
        Ok(Self { variables, path, options: words.map(String::from).collect() })
    }

    /// Has it say what it would run, so that an option that it does not take is told before the other one is measured.
    fn try_out(&self, both: &[String], folder: &Path) -> Result<()> {
        self.end(self.command(both, folder).arg("--dry-run"))
    }

    /// Runs it once, its record kept in a folder.
    fn run(&self, both: &[String], folder: &Path) -> Result<()> {
        self.end(&mut self.command(both, folder))
    }

    fn command(&self, both: &[String], folder: &Path) -> Command {
        let is_quiet = |word: &String| ["-q", "--quiet"].contains(&word.as_str());
        let is_loud = !self.options.iter().chain(both).any(is_quiet);
        let mut command = Command::new(&self.path);
        command
            .arg("run")
            .args(&self.options)
            .args(both)
            .args(is_loud.then_some("--quiet"))
            .env("FATHOM_RECORDS", folder)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn end(&self, command: &mut Command) -> Result<()> {
        let mut child = command.spawn().map_err(Error::io("run", &self.path))?;
        match child::wait(&mut child, &self.path)?.code() {
            Some(0) => Ok(()),
            Some(130) | None => Err(Error::Interrupted),
            Some(code) => Err(Error::Usage(format!(
                "{} failed with exit code {code}: its own message stands above",
                self.path.display()
            ))),
        }
    }
}

fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value))
}

/// Runs both in turns, keeps their records, compares them and prints the verdicts.
///
/// # Errors
/// [`Error::Usage`] where one of the programs fails, else as `compare`.
pub fn execute(args: &AbArgs) -> Result<()> {
    let this = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let folder = match (&args.keep, store::folder()) {
        (Some(folder), _) => folder.clone(),
        (None, Some(kept)) => kept.join(format!("ab-{}", host::now().replace(':', "-"))),
        (None, None) => return Err(Error::Usage(format!("{}, or give --keep", store::NO_FOLDER))),
    };
    let sides = [("old", &args.old), ("new", &args.new)]
        .map(|(name, text)| Ok((folder.join(name), Program::parse(text, &this)?)));
    let [old, new] = sides;
    let sides = [old?, new?];
    let words = || sides.iter().flat_map(|(_, program)| &program.options).chain(&args.both);
    for (option, why) in [
        ("--no-verify", "runs that are not verified are not compared"),
        ("--dry-run", "what is not run cannot be compared"),
    ] {
        if words().any(|word| word == option) {
            return Err(Error::Usage(format!("{option}: {why}; leave it out")));
        }
    }
    for (folder, _) in &sides {
        if !kept(folder)?.is_empty() {
            return Err(Error::Usage(format!(
                "{}: it holds records already, which would be compared too: name an empty folder",
                folder.display()
            )));
        }
    }
    records::check_place(&folder, "ab")?;
    for (folder, program) in &sides {
        program.try_out(&args.both, folder)?;
    }
    let outcome = take_turns(args, &sides);
    // What was measured before an error counts, if both have a run.
    for (folder, _) in &sides {
        if kept(folder)?.is_empty() {
            return outcome;
        }
    }
    let side = |(folder, name): (&PathBuf, &str)| -> Result<Side> {
        Ok(Side { name: name.into(), ..records::side(&folder.display().to_string(), &args.out)? })
    };
    let (base, other) = (side((&sides[0].0, "old"))?, side((&sides[1].0, "new"))?);
    output::note(&args.out, &format!("records  {}", folder.display()));
    let comparison = compare::compare(&base, std::slice::from_ref(&other), Alike::AllButOptions)?;
    show(&comparison, &base, &[other], Layout::RecordARow, &args.judged, &args.out)?;
    outcome
}

/// The records in a folder, which the first run makes.
fn kept(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_dir() { store::files(folder) } else { Ok(Vec::new()) }
}

fn take_turns(args: &AbArgs, sides: &[(PathBuf, Program); 2]) -> Result<()> {
    let progress = progress::Progress::new(&args.out, "old and new in turns");
    let runs = 2 * args.repeat;
    for run in 0..runs {
        let side = (run % 2) as usize;
        progress.say(&format!("[{}/{runs}] {}", run + 1, ["old", "new"][side]));
        progress.set(f64::from(run) / f64::from(runs));
        let (folder, program) = &sides[side];
        program.run(&args.both, folder)?;
        // What is no fathom is told before the other side has been measured for nothing.
        if kept(folder)?.is_empty() {
            return Err(Error::Usage(format!(
                "{} kept no record: is it fathom?",
                program.path.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Program {
        Program::parse(text, Path::new("this")).unwrap()
    }

    #[test]
    fn a_program_has_variables_a_path_and_options_of_which_the_path_may_be_this_one() {
        let whole = program("LP_NUM_THREADS=1 ./old/fathom --no-fuse --set hidden=3");
        assert_eq!(whole.variables, [("LP_NUM_THREADS".to_string(), "1".to_string())]);
        assert_eq!(whole.path, Path::new("./old/fathom"));
        assert_eq!(whole.options, ["--no-fuse", "--set", "hidden=3"]);
        assert_eq!(program("--checks on").path, Path::new("this"));
        assert_eq!(program("LP_NUM_THREADS=2").path, Path::new("this"));
        assert_eq!(program("fathom").options, Vec::<String>::new());
        assert!(Program::parse(" ", Path::new("this")).is_err());
    }
}
