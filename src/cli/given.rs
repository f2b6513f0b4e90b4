//! Which options stood on the command line: those that change nothing are refused, even with the value that they have anyway.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::error::{Error, Result};

/// The options that stood there themselves, not by default or by a variable: their identifiers, and their values as typed.
/// It stands before all others: what is read is gone.
#[derive(Debug, Clone)]
pub struct Given(Vec<(String, Vec<OsString>)>);

impl Given {
    /// The first of some options, a list of identifiers, that was given, as it is typed.
    pub(super) fn first(&self, options: &str) -> Option<String> {
        let first = options.split(' ').find(|id| self.0.iter().any(|(given, _)| given == id));
        first.map(|id| format!("--{}", id.replace('_', "-")))
    }

    /// Refuses the first of a command's `idle` options, a list of identifiers, that was given, and says why it would change
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn refuse(&self, command: &str, idle: &str, why: &str) -> Result<()> {
        let refuse = |option| Err(Error::Usage(format!("{command}: {option}: {why}")));
        self.first(idle).map_or(Ok(()), refuse)
    }

    /// What was given of another command's options but for some, a list of identifiers, in words for it.
    pub(super) fn words(&self, command: &Command, but: &str) -> Vec<OsString> {
        let options =
            command.get_arguments().filter(|o| !but.split(' ').any(|id| o.get_id() == id));
        let word = |option: &Arg, value: &OsString| {
            let mut word = OsString::from(format!("--{}", option.get_long().unwrap_or_default()));
            if option.get_action().takes_values() {
                word.push("=");
                word.push(value);
            }
            word
        };
        let mut words = Vec::new();
        for option in options {
            let given = self.0.iter().filter(|(id, _)| option.get_id() == id.as_str());
            words.extend(given.flat_map(|(_, values)| values).map(|value| word(option, value)));
        }
        words
    }
}

/// It adds no option: it sees those of the command that it stands in.
impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let ids = matches.ids().map(clap::Id::as_str);
        let given = ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
        let values = |id| matches.get_raw(id).into_iter().flatten().map(OsString::from).collect();
        Ok(Self(given.map(|id| (id.to_string(), values(id))).collect()))
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
