//! Where samples come from: `--data` for one workload or for several.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::error::{Error, Result};
use crate::workload::{self, DataSource, Opened, WORKLOADS, Workload, WorkloadInfo};

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
        let Some(text) = text.to_str() else {
            let shown = text.to_string_lossy();
            let name = shown.split_once('=').map_or("", |(name, _)| name);
            if WORKLOADS.iter().any(|workload| workload.name == name) {
                let what = "a path that is not UTF-8 cannot be named for some workloads alone";
                return Err(format!("{what}: run {name} by itself, with --data PATH"));
            }
            return Ok(Self::All(path));
        };
        let named = |part: &str| {
            let (name, path) = part.split_once('=')?;
            let known = WORKLOADS.iter().find(|workload| workload.name == name)?;
            Some((known.name, path.to_string()))
        };
        let mut parts: Vec<(&'static str, String)> = Vec::new();
        for part in text.split(',') {
            match (named(part), parts.last_mut()) {
                (Some(new), _) => parts.push(new),
                (None, Some((_, path))) => *path += &format!(",{part}"),
                (None, None) => {
                    let word = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric());
                    return match text.split_once('=').map(|(name, _)| name).filter(word) {
                        Some(name) => {
                            workload::find(name).map(|_| Self::All(path)).map_err(|e| e.to_string())
                        }
                        None => Ok(Self::All(path)),
                    };
                }
            }
        }
        if let Some((name, _)) = parts.iter().find(|(_, path)| path.is_empty()) {
            return Err(format!("{name} has no path: write {name}=PATH"));
        }
        let mut names: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|two| two[0] == two[1]) {
            return Err(format!("{} is named twice", twice[0]));
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
    /// Refuses data for what has no use for them.
    ///
    /// # Errors
    /// [`Error::Usage`] with a workload that learns by playing, or one that is not among those chosen.
    pub fn check(&self, chosen: &[&WorkloadInfo]) -> Result<()> {
        let Some(paths) = &self.data else { return Ok(()) };
        if let DataPaths::Each(paths) = paths {
            let other = |(name, _): &&(&str, PathBuf)| chosen.iter().all(|w| w.name != *name);
            if let Some((name, _)) = paths.iter().find(other) {
                return Err(Error::Usage(format!(
                    "--data {name}=..: {name} is not among what is run"
                )));
            }
        }
        let player = chosen.iter().find(|w| w.plays && paths.of(w.name).is_some());
        player.map_or(Ok(()), |player| {
            Err(Error::Usage(format!(
                "--data {paths}: {0} learns by playing, not from data: choose a game with --env (`fathom list \
                 games` lists them), or name the workloads that the data are for, as in --data speech=PATH",
                player.name
            )))
        })
    }

    /// The source of a workload's samples, with a seed.
    ///
    /// # Errors
    /// As [`DataArgs::check`].
    pub fn source(&self, workload: &WorkloadInfo, seed: u64) -> Result<DataSource> {
        self.check(&[workload])?;
        Ok(self.unchecked_source(workload.name, seed))
    }

    fn unchecked_source(&self, workload: &str, seed: u64) -> DataSource {
        DataSource {
            path: self.data.as_ref().and_then(|paths| paths.of(workload)).map(Path::to_path_buf),
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
        models: impl Iterator<Item = &'m dyn Workload>,
    ) -> Result<Opened<'a>> {
        let source = Box::new(move |info: &WorkloadInfo| self.unchecked_source(info.name, seed));
        Opened::new(source, Box::new(move |text| output::note(voice, text)), models)
    }

    /// The same for one model.
    ///
    /// # Errors
    /// As [`DataArgs::open`] and [`DataArgs::check`].
    pub(super) fn open_one<'a>(
        &'a self,
        voice: &'a VoiceArgs,
        seed: u64,
        model: &dyn Workload,
    ) -> Result<Opened<'a>> {
        self.check(&[model.info()])?;
        self.open(voice, seed, std::iter::once(model))
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
        args("x").check(&[speech]).unwrap();
        args("speech=x").check(&[speech, deepq]).unwrap();
        for (text, chosen) in [("x", vec![speech, deepq]), ("deepq=x", vec![deepq])] {
            let error = args(text).check(&chosen).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("deepq learns by playing"), "{error}");
        }
        let error = args("memnet=x").check(&[speech]).unwrap_err().to_string();
        assert!(error.contains("memnet is not among what is run"), "{error}");
    }
}
