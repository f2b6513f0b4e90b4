// The query of a decoder's step, by the workgroup that attends with it: the sum of the parts [PARTS, B, H] that the tiles of all cells
// gave. GROUPS invocations share a column.
// use: attention/weigh

const PARTS: u32 = 2u;
const BATCH: u32 = 4u;

@group(0) @binding(4) var<storage, read> asking: array<vec4<f32>>;

// Column n of sequence b's sum over the parts, from `part` on; several invocations take every GROUPS-th.
fn sum_of_parts(b: u32, n: u32, part: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var first = part; first < PARTS; first += AHEAD * GROUPS) {
        var x: array<vec4<f32>, AHEAD>;
        // unroll
        for (var j = 0u; j < AHEAD; j++) { x[j] = asking[(min(first + j * GROUPS, PARTS - 1u) * BATCH + b) * COLUMNS + n]; }
        // unroll
        for (var j = 0u; j < AHEAD; j++) { sum += select(vec4<f32>(0.0), x[j], first + j * GROUPS < PARTS); }
    }
    return sum;
}

// Leaves the query of sequence b in `asked`.
fn ask(b: u32, lid: u32) {
    for (var i = lid; i < GROUPS * COLUMNS; i += LANES) {
        let sum = sum_of_parts(b, i % COLUMNS, i / COLUMNS);
        if GROUPS == 1u { asked[i] = sum; } else { partial[i] = sum; }
    }
    if GROUPS > 1u {
        workgroupBarrier();
        for (var n = lid; n < COLUMNS; n += LANES) { asked[n] = sum_of_groups(n); }
    }
    workgroupBarrier();
}
