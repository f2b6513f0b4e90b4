// What each cell multiplied by its weight, for the weights' gradients of all steps in one product:
// y[l, b, t] = [x; h before], x being `below` for layer 0 and the h of the layer below for the others.
// below [B, T, H], states [B, T + 1, UNITS H], y [L, B, T, 2H].
// Grid: one invocation per vec4 of y, 64 per workgroup, folded into two dimensions.

const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const LAYERS: u32 = 3u;
const UNITS: u32 = 6u;

@group(0) @binding(0) var<storage, read> below: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= LAYERS * BATCH * STEPS * 2u * COLUMNS { return; }
    let n = i % (2u * COLUMNS);
    let bt = i / (2u * COLUMNS) % (BATCH * STEPS);
    let l = i / (2u * COLUMNS) / (BATCH * STEPS);
    let before = (bt / STEPS * (STEPS + 1u) + bt % STEPS) * UNITS * COLUMNS;
    if n >= COLUMNS {
        y[i] = states[before + 2u * l * COLUMNS + n];
    } else if l == 0u {
        y[i] = below[bt * COLUMNS + n];
    } else {
        y[i] = states[before + (UNITS + 2u * l - 1u) * COLUMNS + n];
    }
}
