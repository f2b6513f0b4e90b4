// C[g, m, n] = epilogue(sum over k of A[g, m, k] B[g, k, n]); A and B may be stored transposed.
// Block tile in workgroup memory, register tile as groups of 4 x 4 (Volkov & Demmel 2008; the groups as
// in CUTLASS): an invocation's rows are TM / 4 groups BM / (TM / 4) apart, its columns likewise, so that
// neighbours read neighbouring vec4s. Both operands lie in workgroup memory as [BK][BM] and [BK][BN].
// The next step's blocks are fetched into registers before this step's products, and put after them.
// Where there are few tiles a workgroup is SLICES times as many invocations: each slice takes every SLICES-th step, and
// their results are added up in order through workgroup memory. Split-K does that in a second dispatch.
// Grid: one workgroup per tile of BM x BN, batch matrix and split.
// Shared: 4 SLICES BUFFERS BK (BM + BN) bytes. With two buffers a step needs one barrier, with one it needs two.

// hook: operands
// use: matmul/operands
// end
const BM: u32 = 64u;
const BN: u32 = 64u;
const BK: u32 = 16u;
const TM: u32 = 8u;
const TN: u32 = 8u;
const BUFFERS: u32 = 2u;
const SLICES: u32 = 1u;

const THREADS_M: u32 = BM / TM;
const THREADS_N: u32 = BN / TN;
const THREADS: u32 = THREADS_M * THREADS_N; // of a slice
const GROUPS_N: u32 = TN / 4u;
const STEPS: u32 = BK / 4u; // vec4s in a step of k
const BLOCKS_A: u32 = BM / 4u * STEPS;
const BLOCKS: u32 = BLOCKS_A + BN / 4u * STEPS;
const PASSES: u32 = 2u; // blocks that an invocation fetches in a step: BLOCKS / THREADS, rounded up
const EXCHANGED: u32 = 2u; // results of an invocation that B's tiles hold at once, as vec4s

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

var<workgroup> tile_a: array<vec4<f32>, SLICES * BUFFERS * BK * BM / 4u>;
var<workgroup> tile_b: array<vec4<f32>, SLICES * BUFFERS * BK * BN / 4u>;

// Block p of a step lies at this k (in vec4s) and row or column (in vec4s) of a tile `width` vec4s wide.
// Along the stored rows neighbours come first: loads are coalesced.
fn place(p: u32, width: u32, along_k: bool) -> vec2<u32> {
    if along_k { return vec2<u32>(p % STEPS, p / STEPS); }
    return vec2<u32>(p / width, p % width);
}

// What block p, if it is of A, has in common from step to step.
fn rows_of_block(p: u32, tile: Tile) -> Rows {
    return rows_a(tile.g, tile.m + place(p, BM / 4u, !TRANSPOSE_A).y * 4u);
}

fn fetch(p: u32, tile: Tile, rows: Rows, k: u32) -> Block {
    if p < BLOCKS_A { return load_a(tile.g, rows, k + place(p, BM / 4u, !TRANSPOSE_A).x * 4u); }
    let at = place(p - BLOCKS_A, BN / 4u, TRANSPOSE_B);
    return load_b(tile.g, tile.n + at.y * 4u, k + at.x * 4u);
}

// A row's vec4s are permuted by k, so that invocations that write along k meet different banks.
fn turn(column: u32, step: u32, width: u32) -> u32 { return column ^ (step * min(8u, width) / STEPS); }

fn put(p: u32, buffer: u32, block: Block) {
    if p < BLOCKS_A {
        let x = kept_a(block);
        let at = place(p, BM / 4u, !TRANSPOSE_A);
        let i = (buffer * BK + at.x * 4u) * (BM / 4u) + turn(at.y, at.x, BM / 4u);
        tile_a[i] = x[0];
        tile_a[i + BM / 4u] = x[1];
        tile_a[i + BM / 2u] = x[2];
        tile_a[i + BM * 3u / 4u] = x[3];
    } else {
        let x = kept_b(block);
        let at = place(p - BLOCKS_A, BN / 4u, TRANSPOSE_B);
        let i = (buffer * BK + at.x * 4u) * (BN / 4u) + turn(at.y, at.x, BN / 4u);
        tile_b[i] = x[0];
        tile_b[i + BN / 4u] = x[1];
        tile_b[i + BN / 2u] = x[2];
        tile_b[i + BN * 3u / 4u] = x[3];
    }
}

// Of a block of B.
fn column_sums(block: Block) -> vec4<f32> {
    let x = kept_b(block);
    return x[0] + x[1] + x[2] + x[3];
}

// Stores the i-th of the results that an invocation has as vec4s.
fn store_group(tile: Tile, tx: u32, ty: u32, i: u32, x: vec4<f32>) {
    let m = i / GROUPS_N;
    let row = row_of(tile, tile.m + m / 4u * 4u * THREADS_M + ty * 4u + m % 4u);
    let col = tile.n + (i % GROUPS_N * THREADS_N + tx) * 4u;
    if !EDGE || (row != NOWHERE && col < params.N) { store(row + col, x, params.N - col); }
}

