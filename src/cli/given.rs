//! Which options stood on the command line: those that change nothing are refused, even with the value that they have anyway.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::error::{Error, Result};

/// The options that were given, by their identifiers. It stands before all others: what is read is gone.
#[derive(Debug, Clone, Default)]
pub struct Given(Vec<String>);

impl Given {
    /// Whether an option stood there itself: not its default, and no variable that sets it.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|given| given == id)
    }

    /// Refuses the first of a command's `idle` options, a list of identifiers, that was given, and says why it would change
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn refuse(&self, command: &str, idle: &str, why: &str) -> Result<()> {
        match idle.split(' ').find(|id| self.has(id)) {
            Some(id) => Err(Error::Usage(format!("{command}: --{}: {why}", id.replace('_', "-")))),
            None => Ok(()),
        }
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
        Ok(Self(given.map(str::to_string).collect()))
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
