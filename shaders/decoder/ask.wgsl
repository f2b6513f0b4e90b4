// What a tile of cells gives to the query, its c and h times their rows of the query's weight, and, where OUTPUT, what its h gives to
// the output. A workgroup has TILE_ROWS x TILE_COLS of states for it, so these are parts of sums, [2 or 1, H / (4 TILE_COLS), B, H]:
// the attention adds them up. Layers above the first add to what is there.
// Each invocation takes ROWS rows of a column.

// hook: cells
const ROWS: u32 = 4u;
const TILE_ROWS: u32 = 4u;
const TILE_COLS: u32 = 8u;
const TILE_LANES: u32 = 8u;
const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
@group(0) @binding(0) var<storage, read> query_weights: array<vec4<f32>>; // [2L H, H]
@group(0) @binding(1) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> asking: array<vec4<f32>>;
fn layer() -> u32 { return 0u; }
fn cell(b: u32) -> u32 { return 2u * b * COLUMNS; } // where its c lies, and h after it
// end

// hook: output
const OUTPUT: bool = false;
fn output_weight(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
// end

fn hand_on(top: u32, start: u32, lid: u32) {
    storageBarrier();
    for (var i = lid; i < TILE_ROWS / ROWS * COLUMNS; i += TILE_LANES) {
        let n = i % COLUMNS;
        let first = top + i / COLUMNS * ROWS;
        var query: array<vec4<f32>, ROWS>;
        var out: array<vec4<f32>, ROWS>;
        for (var k = start; k < min(start + TILE_COLS, COLUMNS); k++) {
            // unroll
            for (var u = 0u; u < 2u; u++) {
                var state: array<vec4<f32>, ROWS>;
                // unroll
                for (var r = 0u; r < ROWS; r++) { state[r] = states[cell(min(first + r, BATCH - 1u)) + u * COLUMNS + k]; }
                // unroll
                for (var j = 0u; j < 4u; j++) {
                    let w = query_weights[((2u * layer() + u) * 4u * COLUMNS + 4u * k + j) * COLUMNS + n];
                    // unroll
                    for (var r = 0u; r < ROWS; r++) { query[r] += state[r][j] * w; }
                    if OUTPUT && u == 1u {
                        let w_out = output_weight((4u * k + j) * COLUMNS + n);
                        // unroll
                        for (var r = 0u; r < ROWS; r++) { out[r] += state[r][j] * w_out; }
                    }
                }
            }
        }
        // unroll
        for (var r = 0u; r < ROWS; r++) {
            let b = first + r;
            if b < BATCH {
                let at = (start / TILE_COLS * BATCH + b) * COLUMNS + n;
                if layer() == 0u { asking[at] = query[r]; } else { asking[at] += query[r]; }
                if OUTPUT { asking[(COLUMNS + TILE_COLS - 1u) / TILE_COLS * BATCH * COLUMNS + at] = out[r]; }
            }
        }
    }
}
