// C[g, m, n] = epilogue(sum over k of A[g, m, k] B[g, k, n]); A and B may be stored transposed.
// The yardstick for every other variant: one invocation per element, straight from memory.
// Grid: one invocation per element of C, 64 per workgroup, folded into two dimensions.

const TRANSPOSE_A: bool = false;
const TRANSPOSE_B: bool = false;
const SUMS: bool = false; // B's columns are summed as well, by invocations behind those of C

struct Params { M: u32, N: u32, K: u32, G: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: sums
fn store_sum(i: u32, x: f32) {}
// end

// hook: epilogue
fn epilogue(x: f32, i: u32) -> f32 { return x; }
// end

// The sum of column n of B[g]; (i - count) % N is i % N, as count is a multiple of N.
fn sum_of_column(g: u32, n: u32) -> f32 {
    let step = select(params.N, 1u, TRANSPOSE_B);
    var at = g * params.K * params.N + select(n, n * params.K, TRANSPOSE_B);
    var sum = 0.0;
    for (var k = 0u; k < params.K; k++) {
        sum += b[at];
        at += step;
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let M = params.M; let N = params.N; let K = params.K;
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    let count = params.G * M * N;
    if SUMS && i >= count {
        if i - count < params.G * N { store_sum(i - count, sum_of_column((i - count) / N, i % N)); }
        return;
    }
    if i >= count { return; }
    let m = i / N % M; let n = i % N; let g = i / N / M;
    var a_at = g * M * K + select(m * K, m, TRANSPOSE_A);
    var b_at = g * K * N + select(n, n * K, TRANSPOSE_B);
    let a_step = select(1u, M, TRANSPOSE_A);
    let b_step = select(N, 1u, TRANSPOSE_B);
    var sum = 0.0;
    for (var k = 0u; k < K; k++) {
        sum += a[a_at] * b[b_at];
        a_at += a_step;
        b_at += b_step;
    }
    c[i] = epilogue(sum, i);
}
