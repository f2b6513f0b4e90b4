//! Where samples come from: `--data` for one workload or for several.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::error::{Error, Result};
use crate::game;
use crate::workload::{self, DataSource, Opened, Workload, WorkloadInfo};

use super::args::able;
use super::output::{self, VoiceArgs};

/// Where samples come from.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// Real data set instead of the built-in one
    ///
    /// An MNIST folder, a TIMIT tree, a folder of images for each class, the ILSVRC tar, bAbI files, parallel text. For
    /// several workloads: `speech=PATH,memnet=PATH`.
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "What",
        env = "FATHOM_DATA",
        value_parser = OsStringValueParser::new().try_map(DataPaths::parse)
    )]
    pub data: Option<DataPaths>,

    /// Skip what cannot be read of a data set, and list it
    ///
    /// Without this, the first such file stops the run.
    #[arg(long, help_heading = "What")]
    pub skip_bad: bool,

    /// Game that deepq plays [default: breakout]
    ///
    /// `fathom list games` lists them.
    #[arg(long = "env", value_name = "NAME", help_heading = "What")]
    pub game: Option<String>,
}

/// What `--data` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataPaths {
    /// A data set for every workload that is run.
    All(PathBuf),
    /// One for each workload.
    Each(Vec<(&'static str, PathBuf)>),
}

impl DataPaths {
    /// Reads `PATH` or `NAME=PATH,NAME=PATH`. A path may have commas and equals signs of its own.
    ///
    /// # Errors
    /// A workload that is not known, or is named twice.
    fn parse(text: OsString) -> std::result::Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty: name a file or a folder".into());
        }
        let path = PathBuf::from(&text);
        if path.exists() {
            return Ok(Self::All(path));
        }
        let (is_exact, text) = (text.to_str().is_some(), text.to_string_lossy());
        let mut parts: Vec<(&'static str, String)> = Vec::new();
        for part in text.split(',') {
            let named = part
                .split_once('=')
                .and_then(|(name, path)| Some((workload::find(name).ok()?.name, path.to_string())));
            match (named, parts.last_mut()) {
                (Some((name, _)), _) if !is_exact => {
                    let what = "a path that is not UTF-8 cannot be named for some workloads alone";
                    return Err(format!("{what}: run {name} by itself, with --data PATH"));
                }
                (Some(new), _) => parts.push(new),
                (None, Some((_, path))) => *path += &format!(",{part}"),
                (None, None) => {
                    let word = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric());
                    let unknown = text.split_once('=').map(|(name, _)| name).filter(word);
                    let known = unknown.map_or(Ok(()), |name| workload::find(name).map(drop));
                    return known.map(|()| Self::All(path)).map_err(|unknown| unknown.to_string());
                }
            }
        }
        for (at, (name, path)) in parts.iter().enumerate() {
            if path.is_empty() {
                return Err(format!("{name} has no path: write {name}=PATH"));
            }
            if parts[..at].iter().any(|(known, _)| known == name) {
                return Err(format!("{name} is named twice"));
            }
        }
        Ok(Self::Each(parts.into_iter().map(|(name, path)| (name, path.into())).collect()))
    }

    fn of(&self, workload: &str) -> Option<&Path> {
        match self {
            Self::All(path) => Some(path),
            Self::Each(paths) => {
                paths.iter().find(|(name, _)| *name == workload).map(|(_, path)| path.as_path())
            }
        }
    }
}

impl fmt::Display for DataPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(path) => path.display().fmt(f),
            Self::Each(paths) => {
                let each = |(name, path): &(&str, PathBuf)| format!("{name}={}", path.display());
                f.write_str(&paths.iter().map(each).collect::<Vec<_>>().join(","))
            }
        }
    }
}

