// The operands of C[g, m, n] = sum over k of A[g, m, k] B[g, k, n] in blocks of 4 x 4, whichever way they
// are stored: row j of a block is k + j, its columns are four neighbours in M or N.

// use: common/tiles
const TRANSPOSE_A: bool = false; // A is stored [G, K, M], not [G, M, K]
const TRANSPOSE_B: bool = false; // B is stored [G, N, K], not [G, K, N]
const WIDE_A: bool = true;       // A's stored rows are whole vec4s, and so is its binding
const WIDE_B: bool = true;
const TAIL: bool = true;         // K is no multiple of the step
alias Four = vec4<f32>;          // vec4<f16> where operands stay as they are stored
alias Sixteen = mat4x4<f32>;
alias ElementA = vec4<f32>;      // f32 where not WIDE_A
alias ElementB = vec4<f32>;

@group(0) @binding(0) var<storage, read> a: array<ElementA>;

// hook: operand
@group(0) @binding(1) var<storage, read> b: array<ElementB>;
fn b_at(i: u32) -> ElementB { return b[i]; }
// end

// Four neighbours in row `row` of a stored matrix [rows, cols] that begins at element `at`. Outside the
// matrix the nearest inside: beyond M and N the products are never stored, beyond K `masked` drops them.
fn vec_a(at: u32, row: u32, col: u32, rows: u32, cols: u32) -> Four {
    let i = at + cols * select(row, min(row, rows - 1u), EDGE || TAIL);
    if WIDE_A { return Four(a[(i + select(col, min(col, cols - 4u), EDGE || TAIL)) / 4u]); }
    let j = min(vec4<u32>(col, col + 1u, col + 2u, col + 3u), vec4<u32>(cols - 1u)) + i;
    // The constructor makes the same of an f32 as of the vec4 that it never meets here.
    return Four(Four(a[j.x]).x, Four(a[j.y]).x, Four(a[j.z]).x, Four(a[j.w]).x);
}

fn vec_b(at: u32, row: u32, col: u32, rows: u32, cols: u32) -> Four {
    let i = at + cols * select(row, min(row, rows - 1u), EDGE || TAIL);
    if WIDE_B { return Four(b_at((i + select(col, min(col, cols - 4u), EDGE || TAIL)) / 4u)); }
    let j = min(vec4<u32>(col, col + 1u, col + 2u, col + 3u), vec4<u32>(cols - 1u)) + i;
    return Four(Four(b_at(j.x)).x, Four(b_at(j.y)).x, Four(b_at(j.z)).x, Four(b_at(j.w)).x);
}

// A block of 4 x 4 as it was loaded, by stored rows, from k on. What lies beyond K becomes 0 when it is needed: a value
// that is looked at is waited for.
struct Block { x: Sixteen, k: u32 }
// What four rows of A have in common from step to step: the first of them.
struct Rows { m: u32 }
fn rows_a(g: u32, m: u32) -> Rows { return Rows(m); }

fn load_a(g: u32, rows: Rows, k: u32) -> Block {
    let M = params.M; let K = params.K; let at = g * M * K; let m = rows.m;
    if TRANSPOSE_A {
        return Block(Sixteen(vec_a(at, k, m, K, M), vec_a(at, k + 1u, m, K, M),
                                 vec_a(at, k + 2u, m, K, M), vec_a(at, k + 3u, m, K, M)), k);
    }
    return Block(Sixteen(vec_a(at, m, k, M, K), vec_a(at, m + 1u, k, M, K),
                             vec_a(at, m + 2u, k, M, K), vec_a(at, m + 3u, k, M, K)), k);
}

fn load_b(g: u32, n: u32, k: u32) -> Block {
    let N = params.N; let K = params.K; let at = g * N * K;
    if TRANSPOSE_B {
        return Block(Sixteen(vec_b(at, n, k, N, K), vec_b(at, n + 1u, k, N, K),
                                 vec_b(at, n + 2u, k, N, K), vec_b(at, n + 3u, k, N, K)), k);
    }
    return Block(Sixteen(vec_b(at, k, n, K, N), vec_b(at, k + 1u, n, K, N),
                             vec_b(at, k + 2u, n, K, N), vec_b(at, k + 3u, n, K, N)), k);
}

// Row j is k + j, zero beyond K. In both operands, as zero times infinity is not zero.
fn masked(x: Sixteen, k: u32) -> Sixteen {
    if !TAIL { return x; }
    let zero = Four(); let K = params.K;
    return Sixteen(select(zero, x[0], k < K), select(zero, x[1], k + 1u < K),
                       select(zero, x[2], k + 2u < K), select(zero, x[3], k + 3u < K));
}

fn kept_a(block: Block) -> Sixteen {
    if TRANSPOSE_A { return masked(block.x, block.k); }
    return masked(transpose(block.x), block.k);
}

fn kept_b(block: Block) -> Sixteen {
    if TRANSPOSE_B { return masked(transpose(block.x), block.k); }
    return masked(block.x, block.k);
}

// A block as it is stored: its rows are k + j, or its columns. Zeros beyond K.
fn stored_rows(block: Block, along_k: bool) -> Sixteen {
    if !TAIL || !along_k { return masked(block.x, block.k); }
    let k = vec4<u32>(block.k, block.k + 1u, block.k + 2u, block.k + 3u) < vec4<u32>(params.K);
    return Sixteen(select(Four(), block.x[0], k), select(Four(), block.x[1], k),
                   select(Four(), block.x[2], k), select(Four(), block.x[3], k));
}
fn stored_a(block: Block) -> Sixteen { return stored_rows(block, !TRANSPOSE_A); }
fn stored_b(block: Block) -> Sixteen { return stored_rows(block, TRANSPOSE_B); }

// A[g, m .. m + 4, k .. k + 4].
fn block_a(g: u32, m: u32, k: u32) -> Sixteen { return kept_a(load_a(g, rows_a(g, m), k)); }

// B[g, k .. k + 4, n .. n + 4].
fn block_b(g: u32, n: u32, k: u32) -> Sixteen { return kept_b(load_b(g, n, k)); }

// Four stored neighbours of A, zero beyond K: [k, m .. m + 4] where it is stored transposed, else
// [m, k .. k + 4].
fn row_a(g: u32, m: u32, k: u32) -> Four {
    let M = params.M; let K = params.K; let at = g * M * K;
    if TRANSPOSE_A {
        return select(Four(), vec_a(at, k, m, K, M), !TAIL || k < K);
    }
    return select(Four(), vec_a(at, m, k, M, K), vec4<u32>(k, k + 1u, k + 2u, k + 3u) < vec4<u32>(select(k + 4u, K, TAIL)));
}

// The end of the sum over k.
fn depth(g: u32) -> u32 { return params.K; }

// Where row m of C begins, or NOWHERE.
fn row_of(tile: Tile, m: u32) -> u32 {
    if EDGE && m >= params.M { return NOWHERE; }
    return ((tile.s * params.G + tile.g) * params.M + m) * params.N;
}
