//! How many dispatches a full step takes on a GPU, and how many bytes these move: no more than this table says.

use fathom::kernel::Caps;
use fathom::pass::Options;
use fathom::session::schedule;
use fathom::terms::{Mode, Preset};
use fathom::workload::WORKLOADS;

#[path = "common/caps.rs"]
mod caps;

/// A line of [`MOST`].
type Most = (&'static str, [(usize, u64); 2], [usize; 2]);

/// Workload; dispatches and megabytes of a training step and of one of inference, on the least a GPU may be; and the
/// dispatches of both on one whose bindings are as long as buffers are.
///
/// Winograd's products take three dispatches where the definition takes one or two, and four for both gradients: in residual
/// every layer of 3 x 3 with stride 1 has them, in alexnet all: 18 more dispatches, and two thirds of the time.
const MOST: &[Most] = &[
    ("alexnet", [(76, 3810), (32, 927)], [75, 32]),
    ("autoenc", [(26, 40), (9, 6)], [26, 9]),
    ("deepq", [(30, 101), (7, 14)], [30, 7]),
    ("memnet", [(10, 10), (2, 4)], [10, 2]),
    ("residual", [(348, 3645), (99, 701)], [348, 99]),
    ("seq2seq", [(588, 997), (355, 4105)], [588, 355]),
    ("speech", [(3236, 16_759), (1589, 3681)], [1609, 792]),
    ("vgg", [(154, 7710), (64, 1631)], [142, 60]),
];

/// Stands in for a row that is missing, so that the test asks for one and says what belongs there.
const NONE: Most = ("", [(0, 0); 2], [0; 2]);

#[test]
fn full_steps_take_no_more_dispatches_and_bytes_than_the_table_says() {
    let least = Caps::portable();
    let large = caps::large();
    let mut over = Vec::new();
    for info in WORKLOADS {
        let name = info.name;
        let row = MOST.iter().find(|(named, ..)| *named == name);
        let &(_, most, most_of_large) = row.unwrap_or(&NONE);
        let model = (info.configure)(Preset::Full, None);
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
