// Vectors of four lanes: what a kernel written over T has to know about it. `lanes1` is its twin.

alias T = vec4<f32>;
alias U = vec4<u32>;
const WIDTH: u32 = 4u;

// The largest lane.
fn top(v: T) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }

// The sum of the lanes.
fn total(v: T) -> f32 { return (v.x + v.y) + (v.z + v.w); }

// The elements that vector `i` of an array holds.
fn elements(i: u32) -> U { return 4u * i + vec4<u32>(0u, 1u, 2u, 3u); }

// The smallest lane.
fn lowest(v: U) -> u32 { return min(min(v.x, v.y), min(v.z, v.w)); }
