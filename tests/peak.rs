//! The ceilings on the adapter present.

use std::time::Duration;

use fathom::gpu::{Gpu, Selector};
use fathom::measure::peak::measure;
use fathom::terms::Checks;

#[test]
fn ceilings_are_positive_and_the_best_of_what_was_tried() {
    let gpu = Gpu::open(&Selector::default(), Checks::Off).unwrap();
    let measured = measure(&gpu, Duration::from_millis(500), &|_| {}).unwrap();
    let peaks = &measured.peaks;
    assert!(peaks.fma_f32_flop_per_s > 1e8 && peaks.copy_bytes_per_s > 1e7, "{peaks:?}");
    assert!(peaks.launch_ns > 0.0 && peaks.submit_ns > 0.0 && peaks.pipeline_ns > 0.0);
    let best = |kind: &str| {
        let rates = measured.candidates.iter().filter(|(label, _)| label.contains(kind));
        rates.map(|(_, rate)| *rate).fold(0.0, f64::max)
    };
    assert_eq!(best("fma"), peaks.fma_f32_flop_per_s);
    assert_eq!(best("copy"), peaks.copy_bytes_per_s);
}
