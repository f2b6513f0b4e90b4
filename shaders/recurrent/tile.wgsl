// The step of register.wgsl for GPUs. B is far too small for tiles of columns alone to fill one, so that a workgroup also
// splits K into SLICES, whose sums it adds in a fixed order at the end. An invocation sums TM rows of TN columns. Workgroup
// memory hands all invocations one value no faster than each its own, so what counts is how many products a loaded value goes
// into: TM for one of W, which goes into registers alone, TN for one of y.
// The slices of a stage lie side by side in K, BK of it each, so that rows of y are read in one piece; of the two stages in
// workgroup memory one is written while the other is read. The next one's loads stand before the barrier: behind it
// NVIDIA's compiler would put them after the products that are to hide them.
// Grid: [H / BN, B / BM, 2 directions]; a workgroup owns BM x BN of y. H is a multiple of 4.
// SLICES and BK are powers of two. Shared: 8 * BM * SLICES * BK bytes.
// use: recurrent/directions

const BM: u32 = 32u;
const BN: u32 = 32u;
const BK: u32 = 4u;
const TM: u32 = 8u;
const TN: u32 = 8u;
const SLICES: u32 = 16u;
const ACROSS: u32 = BN / TN; // invocations side by side
const GROUPS: u32 = BM / TM; // and below each other
const TILE: u32 = ACROSS * GROUPS;
const LANES: u32 = SLICES * TILE;
const WIDE: u32 = TN / 4u; // vec4 columns of an invocation, ACROSS apart
const DEEP: u32 = BK / 4u;
const SPAN: u32 = SLICES * DEEP; // vec4 of a row of y in a stage
const STAGED: u32 = BM * SPAN;
const PIECES: u32 = TM * DEEP / ACROSS; // of a stage, an invocation
const SHARED: u32 = 2u * STAGED;
const SWIZZLE: u32 = max(1u, 8u / (GROUPS * DEEP)); // what invocations below each other read lies in different banks
const VALUES: u32 = TM * WIDE; // vec4 an invocation sums
const PASSES: u32 = BN / DEEP / 8u; // in which all slices' sums go through workgroup memory
const PASSED: u32 = VALUES / PASSES; // of an invocation, in each
const RESULTS: u32 = BM * BN / 4u; // of the workgroup, no more than its invocations
const SHARE: u32 = RESULTS / PASSES; // of them, in each pass

var<workgroup> shared_y: array<T, SHARED>;

// Where a stage keeps vec4 k of a row that belongs to a group of invocations.
fn stage(row: u32, group: u32, k: u32) -> u32 { return row * SPAN + (k ^ (group * SWIZZLE)); }

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let columns = params.width / 4u;
    let first = wid.y * BM;
    let down = wid.z == 1u;
    let t = select(params.step, params.steps - 1u - params.step, down);
    let own = lid % ACROSS;
    let group = lid / ACROSS % GROUPS;
    let slice = lid / TILE;
    var sum: array<T, VALUES>;
    // unroll
    for (var n = 0u; n < VALUES; n++) { sum[n] = T(0.0); }
    if params.step > 0u {
        let before = select(t - 1u, t + 1u, down);
        var column: array<u32, WIDE>;
        // unroll
        for (var c = 0u; c < WIDE; c++) { column[c] = min(wid.x * (BN / 4u) + c * ACROSS + own, columns - 1u); }
        let depth = lid % SPAN; // of the pieces that this invocation stages, which are rows LANES / SPAN apart
        var row: array<u32, PIECES>;
        // unroll
        for (var i = 0u; i < PIECES; i++) {
            row[i] = (min(first + (i * LANES + lid) / SPAN, params.batch - 1u) * params.steps + before) * columns;
        }
        // Whole stages; what lies past the end of K is zeros of y and the last rows of W.
        let stages = (columns + SPAN - 1u) / SPAN;
        // unroll
        for (var d = 0u; d < 2u; d++) {
            if wid.z == d {
                var w: array<T, 2u * DEEP * 4u * WIDE>;
                var y: array<T, PIECES>;
                // unroll
                for (var i = 0u; i < PIECES; i++) { y[i] = state(d, row[i] + min(depth, columns - 1u)); }
                // unroll
                for (var k = 0u; k < DEEP; k++) {
                    let w_row = min(slice * DEEP + k, columns - 1u) * 4u * columns;
                    // unroll
                    for (var q = 0u; q < 4u; q++) {
                        // unroll
                        for (var c = 0u; c < WIDE; c++) { w[(4u * k + q) * WIDE + c] = weight(d, w_row + q * columns + column[c]); }
                    }
                }
                for (var s = 0u; s < stages; s += 2u) {
                    // unroll
                    for (var h = 0u; h < 2u; h++) {
                        let inside = (s + h) * SPAN + depth < columns;
                        // unroll
                        for (var i = 0u; i < PIECES; i++) {
                            let at = (i * LANES + lid) / SPAN;
                            shared_y[h * STAGED + stage(at, at / TM, depth)] = select(T(0.0), y[i], inside);
                        }
                        let next = (s + h + 1u) * SPAN;
                        // unroll
                        for (var i = 0u; i < PIECES; i++) { y[i] = state(d, row[i] + min(next + depth, columns - 1u)); }
                        // unroll
                        for (var k = 0u; k < DEEP; k++) {
                            let w_row = min(next + slice * DEEP + k, columns - 1u) * 4u * columns;
                            // unroll
                            for (var q = 0u; q < 4u; q++) {
                                // unroll
                                for (var c = 0u; c < WIDE; c++) {
                                    w[(((1u - h) * DEEP + k) * 4u + q) * WIDE + c] = weight(d, w_row + q * columns + column[c]);
                                }
                            }
                        }
                        // The one barrier a stage: who writes it again has seen all others finish the stage between.
                        workgroupBarrier();
                        // unroll
                        for (var k = 0u; k < DEEP; k++) {
                            let staged = h * STAGED + stage(group * TM, group, slice * DEEP + k);
                            // unroll
                            for (var r = 0u; r < TM; r++) {
                                let x = shared_y[staged + r * SPAN];
                                // unroll
                                for (var q = 0u; q < 4u; q++) {
                                    // unroll
                                    for (var c = 0u; c < WIDE; c++) {
                                        sum[r * WIDE + c] = fma(T(x[q]), w[((h * DEEP + k) * 4u + q) * WIDE + c], sum[r * WIDE + c]);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    // An invocation finishes one value, and asks for what that takes before the slices are added.
    let b = first + lid % TILE / ACROSS * TM + lid / TILE / WIDE;
    let column = (wid.x * WIDE + lid / TILE % WIDE) * ACROSS + own;
    let near = min(b, params.batch - 1u);
    let others = beside(down, near, (near * params.steps + t) * columns + min(column, columns - 1u));
    var total = T(0.0);
    // unroll
    for (var p = 0u; p < PASSES; p++) {
        workgroupBarrier();
        // unroll
        for (var n = 0u; n < PASSED; n++) { shared_y[slice * SHARE + n * TILE + lid % TILE] = sum[p * PASSED + n]; }
        workgroupBarrier();
        if lid / SHARE == p {
            for (var s = 0u; s < SLICES; s++) { total += shared_y[s * SHARE + lid % SHARE]; }
        }
    }
    if lid < RESULTS && b < params.batch && column < columns {
        let at = (b * params.steps + t) * columns + column;
        let y = finish(others, t, total);
        if down { y_down[at] = y; } else { y_up[at] = y; }
    }
}
