//! Longer texts: examples, topics, completions; and the short help, which is one screen.

use clap::{Arg, Command, CommandFactory};

use crate::error::{EXIT_CODES, Error, Result};
use crate::host::terminal_width;
use crate::report::table::prose;
use crate::workload::nearest;

use super::{Cli, output};

/// Shown under `fathom -h`.
pub const MORE: &str = "\
Options of a run: `fathom run -h`. All of it with examples: `fathom --help`.";

/// Shown under `fathom --help`.
pub const EXAMPLES: &str = include_str!("help/fathom.txt");

/// Each command's name above its examples: what to type, and what that is for.
const OF_COMMANDS: &str = include_str!("help/examples.txt");

/// Options that the short help leaves to the long one.
const RARE: &str = "allow-noncompliant backend checks color limits min-samples no-fuse precision require save-baseline seed \
    skip-bad tune variant wait-limit without";

/// The command line as it is parsed: `-h` of the program is one screen, that lists the commands alone, and every
/// command has its examples.
pub fn command() -> Command {
    let mut command = Cli::command();
    command.build();
    for found in command.get_subcommands_mut() {
        let examples = OF_COMMANDS.lines().skip_while(|line| *line != found.get_name()).skip(1);
        let examples: Vec<_> = examples.take_while(|line| !line.is_empty()).collect();
        let text = format!("Examples:\n{}", examples.join("\n"));
        *found = found.clone().after_help(text).mut_args(terse);
    }
    command
        .mut_subcommand("tune", super::tune::help)
        .mut_args(|argument| terse(argument).hide_short_help(true))
}

/// An option as the short help has it; the variables that set it are listed once, under `fathom --help`.
fn terse(argument: Arg) -> Arg {
    let is_rare = argument.get_long().is_some_and(|long| RARE.split(' ').any(|rare| rare == long));
    // `--time -1` is a value to refuse with its range, not an option that nobody has.
    argument.hide_env(true).hide_short_help(is_rare).allow_negative_numbers(true)
}

const MEASURING: &str = include_str!("../../docs/measuring.md");
const RECORD: &str = include_str!("../../docs/record.md");

const TOPICS: [&str; 3] = ["measuring", "record", "exit-codes"];

/// Prints a topic, the help of a command, or the help of fathom itself.
///
/// # Errors
/// [`Error::Usage`] for an unknown word, else as [`output::data`].
pub fn explain(topic: Option<&str>) -> Result<()> {
    let mut command = command();
    match topic {
        None => output::styled(&command.render_long_help().ansi().to_string()),
        Some("measuring") => output::data(&read(MEASURING, terminal_width())),
        Some("record") => output::data(&read(RECORD, terminal_width())),
        Some("exit-codes") => {
            let line = |(code, meaning): &(u8, &str)| format!("{code:4}  {meaning}\n");
            output::data(&EXIT_CODES.iter().map(line).collect::<String>())
        }
        Some(name) => match command.find_subcommand_mut(name) {
            Some(found) => output::styled(&found.render_long_help().ansi().to_string()),
            None => Err(unknown(name, &command)),
        },
    }
}

/// A topic's Markdown as a terminal shows it: paragraphs and items in lines of its width, all else as it is.
fn read(topic: &str, room: Option<usize>) -> String {
    if room.is_none() {
        return topic.into();
    }
    let mut blocks: Vec<String> = Vec::new();
    for line in topic.lines() {
        let begins = is_fixed(line) || line.trim_start().starts_with("- ");
        match blocks.last_mut().filter(|block| !begins && !is_fixed(block)) {
            Some(block) => *block += &format!(" {}", line.trim_start()),
            None => blocks.push(line.into()),
        }
    }
    let shown = |block: &String| match is_fixed(block) {
        true => format!("{block}\n"),
        false => prose(block, room) + "\n",
    };
    blocks.iter().map(shown).collect()
}

/// Whether a line of Markdown stands by itself: of a table, of code, a heading, an empty one.
fn is_fixed(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', '|']) || line.starts_with("    ")
}

