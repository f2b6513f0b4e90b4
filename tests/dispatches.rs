//! How many dispatches a full step takes on a GPU, and how many bytes these move: no more than this table says.

use fathom::kernel::Caps;
use fathom::pass::Options;
use fathom::session::schedule;
use fathom::terms::{Mode, Preset};
use fathom::workload;

#[path = "common/caps.rs"]
mod caps;

/// A line of [`MOST`].
type Most = (&'static str, [(usize, u64); 2], [usize; 2]);

/// Workload; dispatches and megabytes of a training step and of one of inference, on the least a GPU may be; and the
/// dispatches of both on one whose bindings are as long as buffers are.
///
/// Winograd's products take three dispatches where the definition takes one or two, and four for both gradients: in residual
/// every layer of 3 x 3 with stride 1 has them, in alexnet the last three.
const MOST: [Most; 8] = [
    ("alexnet", [(71, 3880), (27, 934)], [62, 23]),
    ("autoenc", [(28, 40), (9, 6)], [28, 9]),
    ("deepq", [(36, 101), (9, 14)], [36, 9]),
    ("memnet", [(12, 10), (3, 4)], [12, 3]),
    ("residual", [(350, 3645), (101, 701)], [350, 101]),
    ("seq2seq", [(591, 1004), (356, 4105)], [591, 356]),
    ("speech", [(3237, 16_759), (1590, 3681)], [1610, 794]),
    ("vgg", [(173, 7712), (71, 1631)], [147, 61]),
];

#[test]
fn full_steps_take_no_more_dispatches_and_bytes_than_the_table_says() {
    let least = Caps::portable();
    let large = caps::large();
    let mut over = Vec::new();
    for (name, most, most_of_large) in MOST {
        let model = (workload::find(name).unwrap().configure)(Preset::Full, None);
        for (at, mode) in Mode::ALL.into_iter().enumerate() {
            let of =
                |caps: &Caps| schedule(model.as_ref(), mode, caps, &Options::default()).unwrap();
            let (step, on_large) = (of(&least), of(&large).dispatches());
            let found = (step.dispatches(), step.cost().bytes.div_ceil(1_000_000));
            let (dispatches, megabytes) = most[at];
            if found.0 > dispatches || found.1 > megabytes || on_large > most_of_large[at] {
                let table = (most[at], most_of_large[at]);
                over.push(format!("{name} {mode}: {found:?} and {on_large}, not {table:?}"));
            }
        }
    }
    assert!(over.is_empty(), "dispatches and megabytes:\n{}", over.join("\n"));
}
