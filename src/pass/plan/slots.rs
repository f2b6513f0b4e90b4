//! Where temporary values lie: which of them share a buffer, and at what offsets.
//!
//! Values that are alive together lie beside each other or in different buffers. Devices track usage by whole buffers
//! and refuse one that a dispatch is bound to both for reading and for writing, so what a dispatch reads and what it
//! writes lie in different buffers, where that is not too dear.
//!
//! To place all values in the least memory is NP-hard. Here each is put where buffers grow the least, the largest
//! first, and again in other orders: what made a buffer grow comes first the next time.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::Location;

/// Bytes that the offset of a binding is a multiple of on every device.
const ALIGNMENT: u64 = 256;

/// Orders that are tried.
const ROUNDS: usize = 64;

/// The share above the least possible at which no further order is tried, and that above which dispatches may read and
/// write one buffer.
const GOOD: f64 = 0.02;
const DEAR: f64 = 0.1;

/// A value that some nodes need, or an op's scratch.
#[derive(Debug, Default)]
pub(super) struct Temporary {
    /// Its size.
    pub(super) bytes: u64,
    /// The nodes from the one that makes it to the last that reads it.
    pub(super) life: [usize; 2],
    /// The values that some dispatch writes while it reads this one, or reads while it writes this one.
    pub(super) apart: HashSet<usize>,
    /// Those of them with which it shares no buffer at all: a dispatch that is bound to a value twice cannot have both
    /// bindings writable.
    pub(super) never_with: HashSet<usize>,
}

impl Temporary {
    fn lives_with(&self, other: &Self) -> bool {
        self.life[0] <= other.life[1] && other.life[0] <= self.life[1]
    }
}

/// Memory for some values.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The size of each buffer.
    pub(super) buffers: Vec<u64>,
    /// Where each value lies.
    pub(super) places: Vec<Location>,
    /// The values in each buffer.
    members: Vec<Vec<usize>>,
    /// The values that made a buffer grow, in order.
    grown: Vec<usize>,
}

/// A place that a value might get.
#[derive(Debug)]
struct Fit {
    place: Location,
    /// Bytes that its buffer would grow by.
    growth: u64,
    /// Values in its buffer that ought to be in another.
    clashes: usize,
    /// Bytes that would be left of the gap.
    slack: u64,
}

/// Places values of which at most `least` bytes are alive at once, in buffers of up to `limit` bytes. A value that is
/// longer has one of its own.
pub(super) fn place(values: &[Temporary], least: u64, limit: u64) -> Layout {
    let above = |share: f64| least + (share * least as f64) as u64;
    let mut best = search(values, None, above(GOOD), limit);
    if best.bytes() > above(DEAR) {
        let shared = search(values, Some(above(DEAR)), above(DEAR), limit);
        if shared.bytes() < best.bytes() {
            best = shared;
        }
    }
    best
}

/// The first layout of at most `enough` bytes, or the best of all orders.
fn search(values: &[Temporary], budget: Option<u64>, enough: u64, limit: u64) -> Layout {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|&at| (Reverse(values[at].bytes), values[at].life[0]));
    let mut best = Layout::of(values, &order, budget, limit);
    let mut grown = best.grown.clone();
    let mut tried = HashSet::from([order.clone()]);
    for _ in 1..ROUNDS {
        let orders = grown.iter().rev().map(|&at| first(at, &order));
        let next = orders.into_iter().find(|next| !tried.contains(next));
        let Some(next) = next.filter(|_| best.bytes() > enough) else { break };
        let layout = Layout::of(values, &next, budget, limit);
        grown.clone_from(&layout.grown);
        tried.insert(next.clone());
        order = next;
        if layout.bytes() < best.bytes() {
            best = layout;
        }
    }
    best
}

/// `order` with `at` before all others.
fn first(at: usize, order: &[usize]) -> Vec<usize> {
    std::iter::once(at).chain(order.iter().copied().filter(|&other| other != at)).collect()
}

impl Layout {
    /// Each value in a buffer of its own.
    pub(super) fn apart(values: &[Temporary]) -> Self {
        let places = (0..values.len()).map(|buffer| Location { buffer, offset: 0 }).collect();
        let buffers = values.iter().map(|value| value.bytes).collect();
        Self { buffers, places, ..Self::default() }
    }

    /// Places the values one after the other. With a `budget`, values that ought to be in different buffers share one
    /// where all buffers together would be longer than that.
    fn of(values: &[Temporary], order: &[usize], budget: Option<u64>, limit: u64) -> Self {
        let places = vec![Location { buffer: 0, offset: 0 }; values.len()];
        let mut layout = Self { places, ..Self::default() };
        for &at in order {
            let total = layout.bytes();
            let fits = (0..=layout.buffers.len()).filter_map(|buffer| {
                let fit = layout.fit(values, at, buffer, limit);
                fit.filter(|fit| fit.clashes == 0 || budget.is_some())
            });
            // What is no worse off in a new buffer gets one: each that is shared makes dispatches wait for others.
            let best = fits.min_by_key(|fit| {
                let over = budget.is_none_or(|budget| total + fit.growth > budget);
                let dear = if over { fit.growth } else { 0 };
                let shared = fit.place.buffer < layout.buffers.len();
                (dear, fit.clashes, fit.growth, shared, fit.slack)
            });
            if let Some(fit) = best {
                layout.add(at, values[at].bytes, &fit);
            }
        }
        layout
    }

