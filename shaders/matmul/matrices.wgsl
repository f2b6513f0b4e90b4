enable f16;
enable wgpu_cooperative_matrix;
// C[g, m, n] = epilogue(sum over k of A[g, m, k] B[g, k, n]) by cooperative matrices (NVIDIA's tensor cores): A and B are
// f16 as they are stored, products and sums f32. Block tile in workgroup memory, of which each subgroup owns WM x WN
// results as matrices of SIDE x SIDE (Markidis et al. 2018; the tiles as in CUTLASS).
// Blocks of 4 x 4 go into workgroup memory in the order they are stored in: a matrix is loaded from there by rows or by
// columns. Behind each row lie PAD more vec4s, so that the rows of a matrix meet different banks.
// Blocks are fetched into registers AHEAD steps before their products: with one workgroup or two on a processor a load
// takes longer than a step does.
// Grid: one workgroup per tile of BM x BN, batch matrix and split.
// Shared: 8 (ROWS_A ROW_A + ROWS_B ROW_B) + 16 STAGE bytes.

// hook: operands
// use: matmul/operands
// end
const SIDE: u32 = 16u;
alias MatrixA = coop_mat16x16<f16, A>;
alias MatrixB = coop_mat16x16<f16, B>;
alias MatrixC = coop_mat16x16<f32, C>;
const LANES: u32 = 32u; // of a subgroup
const BM: u32 = 128u;
const BN: u32 = 128u;
const BK: u32 = 32u;
const WM: u32 = 64u;
const WN: u32 = 64u;
const AHEAD: u32 = 1u;
const ROWS_A: u32 = 128u; // of a tile as it is stored, and their length with the padding in vec4s
const ROW_A: u32 = 10u;
const ROWS_B: u32 = 32u;
const ROW_B: u32 = 34u;
const SCALE_A: f32 = 1.0; // what the values of A and B are of those that are stored
const SCALE_B: f32 = 1.0;

const SUBGROUPS_N: u32 = BN / WN;
const SUBGROUPS: u32 = BM / WM * SUBGROUPS_N;
const THREADS: u32 = SUBGROUPS * LANES;
const MATRICES_M: u32 = WM / SIDE;
const MATRICES_N: u32 = WN / SIDE;
const STEPS: u32 = BK / 4u; // vec4s in a step of k
const PASSES_A: u32 = BM / 4u * STEPS / THREADS; // blocks that an invocation fetches in a step
const PASSES_B: u32 = BN / 4u * STEPS / THREADS;
const QUARTER: u32 = SIDE / 4u;
const MATRIX: u32 = SIDE * QUARTER; // vec4s of a matrix of results
const PARTS: u32 = MATRIX / LANES;
const STAGE: u32 = 256u; // vec4s: a matrix of each subgroup's, or the sums of columns of all blocks of a step

// hook: epilogue
fn epilogue(x: f32, i: u32) -> f32 { return x; }
// end

// hook: store
@group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>;
// Stores C's elements i .. i + 4, of which `left` lie in its row.
fn store(i: u32, x: vec4<f32>, left: u32) {
    c[i / 4u] = vec4<f32>(epilogue(x.x, i), epilogue(x.y, i + 1u), epilogue(x.z, i + 2u), epilogue(x.w, i + 3u));
}
// end

var<workgroup> tile_a: array<vec4<f16>, ROWS_A * ROW_A>;
var<workgroup> tile_b: array<vec4<f16>, ROWS_B * ROW_B>;
var<workgroup> stage: array<vec4<f32>, STAGE>;

// Block p of a step lies at this k (in vec4s) and row or column (in vec4s) of a tile `width` vec4s wide.
// Along the stored rows neighbours come first: loads are coalesced.
fn place(p: u32, width: u32, along_k: bool) -> vec2<u32> {
    if along_k { return vec2<u32>(p % STEPS, p / STEPS); }
    return vec2<u32>(p / width, p % width);
}

fn place_a(p: u32) -> vec2<u32> { return place(p, BM / 4u, !TRANSPOSE_A); }
fn place_b(p: u32) -> vec2<u32> { return place(p, BN / 4u, TRANSPOSE_B); }

