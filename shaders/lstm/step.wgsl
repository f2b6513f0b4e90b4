// The product of a time step and what is made of it: for rows b of a batch, GATES sets of COLUMNS vec4s,
//   sum[g] = sum over the problem's sources of A[b, :] W[:, g, column], then finish(b, column, sum).
// The problem says where A and W lie, how deep they are and what becomes of a sum: cells forward or backward.
// A batch is far too small to fill a GPU with columns alone: there SLICES invocations share a sum, each a
// slice of K, and one of them adds the slices up in a fixed order. With one slice nothing is shared, which
// suits a CPU. The more rows, the less often the weights are read: rows are exchanged some at a time, so that more of them
// need no more memory, and neighbours side by side.
// Grid: [COLUMNS / LANES, B / ROWS, layers]; an invocation owns ROWS rows of one vec4 column of each set.
// Shared: 16 SLICES LANES EXCHANGED GATES bytes where SLICES > 1. All lengths are consts: see docs/kernels-log.md
// on uniforms that bound loops.

const ROWS: u32 = 4u;
const LANES: u32 = 8u;
const SLICES: u32 = 1u; // a power of two that divides every source's depth
const EXCHANGED: u32 = 2u; // rows at a time: divides ROWS where SLICES > 1

// hook: problem
// use: lstm/forward
// end

const HELD: u32 = ROWS * GATES;
const EXCHANGES: u32 = ROWS / EXCHANGED;
const TOGETHER: u32 = EXCHANGED * GATES;
const SHARED: u32 = select(1u, SLICES * LANES * TOGETHER, SLICES > 1u);
var<workgroup> parts: array<vec4<f32>, SHARED>;

const TILE_ROWS: u32 = ROWS;
const TILE_COLS: u32 = LANES;
const TILE_LANES: u32 = LANES * SLICES;

// hook: tail
fn hand_on(top: u32, start: u32, lid: u32) {}
// end

@compute @workgroup_size(LANES, SLICES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
    if !is_active(wid.z) { return; }
    let column = wid.x * LANES + lid.x;
    let own = min(column, COLUMNS - 1u);
    let first = wid.y * ROWS;
    var sum: array<vec4<f32>, HELD>;
    // unroll
    for (var i = 0u; i < HELD; i++) { sum[i] = vec4<f32>(0.0); }
    // unroll
    for (var s = 0u; s < SOURCES; s++) {
        if takes(s, wid.z) {
            let each = depth(s) / SLICES;
            for (var i = 0u; i < each; i++) {
                let k = lid.y * each + i;
                var a: array<vec4<f32>, ROWS>;
                // unroll
                for (var r = 0u; r < ROWS; r++) { a[r] = operand(s, wid.z, min(first + r, BATCH - 1u), k); }
                // unroll
                for (var j = 0u; j < 4u; j++) {
                    // unroll
                    for (var g = 0u; g < GATES; g++) {
                        if feeds(s, g) {
                            let w = weight(s, wid.z, 4u * k + j, g, own);
                            // unroll
                            for (var r = 0u; r < ROWS; r++) { sum[r * GATES + g] += a[r][j] * w; }
                        }
                    }
                }
            }
        }
    }
    if SLICES > 1u {
        // unroll
        for (var e = 0u; e < EXCHANGES; e++) {
            if e > 0u { workgroupBarrier(); }
            // unroll
            for (var i = 0u; i < TOGETHER; i++) {
                parts[(i * SLICES + lid.y) * LANES + lid.x] = sum[e * TOGETHER + i];
            }
            workgroupBarrier();
            for (var r = lid.y; r < EXCHANGED; r += SLICES) {
                let b = first + e * EXCHANGED + r;
                var total: array<vec4<f32>, GATES>;
                // unroll
                for (var g = 0u; g < GATES; g++) {
                    total[g] = vec4<f32>(0.0);
                    for (var s = 0u; s < SLICES; s++) { total[g] += parts[((r * GATES + g) * SLICES + s) * LANES + lid.x]; }
                }
                if column < COLUMNS && b < BATCH { finish(wid.z, b, column, total); }
            }
        }
    } else {
        for (var r = 0u; r < min(ROWS, BATCH - first); r++) {
            var total: array<vec4<f32>, GATES>;
            // unroll
            for (var g = 0u; g < GATES; g++) {
                total[g] = sum[g];
                // unroll
                for (var i = 1u; i < ROWS; i++) { total[g] = select(total[g], sum[i * GATES + g], r == i); }
            }
            if column < COLUMNS { finish(wid.z, first + r, column, total); }
        }
    }
    hand_on(first, wid.x * LANES, lid.y * LANES + lid.x);
}