impl DataArgs {
    /// Refuses data and games for what has no use for them; where all workloads are run, a game is for those that play.
    ///
    /// # Errors
    /// [`Error::Usage`] with a workload that has no real data, does not play, or is not among those chosen, or with the
    /// games there are.
    pub(super) fn check(&self, chosen: &[&WorkloadInfo], are_named: bool) -> Result<()> {
        let wrong = |why| Err(Error::Usage(why));
        if let Some(DataPaths::Each(paths)) = &self.data
            && let Some((name, _)) =
                paths.iter().find(|(name, _)| chosen.iter().all(|w| w.name != *name))
        {
            return wrong(format!("--data {name}=..: {name} is not among what is run"));
        }
        for &&WorkloadInfo { name, plays, real_data, .. } in chosen {
            if let Some(paths) = &self.data
                && real_data.is_none()
                && paths.of(name).is_some()
            {
                let why = if plays {
                    "learns by playing, not from data: choose a game with --env (`fathom list games` lists them)"
                } else {
                    "has built-in data alone: leave --data out"
                };
                return wrong(format!(
                    "--data {paths}: {name} {why}, or name the workloads that the data are for, as in --data speech=PATH"
                ));
            }
            if plays {
                game::find(self.game.as_deref())?;
            } else if are_named && self.game.is_some() {
                let able = able(|workload| workload.plays);
                return wrong(format!("--env: {name} plays no game; {able} does"));
            }
        }
        Ok(())
    }

    /// The source of a workload's samples, with a seed.
    pub(super) fn source(&self, workload: &WorkloadInfo, seed: u64) -> DataSource {
        let path = self.data.as_ref().and_then(|paths| paths.of(workload.name));
        DataSource {
            path: path.map(Path::to_path_buf),
            skip_bad: self.skip_bad,
            game: self.game.clone(),
            seed,
        }
    }

    /// The samples of the models that are run, what is named of them opened.
    ///
    /// # Errors
    /// As [`Opened::new`].
    pub(super) fn open<'a, 'm>(
        &'a self,
        voice: &'a VoiceArgs,
        seed: u64,
        models: impl IntoIterator<Item = &'m dyn Workload>,
    ) -> Result<Opened<'a>> {
        let source = Box::new(move |info: &WorkloadInfo| self.source(info, seed));
        Opened::new(source, Box::new(move |text| output::note(voice, text)), models.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> std::result::Result<DataPaths, String> {
        DataPaths::parse(text.into())
    }

    #[test]
    fn a_path_is_for_all_workloads_unless_they_are_named() {
        assert_eq!(parse("/a/b").unwrap(), DataPaths::All("/a/b".into()));
        let each = parse("speech=/a,b/x=y,memnet=c").unwrap();
        assert_eq!(
            each,
            DataPaths::Each(vec![("speech", "/a,b/x=y".into()), ("memnet", "c".into())])
        );
        assert_eq!(each.to_string(), "speech=/a,b/x=y,memnet=c");
        assert_eq!((each.of("memnet"), each.of("vgg")), (Some(Path::new("c")), None));
        assert!(parse("speech=a,speech=b").unwrap_err().contains("named twice"));
        assert!(parse("").unwrap_err().contains("empty"));
        assert!(parse("memnet=a,speech=").unwrap_err().contains("speech has no path"));
        assert!(parse("speach=a").unwrap_err().contains("did you mean 'speech'"));
        assert_eq!(parse("/a/x=y").unwrap(), DataPaths::All("/a/x=y".into()));
    }

    #[test]
    fn data_for_what_cannot_use_them_are_refused_by_name() {
        let args =
            |text: &str| DataArgs { data: Some(parse(text).unwrap()), skip_bad: false, game: None };
        let find = |name: &str| workload::find(name).unwrap();
        let (speech, deepq) = (find("speech"), find("deepq"));
        args("x").check(&[speech], true).unwrap();
        args("speech=x").check(&[speech, deepq], true).unwrap();
        for (text, chosen) in [("x", vec![speech, deepq]), ("deepq=x", vec![deepq])] {
            let error = args(text).check(&chosen, true).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("deepq learns by playing"), "{error}");
        }
        let game = |name: &str| DataArgs { data: None, skip_bad: false, game: Some(name.into()) };
        game("catch").check(&[deepq], true).unwrap();
        game("catch").check(&[speech, deepq], false).unwrap();
        let error = game("catch").check(&[speech], true).unwrap_err().to_string();
        assert!(error.contains("speech plays no game; deepq does"), "{error}");
        let error = args("memnet=x").check(&[speech], true).unwrap_err().to_string();
        assert!(error.contains("memnet is not among what is run"), "{error}");
    }
}