/// The error for a word that is neither, with the one that may be meant.
fn unknown(name: &str, command: &Command) -> Error {
    let known: Vec<_> = command.get_subcommands().map(Command::get_name).chain(TOPICS).collect();
    let near =
        nearest(name, &known).map_or(String::new(), |near| format!(": did you mean '{near}'?"));
    Error::Usage(format!(
        "no command or topic '{name}'{near}\nthe topics are measuring, record and exit-codes, and `fathom -h` lists \
         the commands"
    ))
}

/// Prints a completion script.
///
/// # Errors
/// As [`output::data`].
pub fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "fathom", &mut script);
    output::data(&String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command under its name, the program itself first.
    fn commands() -> Vec<Command> {
        let whole = command();
        std::iter::once(whole.clone()).chain(whole.get_subcommands().cloned()).collect()
    }

    #[test]
    fn the_short_help_is_one_screen() {
        let text = command().render_help().to_string();
        assert!(text.lines().count() <= 24, "{} lines:\n{text}", text.lines().count());
        assert!(text.contains("compare") && text.contains("fathom run -h"), "{text}");
    }

    #[test]
    fn no_line_of_help_is_wider_than_80_columns() {
        for mut command in commands() {
            for text in [command.render_help().to_string(), command.render_long_help().to_string()]
            {
                let wide: Vec<_> = text.lines().filter(|l| l.chars().count() > 80).collect();
                assert!(wide.is_empty(), "{}: {wide:#?}", command.get_name());
            }
        }
    }

    #[test]
    fn topics_are_folded_at_spaces_and_their_code_and_tables_are_not() {
        let topic = "# A topic\n\nWords that go on\nin the next line.\n- an item that\n  goes on\n\n    code  that is wide\n| a | table that is wide |\n";
        let folded = "# A topic\n\nWords that\ngo on in the\nnext line.\n- an item\n  that goes\n  on\n\n    code  that is wide\n| a | table that is wide |\n";
        assert_eq!(read(topic, Some(12)), folded);
        assert_eq!(read(topic, None), topic);
        for topic in [MEASURING, RECORD] {
            let folded = read(topic, Some(80));
            assert!(folded.lines().all(|line| line.chars().count() <= 80), "{folded}");
            assert!(folded.split_whitespace().eq(topic.split_whitespace()), "{folded}");
        }
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        for mut command in commands() {
            let text = command.render_long_help().to_string();
            let name = command.get_name().to_string();
            let examples =
                text.split("Examples:").nth(1).unwrap_or_else(|| panic!("{name} has none"));
            let lines = examples.lines().filter(|line| line.starts_with("  fathom"));
            assert!(lines.clone().count() > 0, "{name}: {text}");
            for line in lines {
                // What it is for stands behind it; a shell takes what follows a redirection.
                let typed = line.trim().split("  ").next().unwrap().split(" >").next().unwrap();
                let parsed = super::command().try_get_matches_from(typed.split_whitespace());
                assert!(parsed.is_ok(), "{typed}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn a_mistyped_command_or_topic_is_answered_with_the_nearest() {
        for (typed, meant) in
            [("mesuring", "measuring"), ("exit-code", "exit-codes"), ("compar", "compare")]
        {
            let error = explain(Some(typed)).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean '{meant}'?")), "{error}");
        }
        let error = super::command().try_get_matches_from(["fathom", "analize"]).unwrap_err();
        assert!(error.to_string().contains("'analyze'"), "{error}");
    }

    #[test]
    fn one_letter_means_one_thing_in_every_command() {
        let mut meanings: Vec<(char, String)> = Vec::new();
        for command in commands() {
            for argument in command.get_arguments() {
                if argument.get_long() == Some("output") {
                    let of = argument.get_value_names().unwrap_or_default();
                    assert_eq!(of, ["FORMAT"], "--output of {}", command.get_name());
                }
                let Some(letter) = argument.get_short() else {
                    continue;
                };
                let long = argument.get_long().unwrap_or_default().to_string();
                match meanings.iter().find(|(known, _)| *known == letter) {
                    Some((_, known)) => {
                        assert_eq!(*known, long, "-{letter} in {}", command.get_name())
                    }
                    None => meanings.push((letter, long)),
                }
            }
        }
        assert!(meanings.contains(&('o', "output".into())), "{meanings:?}");
    }
}
