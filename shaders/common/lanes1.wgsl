// Vectors of one lane: what a kernel written over T has to know about it. `lanes4` is its twin.

alias T = f32;
alias U = u32;
const WIDTH: u32 = 1u;

// The largest lane.
fn top(v: T) -> f32 { return v; }

// The sum of the lanes.
fn total(v: T) -> f32 { return v; }

// The elements that vector `i` of an array holds.
fn elements(i: u32) -> U { return i; }

// The smallest lane.
fn lowest(v: U) -> u32 { return v; }
