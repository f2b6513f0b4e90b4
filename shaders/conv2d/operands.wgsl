// A convolution and its two gradients as products whose operands are gathered, never materialised (implicit
// GEMM, Chetlur 2014). Activations are NHWC: the window of a pixel is a few runs of neighbouring elements.
//   PASS 0, y: A[pixel of y, window] = x, B[window, channel of y] = w
//   PASS 1, dx: A[pixel of dx, window] = dy, B[window, channel of dx] = w. One product for each residue of
//     the pixel by the stride, whose windows then have no gaps: no multiply meets an inserted zero
//   PASS 2, dw: A[window, pixel of y] = x stored transposed, B[pixel of y, channel of y] = dy
// A window is TAPS runs of RUN elements, each taken as whole vec4s. Without groups a run of PASS 0 and 2 is
// a window's whole row, S C neighbours, so that images of 3 channels fill their vec4s too.

// use: common/tiles
const PASS: u32 = 0u;
const HEIGHT: u32 = 8u; // of x, and
const WIDTH: u32 = 8u;
const CHANNELS: u32 = 4u;
const P: u32 = 8u; // of y
const Q: u32 = 8u;
const N: u32 = 4u;
const R: u32 = 3u; // of the filter
const S: u32 = 3u;
const STRIDE: u32 = 1u;
const PAD: u32 = 1u;
const GROUPS: u32 = 1u;
const RUN: u32 = 12u;
const ACROSS: u32 = 1u; // runs side by side in a window: 1, or S
const TAPS: u32 = 3u;
const WIDE_A: bool = true; // runs begin at whole vec4s of the gathered tensor
const WIDE_B: bool = true; // so do the rows of B as they are stored
const TAIL: bool = true;   // the sum is no multiple of the step
const TRANSPOSE_A: bool = false;
const TRANSPOSE_B: bool = false;

// M and N of the product are exchanged: `conv2d/pixels` lets lanes own what is gathered.
const SWAP: bool = false;

const CG: u32 = CHANNELS / GROUPS;
const NG: u32 = N / GROUPS;
const RUN4: u32 = (RUN + 3u) / 4u * 4u;
const PHASES: u32 = STRIDE * STRIDE;
alias One = f32; // f16 where operands stay as they are stored
alias Four = vec4<f32>;
alias Sixteen = mat4x4<f32>;

// hook: pixels
@group(0) @binding(0) var<storage, read> a: array<Four>;
fn a4(i: u32) -> Four { return a[i / 4u]; }
fn a1(i: u32) -> One { return a[i / 4u].x; } // where not WIDE_A, from an array of One
// end
// hook: four_from
// Elements i .. i + 4, those that bits of `inside` tell of: i itself may lie before the first.
fn four_from(i: u32, inside: u32) -> Four {
    var x: Four;
    // unroll
    for (var q = 0u; q < 4u; q++) { x[q] = a1(select(0u, i + q, ((inside >> q) & 1u) == 1u)); }
    return x;
}
// end
// hook: filters
@group(0) @binding(1) var<storage, read> b: array<Four>;
fn b4(i: u32) -> Four { return b[i / 4u]; }
fn b1(i: u32) -> One { return b[i / 4u].x; } // where not WIDE_B, from an array of One
// end

// Row and column, with the padding, of the first pixel of dx in product g of PASS 1.
fn phase(g: u32) -> vec2<u32> {
    return vec2<u32>(g % PHASES / STRIDE + PAD, g % STRIDE + PAD);
}

// How many taps down and across reach these pixels.
fn reach(start: vec2<u32>) -> vec2<u32> {
    return (vec2<u32>(R, S) + STRIDE - 1u - start % STRIDE) / STRIDE;
}

// Rows and columns of pixels in a product.
fn pixels() -> vec2<u32> {
    if PASS == 1u { return vec2<u32>((HEIGHT + STRIDE - 1u) / STRIDE, (WIDTH + STRIDE - 1u) / STRIDE); }
    return vec2<u32>(P, Q);
}

// Where the window of a pixel begins: row, element in it, and its place in the tensor, which may lie before the first.
struct Origin { row: i32, at: i32, first: i32 }
// Four neighbours of a window, as seen from its beginning; `e` is their place in their run.
struct Part { row: i32, at: i32, e: u32 }

fn origin(g: u32, pixel: u32) -> Origin { return origin_of(g, place_of(pixel)); }

// A pixel's image, row and column.
fn place_of(pixel: u32) -> vec3<u32> {
    let size = pixels();
    return vec3<u32>(pixel / (size.x * size.y), pixel / size.y % size.x, pixel % size.y);
}

// The place of the pixel after this one: without a division.
fn after(place: vec3<u32>) -> vec3<u32> {
    let size = pixels();
    let column = select(place.z + 1u, 0u, place.z + 1u == size.y);
    let row = place.y + u32(column == 0u);
    return vec3<u32>(place.x + u32(row == size.x), select(row, 0u, row == size.x), column);
}

