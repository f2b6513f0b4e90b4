// The queries of a decoder's step, by the workgroup that attends with them: what the layers below gave lies where the
// context will, and c and h of the last layer lie before that. Columns are shared out among LANES / SPLIT invocations,
// and the sum of each among SPLIT; on a CPU, which nothing hides a load for, several queries share the weights.
// Shared: 16 LANES bytes besides the attention's, where SPLIT > 1.
// use: attention/weigh

const SPLIT: u32 = 2u;
const FIRST: u32 = 128u; // rows of the weight before the last layer's
const BATCH: u32 = 4u;
const COLUMNS_EACH: u32 = LANES / SPLIT;

@group(0) @binding(4) var<storage, read> query_weights: array<vec4<f32>>; // [2L H, H]

var<workgroup> partial: array<vec4<f32>, select(1u, LANES, SPLIT > 1u)>;

// The sum of what those that share a column have.
fn in_all(sum: vec4<f32>, lid: u32) -> vec4<f32> {
    if SPLIT == 1u { return sum; }
    partial[lid] = sum;
    workgroupBarrier();
    var total = vec4<f32>(0.0);
    for (var i = lid % COLUMNS_EACH; i < LANES; i += COLUMNS_EACH) { total += partial[i]; }
    workgroupBarrier();
    return total;
}

// Where the context of a workgroup's query q will be at step t.
fn row_of(first: u32, q: u32, t: u32) -> u32 { return context_row(min(first + q, BATCH - 1u), t); }

// Leaves the queries of the sequences from `first` on in `asked`.
fn ask(first: u32, t: u32, lid: u32) {
    for (var base = 0u; base < COLUMNS; base += COLUMNS_EACH) {
        let n = base + lid % COLUMNS_EACH;
        let own = min(n, COLUMNS - 1u);
        var sum: array<vec4<f32>, QUERIES>;
        // unroll
        for (var q = 0u; q < QUERIES; q++) { sum[q] = vec4<f32>(0.0); }
        for (var k = lid / COLUMNS_EACH; k < 2u * COLUMNS; k += SPLIT) {
            let at = (FIRST + 4u * k) * COLUMNS + own;
            let w0 = query_weights[at]; let w1 = query_weights[at + COLUMNS];
            let w2 = query_weights[at + 2u * COLUMNS]; let w3 = query_weights[at + 3u * COLUMNS];
            // unroll
            for (var q = 0u; q < QUERIES; q++) {
                let a = context[row_of(first, q, t) - 2u * COLUMNS + k];
                sum[q] += a.x * w0 + a.y * w1 + a.z * w2 + a.w * w3;
            }
        }
        // unroll
        for (var q = 0u; q < QUERIES; q++) {
            let total = in_all(sum[q], lid);
            // Each column by the invocation that will store the context there.
            if lid < COLUMNS_EACH && n < COLUMNS {
                asked[q * COLUMNS + n] = total;
                if FIRST > 0u { asked[q * COLUMNS + n] += context[row_of(first, q, t) + n]; }
            }
        }
    }
    workgroupBarrier();
}
