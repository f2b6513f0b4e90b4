// ids[i] = the class that a uniform draw selects: the first c with u < limits[c], the cumulative
// probabilities. Both sides compare the same f32 numbers, so that every device draws the same classes.
// Grid: one invocation per block of four draws, 64 per workgroup.
// use: common/philox

const CLASSES: u32 = 200u; // V

struct Params { total: u32, stream: u32 }
@group(0) @binding(0) var<storage, read> clock: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> limits: array<f32>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let block = (wid.y * groups.x + wid.x) * 64u + lid;
    if block * 4u >= params.total { return; }
    let u = to_uniform(random_bits(block, clock[0], params.stream));
    // All four at once: a look waits for memory far longer than what it decides takes.
    var low = vec4<u32>(0u);
    var high = vec4<u32>(CLASSES - 1u);
    for (var step = 0u; step < 32u && any(low < high); step++) {
        let middle = (low + high) / 2u;
        let limit = vec4<f32>(limits[middle.x], limits[middle.y], limits[middle.z], limits[middle.w]);
        let beyond = (u >= limit) & (low < high);
        high = select(middle, high, beyond | (low == high));
        low = select(low, middle + 1u, beyond);
    }
    for (var k = 0u; k < min(4u, params.total - block * 4u); k++) { ids[block * 4u + k] = low[k]; }
}