fn origin_of(g: u32, place: vec3<u32>) -> Origin {
    if PASS == 1u {
        let start = phase(g) / STRIDE;
        let row = i32(place.y + start.x);
        let at = i32((place.z + start.y) * N + g / PHASES * NG);
        return Origin(row, at, (i32(place.x * P) + row) * i32(Q * N) + at);
    }
    let row = i32(place.y * STRIDE) - i32(PAD);
    let at = (i32(place.z * STRIDE) - i32(PAD)) * i32(CHANNELS) + i32(g * CG);
    return Origin(row, at, (i32(place.x * HEIGHT) + row) * i32(WIDTH * CHANNELS) + at);
}

// Elements k .. k + 4, k a multiple of 4.
fn part(g: u32, k: u32) -> Part {
    let tap = k / RUN4;
    let e = k % RUN4;
    if PASS == 1u {
        let across = max(reach(phase(g)).y, 1u);
        return Part(-i32(tap / across), i32(e) - i32(tap % across * N), e);
    }
    return Part(i32(tap / ACROSS), i32(tap % ACROSS * CHANNELS + e), e);
}

// Four neighbours as they were loaded. What is not inside becomes 0 in `kept`, when it is needed: a value that is looked
// at is waited for. Where they are one vec4 bit 0 tells of all four, else bit q of each.
struct Loaded { x: Four, inside: u32 }

fn kept(loaded: Loaded, wide: bool) -> Four {
    if wide { return select(Four(), loaded.x, (loaded.inside & 1u) != 0u); }
    return select(Four(), loaded.x, (vec4<u32>(loaded.inside) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>(0u));
}

// These elements, none of them where `valid` is false. Conditions are joined by &, not &&: unrolled, a branch for each takes
// SwiftShader minutes and gigabytes to compile.
fn load(origin: Origin, part: Part, valid: bool) -> Loaded {
    var rows = HEIGHT;
    var line = WIDTH * CHANNELS;
    if PASS == 1u {
        rows = P;
        line = Q * N;
    }
    let row = u32(origin.row + part.row);
    let at = origin.at + part.at;
    let begin = u32(origin.first + part.row * i32(line) + part.at);
    if WIDE_A {
        let ok = valid & (row < rows) & (u32(at) < line);
        return Loaded(a4(select(0u, begin, ok)), u32(ok));
    }
    var inside = 0u;
    // unroll
    for (var q = 0u; q < 4u; q++) {
        inside |= u32(valid & (row < rows) & (u32(at + i32(q)) < line) & (part.e + q < RUN)) << q;
    }
    return Loaded(four_from(begin, inside), inside);
}

// These elements; zeros outside the tensor.
fn sight(origin: Origin, part: Part) -> Four { return kept(load(origin, part, true), WIDE_A); }

// The end of the sum over k in product g.
fn depth(g: u32) -> u32 {
    if PASS == 1u {
        let taps = reach(phase(g));
        return taps.x * taps.y * RUN4;
    }
    return params.K;
}

// What four stored rows of A have in common from step to step: where the windows of four pixels begin, or in PASS 2 the
// place of four window elements.
struct Rows { origins: array<Origin, 4>, part: Part }

fn rows_a(g: u32, m: u32) -> Rows {
    var rows: Rows;
    if TRANSPOSE_A {
        rows.part = part(g, select(m, min(m, params.M - 4u), EDGE));
        return rows;
    }
    // unroll
    for (var i = 0u; i < 4u; i++) { rows.origins[i] = origin(g, select(m + i, min(m + i, params.M - 1u), EDGE)); }
    return rows;
}

// Where the window of pixel i of four begins: at `own`, which follows from the first's where rows are whole fours, as these
// are side by side then: three registers in place of twelve. Behind the last pixel it may be anywhere: no product is stored.
fn beside(first: Origin, own: Origin, i: u32) -> Origin {
    if pixels().y % 4u != 0u { return own; }
    let across = i32(i * select(STRIDE * CHANNELS, N, PASS == 1u));
    return Origin(first.row, first.at + across, first.first + across);
}

// Four stored neighbours of A, zero beyond the sum: [k, m .. m + 4] in PASS 2, else [m, k .. k + 4].
fn row_a(g: u32, m: u32, k: u32) -> Four {
    let valid = !TAIL | (k < depth(g));
    if TRANSPOSE_A { return kept(load(origin(g, select(0u, k, valid)), rows_a(g, m).part, valid), WIDE_A); }
    let at = origin(g, select(m, min(m, params.M - 1u), EDGE));
    return kept(load(at, part(g, select(0u, k, valid)), valid), WIDE_A);
}

// Four stored neighbours of B at element i, of which the first `count` count, and none where `valid` is false.
fn neighbours(i: u32, count: u32, valid: bool) -> Loaded {
    if WIDE_B { return Loaded(b4(i), u32(valid)); }
    var loaded: Loaded;
    // unroll
    for (var q = 0u; q < 4u; q++) {
        loaded.x[q] = b1(select(i, i + q, q < count));
        loaded.inside |= u32(valid & (q < count)) << q;
    }
    return loaded;
}

// Four stored neighbours of B: [n, k .. k + 4] in PASS 1, else [k, n .. n + 4].
fn load_row_b(g: u32, n: u32, k: u32) -> Loaded {
    let most = select(N, CHANNELS, PASS == 1u) / GROUPS;
    let col = select(n, min(n, most - select(1u, 4u, WIDE_B && !TRANSPOSE_B)), EDGE);
    if PASS == 2u {
        let valid = !TAIL | (k < params.K);
        return neighbours(select(0u, k, valid) * N + g * NG + col, NG - col, valid);
    }
    let tap = k / RUN4;
    let e = k % RUN4;
    if PASS == 1u {
        let valid = !TAIL | (k < depth(g));
        let start = phase(g);
        let across = max(reach(start).y, 1u);
        let r = start.x % STRIDE + STRIDE * (tap / across);
        let s = start.y % STRIDE + STRIDE * (tap % across);
        let weights = select(0u, (r * S + s) * CG + col, valid);
        return neighbours(weights * N + g / PHASES * NG + e, NG - e, valid);
    }
    // Without gaps between runs no division is needed.
    let valid = (!TAIL | (k < params.K)) & ((RUN == RUN4) | (e < RUN));
    let weights = select(tap * RUN + e, k, RUN == RUN4);
    return neighbours(select(0u, weights, valid) * N + g * NG + col, NG - col, valid);
}

// The same, zero beyond the sum.
fn row_b(g: u32, n: u32, k: u32) -> Four { return kept(load_row_b(g, n, k), WIDE_B); }

// A block of 4 x 4 as it was loaded, by stored rows. Bits 4 i .. 4 i + 4 tell what of row i is inside: a block that waits for
// its products takes one register for that, not four.
struct Block { x: Sixteen, inside: u32 }

fn load_a(g: u32, rows: Rows, k: u32) -> Block {
    var block: Block;
    let valid = !TAIL | (k < depth(g));
    if TRANSPOSE_A {
        var place = place_of(select(0u, k, valid));
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let row = load(origin_of(g, place), rows.part, !TAIL | (k + i < depth(g)));
            block.x[i] = row.x;
            block.inside |= row.inside << (4u * i);
            place = after(place);
        }
        return block;
    }
    let here = part(g, select(0u, k, valid));
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let row = load(beside(rows.origins[0], rows.origins[i], i), here, valid);
        block.x[i] = row.x;
        block.inside |= row.inside << (4u * i);
    }
    return block;
}

