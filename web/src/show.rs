//! Records for people: a run as a row, a record as Markdown, records as a report.

use fathom::error::Result;
use fathom::record::{Clock, Record, Run, Status};
use fathom::report::html::{self, NamedRecord};
use fathom::report::section::{headline, score};
use fathom::report::{Format, number};

use crate::message::{Answer, Named, Row};

/// What a row says, in the report's own numbers.
pub(crate) fn row(run: &Run) -> Row {
    let figure =
        |value: Option<f64>, write: fn(f64) -> String| value.map_or_else(|| "-".to_string(), write);
    let clock = run.timing.as_ref().map(|timing| timing.clock);
    let wall = if clock == Some(Clock::Wall) { " (wall clock)" } else { "" };
    Row {
        samples_per_s: figure(run.samples_per_s(), number::digits),
        step: figure(run.step_ns(), number::duration_ns) + wall,
        noise: figure(run.noise(), number::percent),
        rate: figure(run.flop_per_s(), number::flop_rate),
        verified: format!("{} of {}", run.verified.passed, run.verified.checked),
        passed: run.verified.status == Status::Passed,
        doubts: run.doubts.iter().map(|doubt| doubt.brief()).collect(),
    }
}

/// Records as the sections of the program's report.
pub(crate) fn report(records: &[Named]) -> Result<Answer> {
    let named = |named: &Named| {
        let record = Record::parse(&named.text, named.name.as_ref())?;
        Ok(NamedRecord { name: named.name.clone(), text: named.text.clone(), record })
    };
    let sources = records.iter().map(named).collect::<Result<Vec<_>>>()?;
    Ok(Answer::Shown { text: html::sections(&sources)? })
}

/// A record as a block of Markdown that stands by itself.
pub(crate) fn markdown(text: &str) -> Result<Answer> {
    let record = Record::parse(text, "record.json".as_ref())?;
    let mut block = headline::opening(&record, Format::Md)?;
    for ended in 1..=record.runs.len() {
        let mut until = record.clone();
        until.runs.truncate(ended);
        block += &headline::row(&until, Format::Md)?;
    }
    block += &headline::closing(&record, Format::Md, false, false)?;
    let user_agent = record.host.browser.as_ref().map(|b| b.user_agent.as_str());
    block += &format!(
        "\n{}\n\nMeasured {} by fathom {} ({}) in {} on {} ({}); record {}\n",
        sentence(&score::line(&record, "")),
        record.created,
        record.tool.version,
        record.tool.commit(),
        record.device.driver,
        record.host.os,
        user_agent.unwrap_or("no user agent"),
        record.id,
    );
    Ok(Answer::Shown { text: block })
}

/// A text that begins with a capital.
fn sentence(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_ascii_uppercase() + rest
}
