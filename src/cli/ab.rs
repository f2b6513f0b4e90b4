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

    /// Runs it with further words, its record kept in a folder.
    fn run(&self, further: &[&str], folder: &Path) -> Result<()> {
        let words = || self.options.iter().map(String::as_str).chain(further.iter().copied());
        let is_loud = words().all(|word| !["-q", "--quiet"].contains(&word));
        let mut command = Command::new(&self.path);
        command
            .arg("run")
            .args(words())
            .args(is_loud.then_some("--quiet"))
            .env("FATHOM_RECORDS", folder)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        match child::run(&mut command)?.code() {
            Some(0) => Ok(()),
            Some(130) | None => Err(Error::Interrupted),
            Some(code) => Err(Error::Run {
                code: u8::try_from(code).unwrap_or(1),
                text: format!(
                    "{} failed with exit code {code}: its own message stands above",
                    self.path.display()
                ),
            }),
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
/// [`Error::Run`] with the exit code of a program that fails, else as `compare`.
pub fn execute(args: &AbArgs) -> Result<()> {
    let this = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let folder = match (&args.keep, store::folder()) {
        (Some(folder), _) => folder.clone(),
        (None, Some(kept)) => kept.join(format!("ab-{}", host::now().replace(':', "-"))),
        (None, None) => return Err(Error::Usage(format!("{}, or give --keep", store::NO_FOLDER))),
    };
    let side = |name, text| Ok::<_, Error>((folder.join(name), Program::parse(text, &this)?));
    let sides = [side("old", &args.old)?, side("new", &args.new)?];
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
        if has_records(folder)? {
            return Err(Error::Usage(format!(
                "{}: it holds records already, which would be compared too: name an empty folder",
                folder.display()
            )));
        }
    }
    records::check_place(&folder, "ab")?;
    let both: Vec<&str> = args.both.iter().map(String::as_str).collect();
    // An option that one of them does not take is told before the other one is measured.
    for (folder, program) in &sides {
        program.run(&[&both[..], &["--dry-run"]].concat(), folder)?;
    }
    let outcome = take_turns(args, &both, &sides);
    // What was measured before an error counts, if both have a run.
    for (folder, _) in &sides {
        if !has_records(folder)? {
            return outcome;
        }
    }
    let [base, other] = [("old", &sides[0]), ("new", &sides[1])].map(|(name, (folder, _))| {
        let side = records::side(&folder.display().to_string(), &args.out)?;
        Ok::<_, Error>(Side { name: name.into(), ..side })
    });
    let (base, other) = (base?, other?);
    output::note(&args.out, &format!("records  {}", folder.display()));
    let shown = compare::compare(&base, std::slice::from_ref(&other), Alike::AllInTurns).and_then(
        |found| show(&found, &base, &[other], Layout::RecordARow, &args.judged, &args.out),
    );
    output::together([outcome, shown])
}

/// Whether there are records in a folder, which the first run makes.
fn has_records(folder: &Path) -> Result<bool> {
    Ok(folder.is_dir() && !store::files(folder)?.is_empty())
}

fn take_turns(args: &AbArgs, both: &[&str], sides: &[(PathBuf, Program); 2]) -> Result<()> {
    let progress = progress::Progress::new(&args.out, "old and new in turns");
    let runs = 2 * args.repeat;
    for run in 0..runs {
        let side = (run % 2) as usize;
        let label = format!("[{}/{runs}] {}", run + 1, ["old", "new"][side]);
        progress.show(&label, f64::from(run) / f64::from(runs));
        let (folder, program) = &sides[side];
        program.run(both, folder)?;
        // What is no fathom is told before the other side has been measured for nothing.
        if !has_records(folder)? {
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
