// up[k, n] = w_up[n, k] and down[k, n] = w_down[n, k]: the backward pass multiplies by the transposes,
// and once transposed, they are read as the forward pass reads its weights.
// Grid: [H / 16, H / 16, 2]; a workgroup transposes a 16 x 16 tile. Shared: 1,088 bytes, a column of padding
// keeps the banks apart. That of `direct`: [H / 64, H, 2].

struct Params { width: u32 }
@group(0) @binding(0) var<storage, read> w_up: array<f32>;
@group(0) @binding(1) var<storage, read> w_down: array<f32>;
@group(0) @binding(2) var<storage, read_write> up: array<f32>;
@group(0) @binding(3) var<storage, read_write> down: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> tile: array<f32, 272>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
    let H = params.width;
    let source = wid.xy * 16u + lid.xy;
    if source.x < H && source.y < H {
        let at = source.y * H + source.x;
        if wid.z == 1u { tile[lid.y * 17u + lid.x] = w_down[at]; } else { tile[lid.y * 17u + lid.x] = w_up[at]; }
    }
    workgroupBarrier();
    let place = wid.yx * 16u + lid.xy;
    if place.x < H && place.y < H {
        let at = place.y * H + place.x;
        if wid.z == 1u { down[at] = tile[lid.x * 17u + lid.y]; } else { up[at] = tile[lid.x * 17u + lid.y]; }
    }
}

// Word by word: on CPU adapters a barrier costs more than reads far apart, and a browser's clearing of a tile more than both.
@compute @workgroup_size(64)
fn direct(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let H = params.width;
    let n = wid.x * 64u + lid;
    if n >= H { return; }
    let source = n * H + wid.y;
    let place = wid.y * H + n;
    if wid.z == 1u { down[place] = w_down[source]; } else { up[place] = w_up[source]; }
}
