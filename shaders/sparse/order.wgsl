// order = the positions of ids sorted by (id, position): a position's place is the number of those before it,
// counted. A stable sort without atomics, for the few thousand rows that a step touches.
// Grid: a workgroup for LANES positions, each counted by SLICES invocations, every SLICES-th id by one; folded into
// two dimensions. Shared: 256 bytes.

const COUNT: u32 = 72u; // N
const SLICES: u32 = 1u;
const LANES: u32 = 64u / SLICES;
const TOGETHER: u32 = 1u; // ids that are asked for at once

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> order: array<u32>;

var<workgroup> counts: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * LANES + lid % LANES;
    let own = ids[min(i, COUNT - 1u)];
    var place = 0u;
    for (var j = lid / LANES; j < COUNT; j += TOGETHER * SLICES) {
        var others: array<u32, TOGETHER>;
        // unroll
        for (var e = 0u; e < TOGETHER; e++) { others[e] = ids[min(j + e * SLICES, COUNT - 1u)]; }
        // unroll
        for (var e = 0u; e < TOGETHER; e++) {
            let at = j + e * SLICES;
            place += u32((at < COUNT) & ((others[e] < own) | ((others[e] == own) & (at < i))));
        }
    }
    if SLICES > 1u {
        counts[lid] = place;
        workgroupBarrier();
        if lid < LANES {
            for (var s = 1u; s < SLICES; s++) { place += counts[s * LANES + lid]; }
        }
    }
    if lid < LANES && i < COUNT { order[place] = i; }
}
