// y[r, place] = the c with the largest x[r, c], the first of several; y's rows lie `pitch` apart.
// LANES_PER_ROW invocations share a row: each keeps the best of every LANES_PER_ROW-th vector, then they
// agree on the value, and after that on the lowest index that has it.
// Grid: WORKGROUP / LANES_PER_ROW rows per workgroup, folded into two dimensions. Shared: 12 WORKGROUP bytes.
// use: common/reduce

const LANES_PER_ROW: u32 = 256u; // a power of two

// hook: lanes
// use: common/lanes1
// end

struct Params { rows: u32, length: u32, pitch: u32, place: u32 } // length of a row in vectors
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> places: array<u32, WORKGROUP>;

fn min_over_lanes(value: u32, lid: u32) -> u32 {
    if LANES_PER_ROW == 1u { return value; }
    places[lid] = value;
    for (var half = LANES_PER_ROW / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid % LANES_PER_ROW < half { places[lid] = min(places[lid], places[lid + half]); }
    }
    return places[lid]; // for the row's first lane
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
    let highest = max_over_lanes(top(best), lid, LANES_PER_ROW);
    let last = params.length * WIDTH - 1u; // where NaN equals nothing, still a place
    let first = min_over_lanes(lowest(select(U(last), place, best == T(highest))), lid);
    if lid % LANES_PER_ROW == 0u && own < params.rows { y[row * params.pitch + params.place] = first; }
}
