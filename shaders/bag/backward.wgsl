// The gradients of forward.wgsl with respect to the tables, without atomics: a workgroup owns a word and
// adds what each place where it occurs is worth, in an order that is always the same.
//   dE[k][w, n] = sum over the places (b, i, j) of w of l(j, n) dmemories[k, b, i, n], and for k = 0 over
//                 those in questions of l(j, n) dasked[b, n]
//   dT[k][i, n] = sum over b of dmemories[k, b, i, n]
// Word 0 has no gradient, and what lies between two tables is 0.
// The places of a word are first gathered, LIST words of the stories at a time: each invocation counts its
// own, then writes them behind those of the invocations before it.
// Grid: V workgroups for words, then M for the rows of T, then one for the gaps; folded into two
// dimensions. An invocation owns HELD columns, LANES apart, of the TABLES * D. Shared: 4 (LIST + LANES) bytes.
// Lengths are consts, not parameters: lavapipe 22.3 compiles a shader anew at each dispatch where a uniform bounds
// some kinds of loop. A model has one problem of each anyway.

alias T = f32; // what an epilogue works on
const D: u32 = 20u; // d
const BATCH: u32 = 32u; // B
const MEMORIES: u32 = 10u; // M
const WORDS: u32 = 6u; // S
const STRIDE_E: u32 = 448u; // elements from one table to the next
const STRIDE_T: u32 = 256u; // the same for the temporal rows
const VOCABULARY: u32 = 22u; // V
const TABLES: u32 = 4u;
const LANES: u32 = 64u;
const HELD: u32 = 2u; // TABLES * D / LANES, rounded up
const EACH: u32 = 16u; // words an invocation looks at before the next gathering
const LIST: u32 = LANES * EACH;

@group(0) @binding(0) var<storage, read> story: array<u32>;
@group(0) @binding(1) var<storage, read> question: array<u32>;
@group(0) @binding(2) var<storage, read> d_memories: array<f32>;
@group(0) @binding(3) var<storage, read> d_asked: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_embedding: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_temporal: array<f32>;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

var<workgroup> places: array<u32, LIST>;
var<workgroup> counts: array<u32, LANES>;

// What the word at a place is worth to column c; places in questions come behind those in stories.
fn worth(place: u32, c: u32) -> f32 {
    let k = c / D;
    let n = c % D;
    let sentence = place / WORDS;
    let along = f32(place % WORDS + 1u) / f32(WORDS);
    let l = (1.0 - along) - f32(n + 1u) / f32(D) * (1.0 - 2.0 * along);
    let sentences = BATCH * MEMORIES;
    if sentence >= sentences {
        if k > 0u { return 0.0; }
        return l * d_asked[(sentence - sentences) * D + n];
    }
    return l * d_memories[(k * sentences + sentence) * D + n];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = wid.y * groups.x + wid.x;
    let in_stories = BATCH * MEMORIES * WORDS;
    let all = in_stories + BATCH * WORDS;
    let is_word = own < VOCABULARY;
    var sum: array<f32, HELD>;
    // unroll
    for (var h = 0u; h < HELD; h++) { sum[h] = 0.0; }
    if is_word {
        for (var start = 0u; start < all; start += LIST) {
            var count = 0u;
            for (var e = 0u; e < EACH; e++) {
                let place = start + e * LANES + lid;
                var word = 0u;
                if place < in_stories {
                    word = story[place];
                } else if place < all {
                    word = question[place - in_stories];
                }
                count += select(0u, 1u, word == own);
            }
            counts[lid] = count;
            workgroupBarrier();
            var at = 0u;
            var total = 0u;
            for (var l = 0u; l < LANES; l++) {
                at += select(0u, counts[l], l < lid);
                total += counts[l];
            }
            for (var e = 0u; e < EACH; e++) {
                let place = start + e * LANES + lid;
                var word = 0u;
                if place < in_stories {
                    word = story[place];
                } else if place < all {
                    word = question[place - in_stories];
                }
                if word == own && place < all {
                    places[min(at, LIST - 1u)] = place;
                    at++;
                }
            }
            workgroupBarrier();
            if own > 0u {
                for (var f = 0u; f < total; f++) {
                    let place = places[f];
                    // unroll
                    for (var h = 0u; h < HELD; h++) {
                        let c = lid + h * LANES;
                        if c < TABLES * D { sum[h] += worth(place, c); }
                    }
                }
            }
            workgroupBarrier();
        }
        // unroll
        for (var h = 0u; h < HELD; h++) {
            let c = lid + h * LANES;
            if c < TABLES * D {
                let i = c / D * STRIDE_E + own * D + c % D;
                d_embedding[i] = epilogue(sum[h], i);
            }
        }
        return;
    }
    let row = own - VOCABULARY;
    if row < MEMORIES {
        // unroll
        for (var h = 0u; h < HELD; h++) {
            let c = lid + h * LANES;
            if c < TABLES * D {
                let sentences = BATCH * MEMORIES;
                var total = 0.0;
                for (var b = 0u; b < BATCH; b++) {
                    total += d_memories[(c / D * sentences + b * MEMORIES + row) * D + c % D];
                }
                d_temporal[c / D * STRIDE_T + row * D + c % D] = total;
            }
        }
    } else if row == MEMORIES {
        let end_e = VOCABULARY * D;
        let gap_e = STRIDE_E - end_e;
        for (var g = lid; g < TABLES * gap_e; g += LANES) {
            let i = g / gap_e * STRIDE_E + end_e + g % gap_e;
            d_embedding[i] = epilogue(0.0, i);
        }
        let end_t = MEMORIES * D;
        let gap_t = STRIDE_T - end_t;
        for (var g = lid; g < TABLES * gap_t; g += LANES) {
            d_temporal[g / gap_t * STRIDE_T + end_t + g % gap_t] = 0.0;
        }
    }
}