fn fetch_a(p: u32, tile: Tile, rows: Rows, k: u32) -> Block { return load_a(tile.g, rows, k + place_a(p).x * 4u); }

fn fetch_b(p: u32, tile: Tile, k: u32) -> Block {
    let at = place_b(p);
    return load_b(tile.g, tile.n + at.y * 4u, k + at.x * 4u);
}

fn put_a(p: u32, block: Block) {
    let x = stored_a(block);
    let at = place_a(p);
    let i = select(at.y, at.x, TRANSPOSE_A) * 4u * ROW_A + select(at.x, at.y, TRANSPOSE_A);
    tile_a[i] = vec4<f16>(x[0]);
    tile_a[i + ROW_A] = vec4<f16>(x[1]);
    tile_a[i + 2u * ROW_A] = vec4<f16>(x[2]);
    tile_a[i + 3u * ROW_A] = vec4<f16>(x[3]);
}

fn put_b(p: u32, block: Block) {
    let x = stored_b(block);
    let at = place_b(p);
    let i = select(at.x, at.y, TRANSPOSE_B) * 4u * ROW_B + select(at.y, at.x, TRANSPOSE_B);
    tile_b[i] = vec4<f16>(x[0]);
    tile_b[i + ROW_B] = vec4<f16>(x[1]);
    tile_b[i + 2u * ROW_B] = vec4<f16>(x[2]);
    tile_b[i + 3u * ROW_B] = vec4<f16>(x[3]);
}

// The matrix of A at row m and k of a step, both multiples of SIDE.
fn matrix_a(m: u32, k: u32) -> MatrixA {
    if TRANSPOSE_A { return coopLoad<MatrixA>(&tile_a[k * ROW_A + m / 4u], ROW_A); }
    return coopLoadT<MatrixA>(&tile_a[m * ROW_A + k / 4u], ROW_A);
}

fn matrix_b(n: u32, k: u32) -> MatrixB {
    if TRANSPOSE_B { return coopLoad<MatrixB>(&tile_b[n * ROW_B + k / 4u], ROW_B); }
    return coopLoadT<MatrixB>(&tile_b[k * ROW_B + n / 4u], ROW_B);
}