    /// Bytes of all buffers.
    fn bytes(&self) -> u64 {
        self.buffers.iter().sum()
    }

    /// Where value `at` would lie in a buffer, or in a new one: in the smallest gap that takes it, or behind all others.
    fn fit(&self, values: &[Temporary], at: usize, buffer: usize, limit: u64) -> Option<Fit> {
        let value = &values[at];
        let (size, members) = match self.members.get(buffer) {
            Some(members) => (self.buffers[buffer], &members[..]),
            None => (0, &[][..]),
        };
        let mut taken = Vec::new();
        let mut clashes = 0;
        for &member in members.iter().filter(|&&member| value.lives_with(&values[member])) {
            if value.never_with.contains(&member) {
                return None;
            }
            clashes += usize::from(value.apart.contains(&member));
            let begin = self.places[member].offset;
            taken.push((begin, (begin + values[member].bytes).next_multiple_of(ALIGNMENT)));
        }
        taken.sort_unstable();
        let (mut end, mut gap) = (0, None::<(u64, u64)>);
        for (begin, after) in taken {
            let room = begin.saturating_sub(end);
            if room >= value.bytes && gap.is_none_or(|(least, _)| room < least) {
                gap = Some((room, end));
            }
            end = end.max(after);
        }
        let offset = gap.map_or(end, |(_, offset)| offset);
        if offset + value.bytes > limit && !members.is_empty() {
            return None;
        }
        let room = gap.map_or(size.saturating_sub(offset), |(room, _)| room);
        let growth = (offset + value.bytes).saturating_sub(size);
        let slack = room.saturating_sub(value.bytes);
        Some(Fit { place: Location { buffer, offset }, growth, clashes, slack })
    }

    fn add(&mut self, at: usize, bytes: u64, fit: &Fit) {
        let Location { buffer, offset } = fit.place;
        if buffer == self.buffers.len() {
            self.buffers.push(0);
            self.members.push(Vec::new());
        }
        self.buffers[buffer] = self.buffers[buffer].max(offset + bytes);
        self.members[buffer].push(at);
        self.places[at] = fit.place;
        if fit.growth > 0 {
            self.grown.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of these sizes in kilobytes, with the nodes they live in.
    fn values(of: &[(u64, [usize; 2])], apart: &[[usize; 2]]) -> Vec<Temporary> {
        let value = |(at, &(bytes, life)): (usize, &(u64, [usize; 2]))| {
            let pairs = apart.iter().filter(|pair| pair.contains(&at));
            let apart = pairs.flatten().copied().filter(|&other| other != at).collect();
            Temporary { bytes: 1024 * bytes, life, apart, ..Temporary::default() }
        };
        of.iter().enumerate().map(value).collect()
    }

    #[test]
    fn values_alive_together_lie_beside_each_other_in_one_buffer() {
        // Two of 2, then one of 4 in their place.
        let values = values(&[(2, [0, 1]), (2, [0, 1]), (4, [2, 3])], &[]);
        let layout = place(&values, 4096, u64::MAX);
        assert_eq!(layout.bytes(), 4096);
        assert_eq!(layout.buffers.len(), 1);
    }

    #[test]
    fn what_a_dispatch_reads_and_what_it_writes_lie_apart_unless_that_is_dear() {
        // A chain: each is read where the next is written.
        let chain = values(&[(4, [0, 1]), (4, [1, 2]), (4, [2, 3])], &[[0, 1], [1, 2]]);
        let layout = place(&chain, 8192, u64::MAX);
        let buffers: Vec<_> = layout.places.iter().map(|place| place.buffer).collect();
        assert_eq!((layout.bytes(), buffers[0] == buffers[2]), (8192, true));
        assert_ne!(buffers[0], buffers[1]);
        // A large one whose buffer stands empty while three small ones need three buffers.
        let sizes = [(16, [0, 1]), (4, [1, 3]), (4, [2, 3]), (4, [3, 4])];
        let dear = values(&sizes, &[[0, 1], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(place(&dear, 20 << 10, u64::MAX).bytes(), 20 << 10);
    }

    #[test]
    fn no_buffer_is_longer_than_the_limit_but_for_a_value_that_is() {
        let values = values(&[(2, [0, 1]), (2, [0, 1]), (4, [2, 3]), (9, [4, 5])], &[]);
        let layout = place(&values, 9 << 10, 2048);
        assert_eq!(layout.buffers.iter().filter(|bytes| **bytes > 4096).count(), 1);
        assert!(layout.places[0].buffer != layout.places[1].buffer);
    }
}
