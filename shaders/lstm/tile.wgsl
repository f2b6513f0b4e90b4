// The step of step.wgsl for GPUs whose processors one layer's cells are to fill: a workgroup owns a tile of GROUPS ROWS rows by COLS
// vec4 columns, and SLICES invocations share each sum. Turns of k stand in the text one after the other, AHEAD of them asked for before
// the products of the first: what is asked for in a loop is waited for at its end. Of a problem's sources each PER_SOURCE segments of
// H deep, EACH turns of a segment are in the text.
// The slices' sums are exchanged a row at a time; then each row of the tile is finished by an invocation for each column, all at once.
// Grid: [tiles, 1, layers], across first. Shared: 16 GATES SLICES COLS GROUPS bytes.

const ROWS: u32 = 4u; // of an invocation
const COLS: u32 = 2u;
const GROUPS: u32 = 1u;
const SLICES: u32 = 4u; // divides H / 4
const EACH: u32 = 1u; // divides H / (4 SLICES)

// hook: problem
// use: lstm/forward
// end

const TILE_ROWS: u32 = ROWS * GROUPS;
const TILE_COLS: u32 = COLS;
const TILE_LANES: u32 = COLS * GROUPS * SLICES;
const PLACES: u32 = COLS * GROUPS; // of an invocation's rows in the tile
const TURNS: u32 = SEGMENTS * EACH;
const HELD: u32 = ROWS * GATES;
const WEIGHTS: u32 = 4u * GATES;
var<workgroup> parts: array<vec4<f32>, GATES * SLICES * PLACES>;

// hook: tail
fn hand_on(top: u32, start: u32, lid: u32) {}
// end

// What a turn asks for lies AHEAD of where it is taken from.
fn source(at: u32) -> u32 { return min((at - AHEAD) / EACH / PER_SOURCE, SOURCES - 1u); }

// The first vec4 of k of that turn.
fn place(at: u32, base: u32) -> u32 {
    let turn = at - AHEAD;
    return (turn / EACH - source(at) * PER_SOURCE) * COLUMNS + (base + turn % EACH) * SLICES;
}

@compute @workgroup_size(PLACES, SLICES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>,
        @builtin(local_invocation_index) index: u32) {
    let across = (COLUMNS + COLS - 1u) / COLS;
    let start = wid.x % across * COLS;
    if !is_active(wid.z) { return; }
    let own = min(start + lid.x % COLS, COLUMNS - 1u);
    let top = wid.x / across * TILE_ROWS;
    let first = top + lid.x / COLS * ROWS;
    var sum: array<vec4<f32>, HELD>;
    // unroll
    for (var i = 0u; i < HELD; i++) { sum[i] = vec4<f32>(0.0); }
    for (var base = 0u; base < COLUMNS / SLICES; base += EACH) {
        var a: array<vec4<f32>, (TURNS + 2u * AHEAD) * ROWS>;
        var w: array<vec4<f32>, (TURNS + 2u * AHEAD) * WEIGHTS>;
        // unroll
        for (var c = 0u; c < TURNS + AHEAD; c++) {
            if c < TURNS {
                let s = source(c + AHEAD);
                if takes(s, wid.z) {
                    let k = place(c + AHEAD, base) + lid.y;
                    // unroll
                    for (var r = 0u; r < ROWS; r++) { a[(c + AHEAD) * ROWS + r] = operand(s, wid.z, min(first + r, BATCH - 1u), k); }
                    // unroll
                    for (var j = 0u; j < 4u; j++) {
                        // unroll
                        for (var g = 0u; g < GATES; g++) {
                            if feeds(s, g) { w[(c + AHEAD) * WEIGHTS + j * GATES + g] = weight(s, wid.z, 4u * k + j, g, own); }
                        }
                    }
                }
            }
            if c >= AHEAD {
                let s = source(c);
                if takes(s, wid.z) {
                    // unroll
                    for (var j = 0u; j < 4u; j++) {
                        // unroll
                        for (var g = 0u; g < GATES; g++) {
                            if feeds(s, g) {
                                // unroll
                                for (var r = 0u; r < ROWS; r++) { sum[r * GATES + g] += a[c * ROWS + r][j] * w[c * WEIGHTS + j * GATES + g]; }
                            }
                        }
                    }
                }
            }
        }
    }
    // Of the invocations that finish, the first PLACES take the first row of each group, and so on.
    var total: array<vec4<f32>, GATES>;
    // unroll
    for (var r = 0u; r < ROWS; r++) {
        workgroupBarrier();
        // unroll
        for (var g = 0u; g < GATES; g++) { parts[(g * SLICES + lid.y) * PLACES + lid.x] = sum[r * GATES + g]; }
        workgroupBarrier();
        // GATES PLACES invocations may be more than there are.
        for (var i = index; i < GATES * PLACES; i += TILE_LANES) {
            let at = i / PLACES * SLICES * PLACES + i % PLACES;
            var x = parts[at];
            for (var s = 1u; s < SLICES; s++) { x += parts[at + s * PLACES]; }
            parts[at] = x;
        }
        workgroupBarrier();
        if lid.y == r {
            // unroll
            for (var g = 0u; g < GATES; g++) { total[g] = parts[g * SLICES * PLACES + lid.x]; }
        }
    }
    let b = first + lid.y;
    if lid.y < ROWS && start + lid.x % COLS < COLUMNS && b < BATCH { finish(wid.z, b, own, total); }
    hand_on(top, start, index);
}
