// Folds, in order, what `sums` computed for each chunk of rows. GRAD false: mean and unbiased variance, by Chan's
// formula (Chan, Golub & LeVeque 1979); true: plain sums.
// Grid: one invocation per channel, 64 per workgroup, folded into two dimensions.

const GRAD: bool = false;

struct Params { rows: u32, C: u32, chunk: u32, chunks: u32 }
@group(0) @binding(0) var<storage, read> firsts: array<f32>;  // [chunks, C]
@group(0) @binding(1) var<storage, read> seconds: array<f32>; // [chunks, C]
@group(0) @binding(2) var<storage, read_write> first: array<f32>;
@group(0) @binding(3) var<storage, read_write> second: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * groups.x + wid.x) * 64u + lid;
    if c >= params.C { return; }
    var a = firsts[c];
    var b = seconds[c];
    var n = f32(min(params.chunk, params.rows));
    for (var chunk = 1u; chunk < params.chunks; chunk++) {
        let more = f32(min((chunk + 1u) * params.chunk, params.rows) - chunk * params.chunk);
        let next = firsts[chunk * params.C + c];
        if GRAD {
            a += next;
        } else {
            let distance = next - a;
            a += distance * (more / (n + more));
            b += distance * distance * (n * more / (n + more));
        }
        b += seconds[chunk * params.C + c];
        n += more;
    }
    first[c] = a;
    second[c] = select(b / max(n - 1.0, 1.0), b, GRAD);
}
