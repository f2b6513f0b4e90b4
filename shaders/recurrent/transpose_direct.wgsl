// up[k, n] = w_up[n, k] and down[k, n] = w_down[n, k], word by word: on CPU adapters a barrier costs more than reads
// far apart, and a browser's clearing of a tile more than both.
// Grid: [H / 64, H, 2]; one invocation per word of each.

struct Params { width: u32 }
@group(0) @binding(0) var<storage, read> w_up: array<f32>;
@group(0) @binding(1) var<storage, read> w_down: array<f32>;
@group(0) @binding(2) var<storage, read_write> up: array<f32>;
@group(0) @binding(3) var<storage, read_write> down: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let H = params.width;
    let n = wid.x * 64u + lid;
    if n >= H { return; }
    let source = n * H + wid.y;
    let place = wid.y * H + n;
    if wid.z == 1u { down[place] = w_down[source]; } else { up[place] = w_up[source]; }
}
