use crate::record::YardstickPart;

use super::*;

#[test]
fn single_runs_on_a_software_adapter_are_told_apart_by_much_only() {
    let steady = [1e6, 1.001e6, 0.999e6, 1e6, 1.002e6, 0.998e6, 1e6, 1.001e6];
    let slower = steady.map(|ns| ns * 1.31);
    let verdict = |runs: usize, is_software| {
        let [base, other] = [&steady, &slower].map(|ns| vec![ns.as_slice(); runs]);
        judge(&base, &other, &[], least_floor(runs, is_software)).verdict
    };
    // A pair like this was measured: 1.44 ms, then 1.88 ms, of one program, while known work took the same time.
    assert_eq!(verdict(1, true), Verdict::Unsure);
    assert_eq!(verdict(1, false), Verdict::Slower);
    assert_eq!(verdict(REPEATED, true), Verdict::Slower, "their scatter is seen");
}

#[test]
fn a_machine_that_moved_can_hide_a_difference_and_is_not_called_the_same() {
    let steady = [1e6, 1.001e6, 0.999e6, 1e6, 1.002e6, 0.998e6, 1e6, 1.001e6];
    // The steps take as long as before although known work takes four fifths of the time.
    let evidence =
        Evidence { part: YardstickPart::Fma, base: vec![0.0], other: vec![1.25f64.ln()] };
    let finding = judge(&[&steady], &[&steady], &[evidence], LEAST_FLOOR);
    assert_eq!((finding.verdict, finding.reason), (Verdict::Unsure, Reason::MachineMoved));
    assert_eq!(judge(&[&steady], &[&steady], &[], LEAST_FLOOR).verdict, Verdict::Same);
}

#[test]
fn too_few_samples_have_no_interval_by_themselves() {
    assert!(alone(&[&[100.0; 5]]).ci95.0.is_nan());
    assert_eq!(alone(&[&[100.0; 6]]).ci95, (100.0, 100.0));
    assert_eq!(alone(&[&[100.0; 3], &[100.0; 3]]).ci95, (100.0, 100.0));
}

#[test]
fn the_interval_of_a_ratio_is_that_of_its_two_sides_taken_together() {
    let noisy = |ns: f64, width: f64, seed: u32| -> Vec<f64> {
        let wave = |i: u32| f64::from((i * 7919 + seed * 104_729) % 1000) / 1000.0 - 0.5;
        (0..200).map(|i| ns * (1.0 + width * wave(i))).collect()
    };
    for (ours, theirs) in [(0.02, 0.02), (0.3, 0.01), (0.1, 0.2)] {
        let (base, other) = (noisy(100.0, ours, 1), noisy(50.0, theirs, 2));
        let (base, other) = ([base.as_slice()], [other.as_slice()]);
        let found = by_times(&base, &other, LEAST_FLOOR);
        let [a, b] = [alone(&base), alone(&other)];
        let apart = |x: f64, y: f64| x.ln().hypot(y.ln()).exp();
        let ratio = b.step_ns / a.step_ns;
        let low = ratio / apart(b.step_ns / b.ci95.0, a.ci95.1 / a.step_ns);
        let high = ratio * apart(b.ci95.1 / b.step_ns, a.step_ns / a.ci95.0);
        assert!((ratio / found.ratio - 1.0).abs() < 1e-12);
        let width = found.ci95.1 / found.ci95.0 - 1.0;
        assert!((low / found.ci95.0 - 1.0).abs() < 0.25 * width, "{low} {:?}", found.ci95);
        assert!((high / found.ci95.1 - 1.0).abs() < 0.25 * width, "{high} {:?}", found.ci95);
        let floor = DEVIATIONS * (a.variance + b.variance).sqrt();
        assert_eq!(floor.max(LEAST_FLOOR), found.floor);
    }
}
