//! Real runs of one program, held against each other: `scripts/aa` makes them and asks for this.

#![allow(clippy::print_stdout, reason = "scripts/aa shows the table")]

use std::path::Path;

use crate::random::Rng;
use crate::record::{Record, Status, store};

use super::*;

/// By how much a side is made slower.
const PLANTED: f64 = 1.03;

/// How often each verdict of [`Verdict::ALL`] was given.
#[derive(Default)]
struct Counts([usize; 4]);

impl Counts {
    /// Compares two sides, cell by cell, of which the other's times are multiplied.
    fn add(&mut self, base: &[&Record], other: &[&Record], factor: f64) {
        let side = |name: &str, records: &[&Record]| Side {
            name: name.into(),
            records: records.iter().map(|&record| record.clone()).collect(),
        };
        let (base, mut other) = (side("base", base), side("other", other));
        for run in other.records.iter_mut().flat_map(|record| &mut record.runs) {
            let timing = run.timing.as_mut().expect("a timed run");
            timing.step_ns.iter_mut().chain(&mut timing.wall_ns).for_each(|ns| *ns *= factor);
        }
        let comparison = compare(&base, &[other], Alike::All).expect("records of one program");
        for row in comparison.rows {
            let verdict = row.finding.verdict;
            self.0[Verdict::ALL.iter().position(|known| *known == verdict).unwrap()] += 1;
        }
    }

    fn all(&self) -> usize {
        self.0.iter().sum()
    }

    /// A row of the table in docs/measuring.md.
    fn print(&self, what: &str) {
        let [faster, slower, same, unsure] = self.0;
        println!("| {what} | {} | {faster} | {slower} | {same} | {unsure} |", self.all());
    }
}

/// The records of these folders. Of a program that some run verified, others may have been timed without it.
fn records<const N: usize>(folders: [&Path; N]) -> [Vec<Record>; N] {
    let load = |folder| -> Vec<Record> {
        let files = store::files(folder).unwrap();
        files.iter().map(|file| Record::load(file).unwrap()).collect()
    };
    let mut records = folders.map(load);
    let runs = records.iter().flatten().flat_map(|record| &record.runs);
    let passed = runs.filter(|run| run.verified.status == Status::Passed);
    let verified: Vec<_> = passed.map(|run| (run.program.clone(), run.verified.clone())).collect();
    for run in records.iter_mut().flatten().flat_map(|record| &mut record.runs) {
        if let Some((_, known)) = verified.iter().find(|(program, _)| *program == run.program) {
            run.verified = known.clone();
        }
    }
    records
}

/// The records at these places.
fn at(records: &[Record], places: impl Iterator<Item = usize>) -> Vec<&Record> {
    places.map(|i| &records[i]).collect()
}

/// Two sides in turns, old new old new, from ten runs in a row.
fn turns(records: &[Record], first: usize) -> [Vec<&Record>; 2] {
    [0, 1].map(|side| at(records, (0..5).map(|i| first + 2 * i + side)))
}

/// Five runs in a row.
fn five_of<'a>(records: &'a [Record], rng: &mut Rng) -> Vec<&'a Record> {
    let first = rng.below(records.len() - 4);
    at(records, first..first + 5)
}

#[test]
#[ignore = "reads the records that scripts/aa makes, in the folder that FATHOM_AA names"]
fn real_runs_of_one_program_are_seldom_told_apart() {
    let folder =
        std::env::var("FATHOM_AA").expect("FATHOM_AA names a folder with quiet/ and busy/");
    let [quiet, busy] = ["quiet", "busy"].map(|name| Path::new(&folder).join(name));
    let [quiet, busy] = records([&quiet, &busy]);
    println!("| sides | comparisons | FASTER | SLOWER | SAME | UNSURE |");
    println!("|---|---|---|---|---|---|");
    let mut wrong = Vec::new();
    let mut pairs = Counts::default();
    for i in 1..quiet.len() {
        pairs.add(&[&quiet[i - 1]], &[&quiet[i]], 1.0);
    }
    pairs.print("quiet, a run each");
    let [mut same, mut planted] = [Counts::default(), Counts::default()];
    for first in 0..=quiet.len() - 10 {
        let [base, other] = turns(&quiet, first);
        same.add(&base, &other, 1.0);
        planted.add(&base, &other, PLANTED);
    }
    same.print("quiet, five runs each in turns");
    planted.print("the same, one side 3 % slower");
    let mut rng = Rng::new(1);
    let [mut one, mut five] = [Counts::default(), Counts::default()];
    for (i, neighboured) in busy.iter().enumerate() {
        one.add(&[&quiet[i % quiet.len()]], &[neighboured], 1.0);
        five.add(&five_of(&quiet, &mut rng), &five_of(&busy, &mut rng), 1.0);
    }
    one.print("a neighbour on one side, a run each");
    five.print("a neighbour on one side, five runs each");
    for (what, counts) in [("pairs", &pairs), ("turns", &same), ("one", &one), ("five", &five)] {
        let [faster, slower, ..] = counts.0;
        if (faster + slower) * 100 > counts.all() {
            wrong.push(format!("{what}: {} of {}", faster + slower, counts.all()));
        }
    }
    assert!(wrong.is_empty(), "more than 1 in 100 told apart: {wrong:?}");
    let [_, found, ..] = planted.0;
    assert!(found * 100 >= planted.all() * 95, "3 % found in {found} of {}", planted.all());
}
