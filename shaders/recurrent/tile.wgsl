// The step of register.wgsl for GPUs: B is far too small for tiles of columns alone to fill one, so
// the workgroup also splits K into SLICES, sums each in registers (8 rows of 4 columns per invocation)
// and adds the slices in a fixed order at the end.
// y of the step before is staged in workgroup memory, CHUNK of K per slice; each W is read once. The next chunk of both is on
// its way while this one's products are computed; two chunks stand in the text, so that no register is copied.
// Grid: [H / (4 * COLS), B / ROWS, 2 directions]; a workgroup owns ROWS x 4 * COLS of y.
// H is a multiple of 4. Shared: 16 bytes * max(SLICES * ROWS * CHUNK / 4, SLICES / 2 * ROWS * COLS).
// use: recurrent/directions

const GROUPS: u32 = 4u; // of 8 rows
const COLS: u32 = 8u; // vec4 columns
const SLICES: u32 = 8u; // a power of two
const CHUNK: u32 = 16u; // of K, a slice at a time; a multiple of 4
const ROWS: u32 = 8u * GROUPS;
const LANES: u32 = SLICES * GROUPS * COLS;
const STAGED: u32 = SLICES * ROWS * CHUNK / 4u; // vec4 of the stage
const PIECES: u32 = 4u; // of the stage, an invocation: STAGED / LANES, rounded up
const HALF: u32 = SLICES / 2u;
const SHARED: u32 = max(STAGED, HALF * ROWS * COLS);

var<workgroup> shared_y: array<T, SHARED>;

// The vec4 of K that piece `i` of a stage holds of every slice's chunk.
fn column_of(i: u32, chunks: u32, chunk: u32) -> u32 {
    return (i / (ROWS * CHUNK / 4u) * chunks + chunk) * CHUNK / 4u + i % (CHUNK / 4u);
}

// Where that vec4 of the piece's row is in y; the last of a row for all beyond it.
fn place(i: u32, first: u32, t: u32, chunks: u32, chunk: u32) -> u32 {
    let columns = params.width / 4u;
    let row = min(first + i / (CHUNK / 4u) % ROWS, params.batch - 1u);
    return (row * params.steps + t) * columns + min(column_of(i, chunks, chunk), columns - 1u);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let columns = params.width / 4u;
    let first = wid.y * ROWS;
    let down = wid.z == 1u;
    let t = select(params.step, params.steps - 1u - params.step, down);
    let own = lid % COLS;
    let group = lid / COLS % GROUPS;
    let slice = lid / (COLS * GROUPS);
    var sum: array<T, 8>;
    // unroll
    for (var r = 0u; r < 8u; r++) { sum[r] = T(0.0); }
    if params.step > 0u {
        let before = select(t - 1u, t + 1u, down);
        let column = min(wid.x * COLS + own, columns - 1u);
        // Whole chunks a slice; a slice past the end of K adds zeros.
        let chunks = (params.width + SLICES * CHUNK - 1u) / (SLICES * CHUNK);
        let start = slice * chunks * CHUNK;
        let staged = (slice * ROWS + group * 8u) * CHUNK / 4u;
        // unroll
        for (var d = 0u; d < 2u; d++) {
            if wid.z == d {
                var w: array<T, 2u * CHUNK>;
                var y: array<T, PIECES>;
                // unroll
                for (var k = 0u; k < CHUNK; k++) { w[k] = weight(d, min(start + k, params.width - 1u) * columns + column); }
                // unroll
                for (var i = 0u; i < PIECES; i++) { y[i] = state(d, place(i * LANES + lid, first, before, chunks, 0u)); }
                for (var chunk = 0u; chunk < chunks; chunk += 2u) {
                    // unroll
                    for (var h = 0u; h < 2u; h++) {
                        workgroupBarrier();
                        // unroll
                        for (var i = 0u; i < PIECES; i++) {
                            let k = column_of(i * LANES + lid, chunks, chunk + h);
                            let value = select(T(0.0), y[i], (k < columns) & (chunk + h < chunks));
                            if i * LANES + lid < STAGED { shared_y[i * LANES + lid] = value; }
                        }
                        workgroupBarrier();
                        let next = chunk + h + 1u;
                        // unroll
                        for (var i = 0u; i < PIECES; i++) { y[i] = state(d, place(i * LANES + lid, first, before, chunks, next)); }
                        // unroll
                        for (var k = 0u; k < CHUNK; k++) {
                            w[(1u - h) * CHUNK + k] = weight(d, min(start + next * CHUNK + k, params.width - 1u) * columns + column);
                        }
                        // unroll
                        for (var k = 0u; k < CHUNK / 4u; k++) {
                            // unroll
                            for (var r = 0u; r < 8u; r++) {
                                let x = shared_y[staged + r * (CHUNK / 4u) + k];
                                // unroll
                                for (var q = 0u; q < 4u; q++) { sum[r] = fma(T(x[q]), w[h * CHUNK + 4u * k + q], sum[r]); }
                            }
                        }
                    }
                }
            }
        }
    }
    // The upper half of the slices is added to the lower one, then the lower ones to each other.
    let mine = group * 8u * COLS + own;
    workgroupBarrier();
    if slice >= HALF {
        // unroll
        for (var r = 0u; r < 8u; r++) { shared_y[(slice - HALF) * ROWS * COLS + mine + r * COLS] = sum[r]; }
    }
    workgroupBarrier();
    if slice < HALF {
        // unroll
        for (var r = 0u; r < 8u; r++) {
            let at = slice * ROWS * COLS + mine + r * COLS;
            shared_y[at] += sum[r];
        }
    }
    workgroupBarrier();
    for (var i = lid; i < ROWS * COLS; i += LANES) {
        let b = first + i / COLS;
        let column = wid.x * COLS + i % COLS;
        if b < params.batch && column < columns {
            var total = shared_y[i];
            for (var s = 1u; s < HALF; s++) { total += shared_y[s * ROWS * COLS + i]; }
            let at = (b * params.steps + t) * columns + column;
            let y = finish(beside(down, b, at), t, total);
            if down { y_down[at] = y; } else { y_up[at] = y; }
        }
    }
}
