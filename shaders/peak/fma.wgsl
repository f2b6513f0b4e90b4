// The FMA ceiling: CHAINS independent chains of x = a x + b in registers, nothing read. With a = b = 1/2
// every chain tends to 1, so the result is known, and the compiler cannot know it.
// Grid: one invocation per output, LANES per workgroup.

const LANES: u32 = 64u;
const CHAINS: u32 = 8u;
alias T = vec4<f32>;

struct Params { loops: u32, a: f32, b: f32 }
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: total
fn total(x: T) -> f32 { return x.x + x.y + x.z + x.w; }
const WIDTH: u32 = 4u;
// end

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * LANES + lid;
    if i >= arrayLength(&y) { return; }
    let a = T(params.a);
    let b = T(params.b);
    var x: array<T, CHAINS>;
    // unroll
    for (var c = 0u; c < CHAINS; c++) {
        x[c] = T(f32(lid + c));
    }
    for (var loop_count = 0u; loop_count < params.loops; loop_count++) {
        // unroll
        for (var turn = 0u; turn < 4u; turn++) {
            // unroll
            for (var c = 0u; c < CHAINS; c++) {
                x[c] = fma(x[c], a, b);
            }
        }
    }
    var sum = T(0.0);
    // unroll
    for (var c = 0u; c < CHAINS; c++) {
        sum += x[c];
    }
    y[i] = total(sum) / f32(CHAINS * WIDTH);
}