fn load_b(g: u32, n: u32, k: u32) -> Block {
    var block: Block;
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let row = load_row_b(g, select(n, n + i, TRANSPOSE_B), select(k + i, k, TRANSPOSE_B));
        block.x[i] = row.x;
        block.inside |= row.inside << (4u * i);
    }
    return block;
}

fn kept_rows(block: Block, wide: bool) -> Sixteen {
    let x = block.x; let inside = block.inside;
    return Sixteen(kept(Loaded(x[0], inside), wide), kept(Loaded(x[1], inside >> 4u), wide),
                       kept(Loaded(x[2], inside >> 8u), wide), kept(Loaded(x[3], inside >> 12u), wide));
}

// A block as it is stored, zeros beyond the sum.
fn stored_a(block: Block) -> Sixteen { return kept_rows(block, WIDE_A); }
fn stored_b(block: Block) -> Sixteen { return kept_rows(block, WIDE_B); }

// Row j of what was loaded at k is k + j.
fn kept_a(block: Block) -> Sixteen {
    let x = kept_rows(block, WIDE_A);
    if TRANSPOSE_A { return x; }
    return transpose(x);
}

fn kept_b(block: Block) -> Sixteen {
    let x = kept_rows(block, WIDE_B);
    if TRANSPOSE_B { return transpose(x); }
    return x;
}

// A[g, m .. m + 4, k .. k + 4], row j at k + j.
fn block_a(g: u32, m: u32, k: u32) -> Sixteen { return kept_a(load_a(g, rows_a(g, m), k)); }

// B[g, k .. k + 4, n .. n + 4].
fn block_b(g: u32, n: u32, k: u32) -> Sixteen { return kept_b(load_b(g, n, k)); }

// Where row m of a tile's result begins, or NOWHERE.
fn row_of(tile: Tile, m: u32) -> u32 {
    let count = select(params.M, params.N, SWAP);
    if EDGE && m >= count { return NOWHERE; }
    let size = pixels();
    if PASS == 0u { return (tile.s * count + m) * N + tile.g * NG; }
    if PASS == 1u {
        let start = phase(tile.g) - PAD;
        let h = m / size.y % size.x * STRIDE + start.x;
        let w = m % size.y * STRIDE + start.y;
        if h >= HEIGHT || w >= WIDTH { return NOWHERE; }
        let images = count / (size.x * size.y);
        return (((tile.s * images + m / (size.x * size.y)) * HEIGHT + h) * WIDTH + w) * CHANNELS + tile.g / PHASES * CG;
    }
    let e = m % RUN4;
    if e >= RUN { return NOWHERE; }
    return ((tile.s * TAPS + m / RUN4) * RUN + e) * N + tile.g * NG;
}
