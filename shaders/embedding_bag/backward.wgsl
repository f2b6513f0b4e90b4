// The gradients of forward.wgsl with respect to the tables, without atomics: a workgroup owns a word and
// adds the contribution of each place where it occurs, in a fixed order.
//   dE[k][w, n] = sum over the places (b, i, j) of w of l(j, n) dmemories[k, b, i, n], and for k = 0 over
//                 those in questions of l(j, n) dasked[b, n]
//   dT[k][i, n] = sum over b of dmemories[k, b, i, n]
// Word 0 has no gradient, and what lies between two tables is 0.
// The places of a word are first gathered, LIST words of the stories at a time: each invocation counts its
// own, then writes them after those of the invocations before it.
// Grid: V workgroups for words, then M for the rows of T, then one for the gaps; folded into two
// dimensions. An invocation owns HELD columns, LANES apart, of the TABLES * D. Shared: 4 (LIST + LANES) bytes.
// Lengths are consts, not parameters: lavapipe 22.3 compiles a shader anew at each dispatch where a uniform bounds
// some kinds of loop. A model has only one size of each anyway.

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
const SENTENCES: u32 = BATCH * MEMORIES;
const IN_STORIES: u32 = SENTENCES * WORDS;
const PLACES: u32 = IN_STORIES + BATCH * WORDS;

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

// The word at a place; places in questions come behind those in stories, and behind those is none.
fn word_at(place: u32) -> u32 {
    if place < IN_STORIES { return story[place]; }
    if place < PLACES { return question[place - IN_STORIES]; }
    return 0u;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = wid.y * groups.x + wid.x;
    let is_word = own < VOCABULARY;
    var sum: array<f32, HELD>;
    var across: array<f32, HELD>; // n/d of a column
    var column: array<u32, HELD>; // its place in dmemories
    // unroll
    for (var h = 0u; h < HELD; h++) {
        let c = min(lid + h * LANES, TABLES * D - 1u);
        sum[h] = 0.0;
        across[h] = f32(c % D + 1u) / f32(D);
        column[h] = c / D * SENTENCES * D + c % D;
    }
    if is_word {
        // Word 0 has nothing to gather.
        for (var start = select(0u, PLACES, own == 0u); start < PLACES; start += LIST) {
            var hits = 0u;
            for (var e = 0u; e < EACH; e++) {
                hits |= select(0u, 1u << e, word_at(start + e * LANES + lid) == own);
            }
            counts[lid] = countOneBits(hits);
            workgroupBarrier();
            var at = 0u;
            var total = 0u;
            for (var l = 0u; l < LANES; l++) {
                at += select(0u, counts[l], l < lid);
                total += counts[l];
            }
            for (; hits != 0u; hits &= hits - 1u) {
                places[at] = start + firstTrailingBit(hits) * LANES + lid;
                at++;
            }
            workgroupBarrier();
            for (var f = 0u; f < total; f++) {
                let place = places[f];
                let sentence = place / WORDS;
                let along = f32(place % WORDS + 1u) / f32(WORDS);
                // unroll
                for (var h = 0u; h < HELD; h++) {
                    let l = (1.0 - along) - across[h] * (1.0 - 2.0 * along);
                    if place < IN_STORIES {
                        sum[h] += l * d_memories[column[h] + sentence * D];
                    } else if column[h] < D {
                        sum[h] += l * d_asked[column[h] + (sentence - SENTENCES) * D];
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
                var total = 0.0;
                for (var b = 0u; b < BATCH; b++) {
                    total += d_memories[(c / D * SENTENCES + b * MEMORIES + row) * D + c % D];
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