// Of a block of B.
fn column_sums(block: Block) -> vec4<f32> {
    let x = kept_b(block);
    return vec4<f32>(x[0]) + vec4<f32>(x[1]) + vec4<f32>(x[2]) + vec4<f32>(x[3]);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32, @builtin(subgroup_id) subgroup: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
    // Beyond the last tile there is nothing to sum and nothing stored: products of matrices do not stand behind a return.
    let tile = tile_of(wid.y * groups.x + wid.x, BM, BN);
    let is_tile = tile.s < params.splits;
    let own_m = subgroup / SUBGROUPS_N * WM;
    let own_n = subgroup % SUBGROUPS_N * WN;
    var acc: array<MatrixC, MATRICES_M * MATRICES_N>;
    // unroll
    for (var i = 0u; i < MATRICES_M * MATRICES_N; i++) { acc[i] = MatrixC(); }
    let sums_columns = SUMS && tile.m == 0u;
    var sums: array<vec4<f32>, PASSES_B>; // of the columns of the blocks of B that this invocation fetches

    let begin = tile.s * params.span;
    let end = min(begin + params.span, depth(tile.g));
    var k = begin;
    var rows: array<Rows, PASSES_A>;
    // The blocks of AHEAD steps, of which those of step i are the (i - 1) % AHEAD-th: nothing is copied from step to step.
    var blocks_a: array<Block, AHEAD * PASSES_A>;
    var blocks_b: array<Block, AHEAD * PASSES_B>;
    if k < end {
        // unroll
        for (var p = 0u; p < PASSES_A; p++) { rows[p] = rows_a(tile.g, tile.m + place_a(p * THREADS + lid).y * 4u); }
        // unroll
        for (var i = 0u; i < AHEAD; i++) {
            let step = select(begin, begin + i * BK, begin + i * BK < end);
            // unroll
            for (var p = 0u; p < PASSES_A; p++) {
                blocks_a[(i + AHEAD - 1u) % AHEAD * PASSES_A + p] = fetch_a(p * THREADS + lid, tile, rows[p], step);
            }
            // unroll
            for (var p = 0u; p < PASSES_B; p++) {
                blocks_b[(i + AHEAD - 1u) % AHEAD * PASSES_B + p] = fetch_b(p * THREADS + lid, tile, step);
            }
        }
        // unroll
        for (var p = 0u; p < PASSES_A; p++) { put_a(p * THREADS + lid, blocks_a[(AHEAD - 1u) * PASSES_A + p]); }
        // unroll
        for (var p = 0u; p < PASSES_B; p++) {
            put_b(p * THREADS + lid, blocks_b[(AHEAD - 1u) * PASSES_B + p]);
            if sums_columns { sums[p] += column_sums(blocks_b[(AHEAD - 1u) * PASSES_B + p]); }
        }
        workgroupBarrier();
    }
    while k < end {
        // unroll
        for (var turn = 0u; turn < AHEAD; turn++) {
            k += BK;
            // As in `tile`: every invocation fetches in every step, after the last one the first again.
            let later = k + (AHEAD - 1u) * BK;
            let ahead = select(begin, later, later < end);
            // unroll
            for (var p = 0u; p < PASSES_A; p++) {
                blocks_a[(turn + AHEAD - 1u) % AHEAD * PASSES_A + p] = fetch_a(p * THREADS + lid, tile, rows[p], ahead);
            }
            // unroll
            for (var p = 0u; p < PASSES_B; p++) {
                blocks_b[(turn + AHEAD - 1u) % AHEAD * PASSES_B + p] = fetch_b(p * THREADS + lid, tile, ahead);
            }
            // unroll
            for (var q = 0u; q < BK / SIDE; q++) {
                var x: array<MatrixA, MATRICES_M>;
                // unroll
                for (var m = 0u; m < MATRICES_M; m++) { x[m] = matrix_a(own_m + m * SIDE, q * SIDE); }
                // unroll
                for (var n = 0u; n < MATRICES_N; n++) {
                    let y = matrix_b(own_n + n * SIDE, q * SIDE);
                    // unroll
                    for (var m = 0u; m < MATRICES_M; m++) {
                        acc[m * MATRICES_N + n] = coopMultiplyAdd(x[m], y, acc[m * MATRICES_N + n]);
                    }
                }
            }
            if k >= end { break; }
            workgroupBarrier();
            // unroll
            for (var p = 0u; p < PASSES_A; p++) { put_a(p * THREADS + lid, blocks_a[turn * PASSES_A + p]); }
            // unroll
            for (var p = 0u; p < PASSES_B; p++) {
                put_b(p * THREADS + lid, blocks_b[turn * PASSES_B + p]);
                if sums_columns { sums[p] += column_sums(blocks_b[turn * PASSES_B + p]); }
            }
            workgroupBarrier();
        }
    }

    // unroll
    for (var i = 0u; i < MATRICES_M * MATRICES_N; i++) {
        coopStoreT(acc[i], &stage[subgroup * MATRIX], QUARTER);
        workgroupBarrier();
        // unroll
        for (var e = 0u; e < PARTS; e++) {
            let part = e * LANES + lane;
            let row = row_of(tile, tile.m + own_m + i / MATRICES_N * SIDE + part / QUARTER);
            let col = tile.n + own_n + i % MATRICES_N * SIDE + part % QUARTER * 4u;
            if is_tile && (!EDGE || (row != NOWHERE && col < params.N)) {
                store(row + col, stage[subgroup * MATRIX + part] * (SCALE_A * SCALE_B), params.N - col);
            }
        }
        workgroupBarrier();
    }
    if !is_tile || !sums_columns { return; }
    // The blocks of a step that lie at the same columns are added up.
    // unroll
    for (var p = 0u; p < PASSES_B; p++) {
        let at = place_b(p * THREADS + lid);
        stage[at.x * (BN / 4u) + at.y] = sums[p];
    }
    workgroupBarrier();
    if lid >= BN / 4u { return; }
    var sum = stage[lid];
    // unroll
    for (var q = 1u; q < STEPS; q++) { sum += stage[q * (BN / 4u) + lid]; }
    store_sums(tile, tile.n + lid * 4u, params.N, sum * SCALE_B);
}
