//! One verdict over all cells of a side.

use crate::stats::geometric_mean;

use super::Row;
use super::verdict::{DEVIATIONS, Finding, RESOLUTION, Reason, Verdict};

/// How a side does on the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overall {
    /// Faster, slower, the same or unsure.
    pub verdict: Verdict,
    /// Geometric mean of the cells' ratios: above 1 is slower.
    pub ratio: f64,
    /// 95 % interval of it.
    pub ci95: (f64, f64),
    /// What the mean of two runs of the same program may differ by, as a share.
    pub floor: f64,
    /// Cells it is the mean of.
    pub cells: usize,
    /// Cells left out because the machine moved, by enough to make up a difference.
    pub moved: usize,
}

/// Standard deviations of a 95 % interval.
pub const NORMAL_95: f64 = 1.96;

/// Over some cells; nothing without any.
///
/// The cells' noise averages out only as far as it is each cell's own: what moves a whole run (clocks, placement, a
/// neighbour) moves all of its cells. So the floor is never below the lowest of the cells' floors. Cells in which the
/// machine itself is known to have moved are not evidence, and where most are like that, there is no verdict.
pub fn overall(rows: &[&Row]) -> Option<Overall> {
    let has_moved = |finding: &&Finding| finding.reason == Reason::MachineMoved;
    let findings: Vec<&Finding> = rows.iter().map(|row| &row.finding).collect();
    let (moved, sound): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|f| has_moved(f));
    if 2 * moved.len() > findings.len() {
        return of(&findings).map(|whole| Overall { verdict: Verdict::Unsure, ..whole });
    }
    of(&sound).map(|whole| Overall { moved: moved.len(), ..whole })
}

