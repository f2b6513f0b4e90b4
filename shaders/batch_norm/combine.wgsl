// Folds what `sums` computed for each chunk of rows. GRAD false: mean and unbiased variance, by Chan's
// formula (Chan, Golub & LeVeque 1979); true: plain sums.
// Grid: a workgroup of 64 for 64 / TEAM channels, folded into two dimensions. Of a channel's TEAM invocations each
// folds every TEAM-th chunk, then the first folds what they have, in order. Shared: 768 bytes.

const GRAD: bool = false;
const TEAM: u32 = 8u; // at most as many as there are chunks
const CHANNELS: u32 = 64u / TEAM; // of a workgroup

struct Params { rows: u32, C: u32, chunk: u32, chunks: u32 }
@group(0) @binding(0) var<storage, read> firsts: array<f32>;  // [chunks, C]
@group(0) @binding(1) var<storage, read> seconds: array<f32>; // [chunks, C]
@group(0) @binding(2) var<storage, read_write> first: array<f32>;
@group(0) @binding(3) var<storage, read_write> second: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Rows that were summed, their sum or mean, and their second sum.
struct Part { n: f32, a: f32, b: f32 }

var<workgroup> parts: array<Part, 64>;

fn add(x: Part, y: Part) -> Part {
    let n = x.n + y.n;
    if GRAD { return Part(n, x.a + y.a, x.b + y.b); }
    let distance = y.a - x.a;
    let b = x.b + distance * distance * (x.n * y.n / n);
    return Part(n, x.a + distance * (y.n / n), b + y.b);
}

fn part(chunk: u32, c: u32) -> Part {
    let rows = min((chunk + 1u) * params.chunk, params.rows) - chunk * params.chunk;
    return Part(f32(rows), firsts[chunk * params.C + c], seconds[chunk * params.C + c]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * groups.x + wid.x) * CHANNELS + lid % CHANNELS;
    let own = min(c, params.C - 1u);
    var whole = part(lid / CHANNELS, own);
    for (var chunk = lid / CHANNELS + TEAM; chunk < params.chunks; chunk += TEAM) {
        whole = add(whole, part(chunk, own));
    }
    if TEAM > 1u {
        parts[lid] = whole;
        workgroupBarrier();
        for (var t = 1u; t < TEAM; t++) { whole = add(whole, parts[t * CHANNELS + lid % CHANNELS]); }
    }
    if lid < CHANNELS && c < params.C {
        first[c] = whole.a;
        second[c] = select(whole.b / max(whole.n - 1.0, 1.0), whole.b, GRAD);
    }
}
