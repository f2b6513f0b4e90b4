// order = the positions of ids sorted by (id, position): a position's place is the number of those before it,
// counted. A stable sort without atomics, for the few thousand rows that a step touches.
// Grid: one invocation per position, 64 per workgroup.

const COUNT: u32 = 72u; // N

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> order: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= COUNT { return; }
    let own = ids[i];
    var place = 0u;
    for (var j = 0u; j < COUNT; j++) {
        let other = ids[j];
        place += select(0u, 1u, (other < own) | ((other == own) & (j < i)));
    }
    order[place] = i;
}
