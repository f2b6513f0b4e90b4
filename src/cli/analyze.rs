//! `fathom analyze`: analyses of records, or of a run made for them.

use std::path::Path;

use clap::Args;

use crate::analysis::similarity::Linkage;
use crate::error::{Error, Result, plain};
use crate::record::Record;
use crate::record::store::{self, Loaded};
use crate::report::section::{self, ANALYSES, Analysis, Options};
use crate::terms::Mode;

use super::given::Given;
use super::range::Range;
use super::run::RunArgs;
use super::{OutputArgs, output};

mod measure;

/// Options of `analyze`.
#[derive(Debug, Clone, Args)]
pub struct AnalyzeArgs {
    #[command(flatten)]
    given: Given,

    /// An analysis, if only one is wanted, then records. The help lists every analysis.
    #[arg(value_name = "PART|RECORD", help = what_help())]
    what: Vec<String>,

    /// Linkage between clusters: centroid (as in the paper), average, single, complete
    #[arg(
        long,
        value_name = "NAME",
        default_value = "centroid",
        hide_possible_values = true,
        help_heading = "Analysis"
    )]
    linkage: Linkage,

    /// Thread counts that `scaling` measures on a CPU adapter
    #[arg(
        long,
        value_name = "N,..|A..B*2",
        value_delimiter = ',',
        default_value = "1,2",
        help_heading = "Analysis"
    )]
    threads: Vec<Range>,

    /// Batch sizes that `scaling` measures
    #[arg(
        long,
        value_name = "N,..|A..B*2",
        value_delimiter = ',',
        default_value = "1..16*2",
        help_heading = "Analysis"
    )]
    batches: Vec<Range>,

    #[command(flatten)]
    run: RunArgs,
}

/// Options that say what is measured and how: records that are named were measured already.
const OF_MEASURING: &str = "workload batch bucket set preset precision data skip_bad seed time max_noise min_samples queue_depth \
    repeat variant tune no_fuse no_verify no_profile on_failure dry_run save_baseline threads batches \
    device backend checks";

fn what_help() -> String {
    format!(
        "One of {} [default: every analysis the records allow], then records: files, folders, @last, @last~1, or the \
         start of an id. Without a record, whatever the analysis needs is run first, with the options below",
        section::names()
    )
}

/// The analysis named, if any, and the names of records.
fn parse(what: &[String]) -> (Option<&'static Analysis>, &[String]) {
    let named = |word: &String| ANALYSES.iter().copied().find(|analysis| analysis.name == word);
    match what.first().and_then(named) {
        Some(analysis) => (Some(analysis), &what[1..]),
        None => (None, what),
    }
}

/// Reads or makes the records, and prints their analyses.
///
/// # Errors
/// [`Error::Data`] for a broken record, [`Error::NothingSelected`] where the records cannot support the
/// analysis, else as [`super::run::execute`].
pub fn execute(args: &AnalyzeArgs) -> Result<()> {
    let (chosen, names) = parse(&args.what);
    if names.is_empty() && args.run.dry_run {
        return measure::dry_run(args, chosen);
    }
    if let Some(name) = names.first() {
        let why = format!("it says what is measured where no record is named, as {name} is");
        args.given.refuse("analyze", OF_MEASURING, &why)?;
    }
    let (records, outcome) = if names.is_empty() {
        measure::records(args, chosen)?
    } else {
        (load(names, &args.run.out)?, Ok(()))
    };
    let options = Options {
        // One mode at a time: training unless another is asked for first.
        modes: vec![args.run.mode.first().copied().unwrap_or(Mode::Train)],
        linkage: args.linkage,
        ops: args.run.ops,
    };
    let analyses = chosen.map_or_else(|| ANALYSES.to_vec(), |analysis| vec![analysis]);
    let sections: Vec<_> =
        analyses.iter().flat_map(|analysis| (analysis.sections)(&records, &options)).collect();
    if sections.is_empty() {
        outcome?;
        let needs = chosen.map_or("a timed run", |analysis| analysis.needs);
        return Err(Error::NothingSelected(format!(
            "nothing to analyze in these records: the analysis needs {needs}"
        )));
    }
    output::data(&section::render(&sections, args.run.out.output)?)?;
    outcome
}

fn load(names: &[String], out: &OutputArgs) -> Result<Vec<Record>> {
    for name in names {
        let is_word = name.chars().all(|c| c.is_ascii_alphabetic());
        let is_id = name.chars().all(|c| c.is_ascii_hexdigit());
        if is_word && !is_id && !Path::new(name).exists() && store::find(name).is_err() {
            return Err(Error::Usage(format!(
                "'{name}' is neither a record nor an analysis: {}",
                section::names()
            )));
        }
    }
    let records = store::find_all(names)?;
    for Loaded { path, record, .. } in &records {
        if let Some(why) = record.integrity.warning() {
            output::note(out, &format!("warning: {}: {why}", plain(path.display())));
        }
    }
    Ok(records.into_iter().map(|loaded| loaded.record).collect())
}