fn of(findings: &[&Finding]) -> Option<Overall> {
    let ratio = geometric_mean(&findings.iter().map(|f| f.ratio).collect::<Vec<_>>());
    let cells = findings.len() as f64;
    let lowest = findings.iter().map(|f| f.floor).reduce(f64::min)?;
    let averaged = findings.iter().map(|f| f.floor.powi(2)).sum::<f64>().sqrt() / cells;
    let floor = averaged.max(lowest);
    let is_known = findings.iter().all(|f| f.floor.is_finite() && f.ci95.0.is_finite());
    // A cell's ratio is as uncertain as its floor says, or its interval if that is wider: to each side by what lies there,
    // since few samples often leave much more to one (the method of variance estimates recovery: Donner and Zou 2012).
    let reach = |end: fn(&Finding) -> f64| {
        let of_floor = |f: &Finding| NORMAL_95 * f.floor / DEVIATIONS;
        let square = |f: &&Finding| of_floor(f).max(end(f).ln()).powi(2);
        // The mean of what is known and what is not is not known.
        let known =
            is_known.then(|| (findings.iter().map(square).sum::<f64>().sqrt() / cells).exp());
        known.unwrap_or(f64::NAN)
    };
    let ci95 = (ratio / reach(|f| f.ratio / f.ci95.0), ratio * reach(|f| f.ci95.1 / f.ratio));
    let is_apart = ratio.ln().abs() > (1.0 + floor).ln() && !(ci95.0..=ci95.1).contains(&1.0);
    let verdict = match (is_known && ratio.is_finite(), is_apart) {
        _ if findings.len() == 1 => findings[0].verdict,
        (true, true) if ratio > 1.0 => Verdict::Slower,
        (true, true) => Verdict::Faster,
        (true, false) if floor <= RESOLUTION => Verdict::Same,
        _ => Verdict::Unsure,
    };
    Some(Overall { verdict, ratio, ci95, floor, cells: findings.len(), moved: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RunKey;
    use crate::terms::Mode;

    fn row(ratio: f64, floor: f64) -> Row {
        let finding = Finding {
            verdict: Verdict::Unsure,
            reason: Reason::FloorTooHigh,
            ratio,
            ci95: (ratio * 0.99, ratio * 1.01),
            effect: 0.0,
            floor,
            runs: 1.0,
        };
        let key = RunKey { workload: "speech".into(), mode: Mode::Train, batch: 1 };
        Row {
            key,
            side: 0,
            base_ns: 1.0,
            other_ns: ratio,
            finding,
            same_program: true,
            agreement: None,
        }
    }

    fn whole(rows: &[Row]) -> Overall {
        overall(&rows.iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn sixteen_cells_too_noisy_to_tell_are_unsure_on_the_whole() {
        let rows: Vec<Row> =
            (0..16).map(|i| row(if i % 2 == 0 { 1.2 } else { 1.0 / 1.2 }, 0.5)).collect();
        let whole = whole(&rows);
        assert_eq!((whole.verdict, whole.cells), (Verdict::Unsure, 16));
        assert!((whole.ratio - 1.0).abs() < 1e-9 && whole.ci95.0 < 0.95 && whole.ci95.1 > 1.05);
    }

    #[test]
    fn a_difference_in_every_cell_shows_on_the_whole() {
        let slower: Vec<Row> = (0..16).map(|_| row(1.1, 0.03)).collect();
        assert_eq!(whole(&slower).verdict, Verdict::Slower);
        let faster: Vec<Row> = (0..16).map(|_| row(0.9, 0.03)).collect();
        let found = whole(&faster);
        assert_eq!(found.verdict, Verdict::Faster);
        assert!(found.ci95.0 < 0.9 && 0.9 < found.ci95.1 && found.ci95.1 < 1.0);
        assert_eq!(whole(&[row(1.01, 0.03), row(0.99, 0.03)]).verdict, Verdict::Same);
    }

    #[test]
    fn a_single_cell_is_the_whole_and_an_interval_reaches_as_far_to_each_side_as_its_cells_do() {
        let mut lopsided = row(2.7, 0.03);
        lopsided.finding.ci95 = (0.8, 3.2);
        let one = whole(&[lopsided.clone()]);
        assert_eq!(one.verdict, Verdict::Unsure);
        assert!((one.ci95.0 - 0.8).abs() < 1e-9 && (one.ci95.1 - 3.2).abs() < 1e-9, "{one:?}");
        lopsided.finding.verdict = Verdict::Slower;
        assert_eq!(whole(&[lopsided.clone()]).verdict, Verdict::Slower, "as its row says");
        // Four of the same are known twice as well, to either side.
        let four = whole(&[(); 4].map(|()| lopsided.clone()));
        let half = |end: f64| 2.7 * (end / 2.7_f64).sqrt();
        assert!((four.ci95.0 - half(0.8)).abs() < 1e-9 && (four.ci95.1 - half(3.2)).abs() < 1e-9);
    }

    #[test]
    fn what_moves_all_cells_alike_does_not_average_out() {
        let rows: Vec<Row> = (0..16).map(|_| row(1.02, 0.03)).collect();
        let whole = whole(&rows);
        assert_eq!((whole.verdict, whole.floor), (Verdict::Same, 0.03));
    }

    #[test]
    fn cells_in_which_the_machine_moved_are_no_evidence() {
        let rows = |moved: usize| -> Vec<Row> {
            let row = |i: usize| {
                let mut row = row(1.5, 0.03);
                row.finding.reason =
                    if i < moved { Reason::MachineMoved } else { Reason::BeyondFloor };
                row
            };
            (0..16).map(row).collect()
        };
        let few = whole(&rows(3));
        assert_eq!((few.verdict, few.cells, few.moved), (Verdict::Slower, 13, 3));
        assert_eq!(whole(&rows(9)).verdict, Verdict::Unsure);
        assert_eq!(whole(&rows(16)).verdict, Verdict::Unsure);
    }

    #[test]
    fn nothing_is_said_of_cells_that_were_not_measured() {
        assert_eq!(overall(&[]), None);
        let unknown = whole(&[row(2.0, f64::NAN), row(2.0, 0.01)]);
        assert_eq!((unknown.verdict, unknown.ratio), (Verdict::Unsure, 2.0));
        assert!(unknown.ci95.0.is_nan() && unknown.ci95.1.is_nan());
    }
}
