// The whole gradient of a decoder's contexts [B, T, H]: from outside, d_seen [B, T, 2H] having h of the last layer and
// the context, and from the input a step later, d_before [B, T, H]. That of the first step is the start's [B, UNITS H].
// Grid: one invocation per vec4, 64 per workgroup, folded into two dimensions.

const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const UNITS: u32 = 7u;

@group(0) @binding(0) var<storage, read> d_seen: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> d_before: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> d_start: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> d_contexts: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= BATCH * STEPS * COLUMNS { return; }
    let n = i % COLUMNS;
    let bt = i / COLUMNS;
    var sum = d_seen[(bt * 2u + 1u) * COLUMNS + n];
    if bt % STEPS + 1u < STEPS { sum += d_before[i + COLUMNS]; }
    d_contexts[i] = sum;
    if bt % STEPS == 0u { d_start[(bt / STEPS * UNITS + UNITS - 1u) * COLUMNS + n] = d_before[i]; }
}
