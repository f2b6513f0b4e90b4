// sums[p] = the sum of rows[order[q]] over all q with the id of place p, where p is the first of its id; 0
// elsewhere. So each id's gradient appears once, and the squares add up to those of a dense gradient.
// An id may have half of all places: `main` sums no further than the next multiple of PART, and begins anew
// there; `join` then takes together what lies at these multiples.
// T is f32, or vec4<f32> where rows are whole vec4s.
// Grid: one invocation per T of sums, or for `join` per T at each multiple of PART but 0; 64 per workgroup, folded
// into two dimensions.

alias T = f32;
const COUNT: u32 = 72u; // N
const PART: u32 = 64u;

struct Params { length: u32 } // Ts of a row
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> rows: array<T>;
@group(0) @binding(3) var<storage, read_write> sums: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// Whether a place has the id of the place before.
fn goes_on(p: u32) -> bool { return p > 0u && ids[order[p]] == ids[order[max(p, 1u) - 1u]]; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= COUNT * params.length { return; }
    let p = i / params.length;
    let n = i % params.length;
    let own = ids[order[p]];
    var sum = T(0.0);
    if p % PART == 0u || !goes_on(p) {
        for (var q = p; q < min((p / PART + 1u) * PART, COUNT); q++) {
            let at = order[q];
            if ids[at] != own { break; }
            sum += rows[at * params.length + n];
        }
    }
    sums[i] = sum;
}

// An id's first place, its partial sums and their columns belong to the invocation of the first multiple behind that
// place.
@compute @workgroup_size(64)
fn join(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    let at = (i / params.length + 1u) * PART;
    let n = i % params.length;
    if at >= COUNT { return; }
    let before = at - PART;
    if !goes_on(at) { return; }
    let own = ids[order[at]];
    var first = before;
    if ids[order[before]] == own {
        if goes_on(before) { return; }
    } else {
        // By bisection, since ids are sorted: `first` has another, `end` has this one.
        var end = at;
        for (; end - first > 1u;) {
            let middle = (first + end) / 2u;
            if ids[order[middle]] == own { end = middle; } else { first = middle; }
        }
        first = end;
    }
    var sum = sums[first * params.length + n];
    for (var q = at; q < COUNT; q += PART) {
        if ids[order[q]] != own { break; }
        sum += sums[q * params.length + n];
        sums[q * params.length + n] = T(0.0);
    }
    sums[first * params.length + n] = sum;
}
