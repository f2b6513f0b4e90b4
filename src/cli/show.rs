//! `fathom show`: a model's layers, its program, its memory, the WGSL of a kernel in it; or a kept record.

use clap::Args;

use crate::error::{Result, plain};
use crate::listing::model::{
    KernelText, heading, memory, parameters, program, source_table, sources,
};
use crate::measure::suite::schedules;
use crate::record::id;
use crate::record::store::{self, Loaded};
use crate::report::Format;
use crate::report::section::records as section;
use crate::report::table::paragraph;
use crate::terms::Mode;
use crate::workload::{self, WorkloadInfo};

use super::choice::ChoiceArgs;
use super::given::Given;
use super::{DeviceArgs, OutputArgs, SizeArgs, output};

/// Options of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    given: Given,

    /// Workload (see `fathom list workloads`), or a record to print again: a file, @last, @last~1, a baseline, or
    /// the start of an id
    #[arg(value_name = "WORKLOAD|RECORD")]
    subject: String,

    /// Training or inference: train, infer
    #[arg(short, long, value_name = "MODE", default_value = "train", hide_possible_values = true)]
    mode: Mode,

    #[command(flatten)]
    size: SizeArgs,

    /// List the dispatches of a step: op, variant, shapes, work
    #[arg(long, group = "what")]
    program: bool,

    /// List the memory plan: buffers, bytes planned and the least possible
    #[arg(long, group = "what")]
    memory: bool,

    /// Print the assembled WGSL of the ops whose label contains this
    #[arg(long, group = "what", value_name = "LABEL")]
    kernel: Option<String>,

    #[command(flatten)]
    choice: ChoiceArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    out: OutputArgs,
}

/// Options that a record does not heed: it is printed as it was measured.
const OF_A_MODEL: &str = "program memory kernel mode batch set preset precision no_fuse variant tune device backend checks";

/// Prints one view of a model, or a record's figures.
///
/// # Errors
/// [`crate::error::Error::Usage`] for an unknown workload or label; as [`store::find`] for what is meant to be a record.
pub fn execute(args: &ShowArgs) -> Result<()> {
    match workload::find(&args.subject) {
        Ok(workload) => model(args, workload),
        Err(unknown) => match store::find(&args.subject) {
            Ok(records) => kept(args, &records),
            // A word that only misses by a letter is meant as a workload.
            Err(error) => Err(if is_word(&args.subject) { unknown } else { error }),
        },
    }
}

/// Whether it cannot name a record: those names have digits, dots or signs in them.
fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphabetic())
}

/// Prints what a run printed, or hands out the record's own text.
fn kept(args: &ShowArgs, records: &[Loaded]) -> Result<()> {
    let why = format!("it is of a workload's step, and {} is a record", args.subject);
    args.given.refuse("show", OF_A_MODEL, &why)?;
    for Loaded { path, record, .. } in records {
        let text = format!("record  {}  {}", id::short(&record.id), plain(path.display()));
        output::note(&args.out, &text);
    }
    output::emit(&args.out, |form| section::printed(records, form))
}

fn model(args: &ShowArgs, workload: &WorkloadInfo) -> Result<()> {
    // Variants depend on the device; without one, on what every device offers.
    let mut gpu = args.device.open_if_any()?;
    let (preset, model) = args.size.configure(workload, gpu.as_ref())?;
    let step = [(model, args.mode)];
    let options = args.choice.options(&args.out, gpu.as_mut(), &step)?;
    let caps = args.device.caps(gpu.as_ref());
    let schedule = schedules(&step, &caps, &options)?.remove(0);
    let model = step[0].0.as_ref();
    if let Some(label) = &args.kernel {
        let sources = sources(&schedule, label, &caps)?;
        return output::emit(&args.out, |form| match form {
            Format::Table => Ok(sources.iter().map(KernelText::text).collect()),
            _ => source_table(&sources).render(form),
        });
    }
    if args.program {
        return output::emit(&args.out, |form| program(&schedule).render(form));
    }
    let table = if args.memory { memory(&schedule) } else { parameters(&schedule) };
    let head = heading(model, args.mode, preset, options.precision, &schedule);
    output::emit(&args.out, |form| {
        let head = if form == Format::Table { paragraph(&head) + "\n" } else { String::new() };
        Ok(format!("{head}{}", table.render(form)?))
    })
}
