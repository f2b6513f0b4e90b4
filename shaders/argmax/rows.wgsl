// y[r, place] = the c with the largest x[r, c], the first of several; y's rows lie `pitch` apart.
// LANES_PER_ROW invocations share a row: each keeps the best of every LANES_PER_ROW-th vector. Up to PARTS of them then
// look at every PARTS-th lane's, and the row's first lane at what these have: two barriers.
// Grid: WORKGROUP / LANES_PER_ROW rows per workgroup, folded into two dimensions. Shared: 8 WORKGROUP bytes.

const WORKGROUP: u32 = 256u;     // invocations
const LANES_PER_ROW: u32 = 256u; // a power of two
const PARTS: u32 = 16u;          // no more than LANES_PER_ROW

// hook: lanes
// use: common/lanes1
// end

struct Params { rows: u32, length: u32, pitch: u32, place: u32 } // length of a row in vectors
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> values: array<f32, WORKGROUP>;
var<workgroup> places: array<u32, WORKGROUP>;

struct Best { value: f32, place: u32 }

// Whichever is larger; of equals the one before.
fn best_of(a: Best, b: Best) -> Best {
    if (b.value > a.value) || ((b.value == a.value) && (b.place < a.place)) { return b; }
    return a;
}

// The best of every `step`-th of a row's lanes from `lid` on, up to `lanes` of them beyond.
fn best_of_lanes(own: Best, lid: u32, step: u32, lanes: u32) -> Best {
    values[lid] = own.value;
    places[lid] = own.place;
    workgroupBarrier();
    var best = own;
    if lid % LANES_PER_ROW < step {
        for (var k = step; k < lanes; k += step) { best = best_of(best, Best(values[lid + k], places[lid + k])); }
    }
    return best;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = (wid.y * groups.x + wid.x) * (WORKGROUP / LANES_PER_ROW) + lid / LANES_PER_ROW;
    let row = min(own, params.rows - 1u);
    let start = row * params.length;
    // From the row's start, not from a lowest value: a row of infinities has a first place too.
    var best = x[start];
    var place = elements(0u);
    for (var v = lid % LANES_PER_ROW; v < params.length; v += LANES_PER_ROW) {
        let value = x[start + v];
        let better = value > best;
        best = select(best, value, better);
        place = select(place, elements(v), better);
    }
    let highest = top(best);
    let last = params.length * WIDTH - 1u; // where NaN equals nothing, still a place
    var found = Best(highest, lowest(select(U(last), place, best == T(highest))));
    if LANES_PER_ROW > 1u {
        found = best_of_lanes(found, lid, PARTS, LANES_PER_ROW);
        workgroupBarrier();
        found = best_of_lanes(found, lid, 1u, PARTS);
    }
    if lid % LANES_PER_ROW == 0u && own < params.rows { y[row * params.pitch + params.place] = found.place; }
}
