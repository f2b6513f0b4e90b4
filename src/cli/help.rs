//! Longer texts: examples, topics, completions.

use clap::CommandFactory;

use crate::error::{EXIT_CODES, Error, Result};

use super::{Cli, output};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  fathom                                   every workload, both modes, on the best device
  fathom -w speech -m train -b 8..64*2     one workload, training, four batch sizes
  fathom -w autoenc -o json > r.json       the whole record on stdout
  fathom analyze profile @last             where the time of the last run went
  fathom report @last -o report.html       the last run as a page
  fathom compare @last~1 @last --fail-on slower:3%   did it get slower?
  fathom ab ./old/fathom ./new/fathom -- -w speech   the same in turns, five runs each
  fathom list devices                      the devices available
  fathom snapshot -w speech --out s.safetensors   one step, for another framework to check

Environment:
  FATHOM_DEVICE, FATHOM_BACKEND, FATHOM_WORKLOAD, FATHOM_PRESET, FATHOM_SEED, FATHOM_DATA
                    set the options of the same names; the command line takes precedence
  FATHOM_RECORDS    folder for records instead of the user's data folder
  FATHOM_REQUIRE    gpu: fail rather than run on the CPU
  FATHOM_SHADERS    folder to read WGSL from instead of the shaders compiled in
  NO_COLOR          turns colours off

Exit codes: `fathom help exit-codes`; how to read the figures: `fathom help measuring`";

const MEASURING: &str = include_str!("../../docs/measuring.md");
const RECORD: &str = include_str!("../../docs/record.md");

/// Prints a topic, the help of a command, or the help of fathom itself.
///
/// # Errors
/// [`Error::Usage`] for an unknown word, else as [`output::data`].
pub fn explain(topic: Option<&str>) -> Result<()> {
    let mut command = Cli::command();
    match topic {
        None => output::data(&command.render_long_help().ansi().to_string()),
        Some("measuring") => output::data(MEASURING),
        Some("record") => output::data(RECORD),
        Some("exit-codes") => {
            let line = |(code, meaning): &(u8, &str)| format!("{code:4}  {meaning}\n");
            output::data(&EXIT_CODES.iter().map(line).collect::<String>())
        }
        Some(name) => match command.find_subcommand_mut(name) {
            Some(found) => output::data(&found.render_long_help().ansi().to_string()),
            None => Err(Error::Usage(format!(
                "no command or topic '{name}': the topics are measuring, record and exit-codes, and \
                 `fathom --help` lists the commands"
            ))),
        },
    }
}

/// Prints a completion script.
///
/// # Errors
/// As [`output::data`].
pub fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fathom", &mut script);
    output::data(&String::from_utf8_lossy(&script))
}
