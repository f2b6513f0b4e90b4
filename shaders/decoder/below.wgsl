// What a tile of the second layer's cells gives to h of the first, backward: the gradients of its gates times their rows of the input's
// weight. A workgroup has TILE_ROWS x TILE_COLS of each gate, so these are parts of sums, [H / (4 TILE_COLS), B, H], which
// the first cell adds up.
// Each invocation takes ROWS rows of a column.

// hook: cells
const ROWS: u32 = 4u;
const TILE_ROWS: u32 = 4u;
const TILE_COLS: u32 = 8u;
const TILE_LANES: u32 = 8u;
const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
struct Params { step: u32 }
@group(0) @binding(0) var<storage, read> turned: array<vec4<f32>>; // [L, 4H, 2H]
@group(0) @binding(1) var<storage, read_write> carried: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> d_gates: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;
fn gate(l: u32, b: u32, t: u32) -> u32 { return (l * BATCH + b) * 4u * COLUMNS; }
fn plane(p: u32, b: u32) -> u32 { return (p * BATCH + b) * COLUMNS; }
// end

fn hand_on(z: u32, top: u32, start: u32, lid: u32) {
    if z > 0u { return; }
    storageBarrier();
    for (var i = lid; i < TILE_ROWS / ROWS * COLUMNS; i += TILE_LANES) {
        let n = i % COLUMNS;
        let first = top + i / COLUMNS * ROWS;
        var sum: array<vec4<f32>, ROWS>;
        for (var k = start; k < min(start + TILE_COLS, COLUMNS); k++) {
            // unroll
            for (var g = 0u; g < 4u; g++) {
                let row = g * COLUMNS + k;
                var d: array<vec4<f32>, ROWS>;
                // unroll
                for (var r = 0u; r < ROWS; r++) { d[r] = d_gates[gate(1u, min(first + r, BATCH - 1u), params.step) + row]; }
                // unroll
                for (var j = 0u; j < 4u; j++) {
                    let w = turned[(16u * COLUMNS + 4u * row + j) * 2u * COLUMNS + n];
                    // unroll
                    for (var r = 0u; r < ROWS; r++) { sum[r] += d[r][j] * w; }
                }
            }
        }
        // unroll
        for (var r = 0u; r < ROWS; r++) {
            if first + r < BATCH { carried[plane(start / TILE_COLS, first + r) + n] = sum[r]; }
        }
    }
}
