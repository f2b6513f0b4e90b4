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
    for (var k = 0u; k < 4u; k++) {
        if block * 4u + k < params.total {
            var low = 0u;
            var high = CLASSES - 1u;
            for (var step = 0u; step < 32u; step++) {
                if low < high {
                    let middle = (low + high) / 2u;
                    if u[k] < limits[middle] { high = middle; } else { low = middle + 1u; }
                }
            }
            ids[block * 4u + k] = low;
        }
    }
}