@compute @workgroup_size(THREADS * SLICES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) index: u32) {
    let slice = index / THREADS;
    let lid = index % THREADS;
    let tile = tile_of(wid.y * groups.x + wid.x, BM, BN);
    if tile.s >= params.splits { return; }
    // 32 neighbours are 8 columns x 4 rows: fewest distinct vec4s a read. Among 16 of them each row and each column is
    // read by two whose numbers differ in one low bit: NVIDIA's workgroup memory serves such 16 vec4s at once.
    let warp = lid / 32u;
    let tx = lid / 2u % 8u + 8u * (warp % (THREADS_N / 8u));
    let ty = lid % 2u + lid / 16u % 2u * 2u + 4u * (warp / (THREADS_N / 8u));
    var acc: array<vec4<f32>, TM * GROUPS_N>;
    // unroll
    for (var i = 0u; i < TM * GROUPS_N; i++) { acc[i] = vec4<f32>(0.0); }
    let sums_columns = SUMS && tile.m == 0u;
    var sums: array<vec4<f32>, PASSES>; // of the columns of the blocks of B that this invocation fetches

    let begin = tile.s * params.span;
    let end = min(begin + params.span, depth(tile.g));
    var k = begin;
    var buffer = slice * BUFFERS;
    var rows: array<Rows, PASSES>;
    if k < end {
        // unroll
        for (var p = 0u; p < PASSES; p++) {
            let number = min(p * THREADS + lid, BLOCKS - 1u);
            rows[p] = rows_of_block(number, tile);
            let block = fetch(number, tile, rows[p], k + slice * BK);
            if p * THREADS + lid < BLOCKS { put(number, buffer, block); }
            if sums_columns { sums[p] += column_sums(block); }
        }
        workgroupBarrier();
    }
    while k < end {
        k += BK * SLICES;
        // The next step's blocks are on their way while this one's products are computed. Every invocation fetches in
        // every step, after the last one the first again: where a branch might leave a block as it was, NVIDIA's compiler
        // copies it, and so waits for it before the products.
        var next: array<Block, PASSES>;
        // unroll
        for (var p = 0u; p < PASSES; p++) {
            let number = min(p * THREADS + lid, BLOCKS - 1u);
            next[p] = fetch(number, tile, rows[p], select(begin, k, k < end) + slice * BK);
        }
        // unroll
        for (var q = 0u; q < STEPS; q++) {
            let at_a = buffer * BK * BM / 4u + turn(ty, q, BM / 4u);
            let at_b = buffer * BK * BN / 4u + turn(tx, q, BN / 4u);
            // unroll
            for (var j = q * 4u; j < q * 4u + 4u; j++) {
                var x: array<vec4<f32>, GROUPS_N>;
                // unroll
                for (var n = 0u; n < GROUPS_N; n++) { x[n] = tile_b[at_b + j * BN / 4u + n * THREADS_N]; }
                // unroll
                for (var m = 0u; m < TM / 4u; m++) {
                    let y = tile_a[at_a + j * BM / 4u + m * THREADS_M];
                    // Rows in pairs, there and back: a row begins with the column that the one before it ended with, which NVIDIA's
                    // compiler keeps at hand, so that fewer registers of one bank are read at once.
                    // unroll
                    for (var i = 0u; i < 2u; i++) {
                        // unroll
                        for (var n = 0u; n < GROUPS_N; n++) {
                            let at = (m * 4u + 2u * i) * GROUPS_N + n;
                            acc[at] = fma(vec4<f32>(y[2u * i]), x[n], acc[at]);
                        }
                        // unroll
                        for (var n = 0u; n < GROUPS_N; n++) {
                            let at = (m * 4u + 2u * i + 2u) * GROUPS_N - 1u - n;
                            acc[at] = fma(vec4<f32>(y[2u * i + 1u]), x[GROUPS_N - 1u - n].wzyx, acc[at]);
                        }
                    }
                }
            }
        }
        if k < end {
            if BUFFERS == 1u { workgroupBarrier(); } else { buffer = 2u * slice * BUFFERS + 1u - buffer; }
            // unroll
            for (var p = 0u; p < PASSES; p++) {
                if p * THREADS + lid < BLOCKS { put(p * THREADS + lid, buffer, next[p]); }
                if sums_columns { sums[p] += column_sums(next[p]); }
            }
            workgroupBarrier();
        }
    }

    // Every other row was summed from right to left.
    // unroll
    for (var i = GROUPS_N; i < TM * GROUPS_N; i++) {
        if i / GROUPS_N % 2u == 1u { acc[i] = acc[i].wzyx; }
    }
    if SLICES == 1u {
        // unroll
        for (var i = 0u; i < TM * GROUPS_N; i++) { store_group(tile, tx, ty, i, acc[i]); }
    } else {
        workgroupBarrier();
        // unroll
        for (var r = 0u; r < TM * GROUPS_N / EXCHANGED; r++) {
            // unroll
            for (var e = 0u; e < EXCHANGED; e++) {
                tile_b[(e * SLICES + slice) * THREADS + lid] = acc[r * EXCHANGED + e];
            }
            workgroupBarrier();
            if slice < EXCHANGED {
                var sum = tile_b[slice * SLICES * THREADS + lid];
                // unroll
                for (var q = 1u; q < SLICES; q++) { sum += tile_b[(slice * SLICES + q) * THREADS + lid]; }
                store_group(tile, tx, ty, r * EXCHANGED + slice, sum);
            }
            workgroupBarrier();
        }
    }
    if !sums_columns { return; }
    // The blocks of a step that lie at the same columns are added up, and those of the slices.
    workgroupBarrier();
    // unroll
    for (var p = 0u; p < PASSES; p++) {
        let block = p * THREADS + lid;
        if block >= BLOCKS_A && block < BLOCKS {
            let at = place(block - BLOCKS_A, BN / 4u, TRANSPOSE_B);
            tile_b[(slice * STEPS + at.x) * (BN / 4u) + at.y] = sums[p];
        }
    }
    workgroupBarrier();
    if index >= BN / 4u { return; }
    var sum = tile_b[index];
    // unroll
    for (var q = 1u; q < SLICES * STEPS; q++) { sum += tile_b[q * (BN / 4u) + index]; }
    store_sums(tile, tile.n + index * 4u, params.N, sum);
}
