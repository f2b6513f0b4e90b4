// sums[p] = the sum of rows[order[q]] over all q with the id of place p, where p is the first of its id; 0
// elsewhere. So each id's gradient appears once, and the squares add up to those of a dense gradient.
// An id may have half of all places: `main` sums no further than the next multiple of PART, and begins anew
// there; `join` then takes together what lies at these multiples.
// T is f32, or vec4<f32> where rows are whole vec4s.
// TOGETHER places are asked for before the first is added: one after the other, each would wait for three loads in turn.
// Grid: one invocation per T of sums, or for `join` per T at each multiple of PART but 0; 64 per workgroup, folded
// into two dimensions.

alias T = f32;
const COUNT: u32 = 72u; // N
const PART: u32 = 64u;
const TOGETHER: u32 = 1u;

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
    let first = order[p];
    let own = ids[first];
    var sum = T(0.0);
    if p % PART == 0u || !goes_on(p) {
        let end = min((p / PART + 1u) * PART, COUNT);
        var is_own = true;
        for (var q = p; is_own && q < end; q += TOGETHER) {
            var x: array<T, TOGETHER>;
            // unroll
            for (var e = 0u; e < TOGETHER; e++) {
                let at = order[min(q + e, end - 1u)];
                is_own = (q + e < end) & (ids[at] == own);
                x[e] = select(T(0.0), rows[select(first, at, is_own) * params.length + n], is_own);
            }
            // unroll
            for (var e = 0u; e < TOGETHER; e++) { sum += x[e]; }
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
    let own = ids[order[at]];
    let last = ids[order[at - 1u]];
    let head = ids[order[before]];
    let ahead = ids[order[max(before, 1u) - 1u]];
    if last != own || (head == own && before > 0u && ahead == own) { return; }
    var first = before;
    if head != own {
        // By bisection, since ids are sorted: `first` has another, `end` has this one.
        var end = at;
        for (; end - first > 1u;) {
            let middle = (first + end) / 2u;
            if ids[order[middle]] == own { end = middle; } else { first = middle; }
        }
        first = end;
    }
    var sum = sums[first * params.length + n];
    var is_own = true;
    for (var q = at; is_own && q < COUNT; q += TOGETHER * PART) {
        var x: array<T, TOGETHER>;
        var count = 0u;
        // unroll
        for (var e = 0u; e < TOGETHER; e++) {
            let place = min(q + e * PART, COUNT - 1u);
            is_own = (q + e * PART < COUNT) & (ids[order[place]] == own);
            x[e] = select(T(0.0), sums[select(first, place, is_own) * params.length + n], is_own);
            count += u32(is_own);
        }
        // unroll
        for (var e = 0u; e < TOGETHER; e++) { sum += x[e]; }
        for (var e = 0u; e < count; e++) { sums[(q + e * PART) * params.length + n] = T(0.0); }
    }
    sums[first * params.length + n] = sum;
}
