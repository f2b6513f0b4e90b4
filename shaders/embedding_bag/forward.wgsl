// Sentences as position-encoded bags of words (Sukhbaatar 2015, section 4.1), of a story under each of K
// tables and of its question under the first:
//   memories[k, b, i, n] = sum over j of l(j, n) E[k][story[b, i, j], n] + T[k][i, n]
//   asked[b, n]          = sum over j of l(j, n) E[0][question[b, j], n]
// with l(j, n) = (1 - j/S) - (n/d)(1 - 2j/S), j and n from 1. Word 0 is padding.
// Also where each word occurs, for the backward pass, unless the hook `index` is left empty: index[w, q] has bit e
// set if place 32 q + e holds w, places in questions behind those in stories. Where there are more than BUCKETS
// words, a row is that of all words of one rest.
// Grid: one invocation for each vector of n of each sentence, the question of a story after its M sentences, 64 a
// workgroup; then one for each HELD rows of each column of the index, which goes through the column's places.
// Without memory or barriers that a workgroup shares: every workgroup would pay for them, of whichever kind it is.
// Folded into two dimensions.

// hook: lanes
// use: common/lanes1
// end

const D: u32 = 20u; // d
const BATCH: u32 = 32u; // B
const MEMORIES: u32 = 10u; // M
const WORDS: u32 = 6u; // S
const STRIDE_E: u32 = 448u; // elements from one table to the next
const STRIDE_T: u32 = 256u; // the same for the temporal rows
const TABLES: u32 = 4u;
const BUCKETS: u32 = 22u; // rows of the index
const FOLDED: bool = true; // whether there are more words than rows
const HELD: u32 = 4u; // rows of a column that an invocation fills
const IN_STORIES: u32 = BATCH * MEMORIES * WORDS;
const PLACES: u32 = IN_STORIES + BATCH * WORDS;
const MASKS: u32 = (PLACES + 31u) / 32u; // columns of the index
const ROW: u32 = D / WIDTH; // vectors of a sentence
const BAGS: u32 = (BATCH * (MEMORIES + 1u) * ROW + 63u) / 64u; // workgroups before those of the index

@group(0) @binding(0) var<storage, read> story: array<u32>;
@group(0) @binding(1) var<storage, read> question: array<u32>;
@group(0) @binding(2) var<storage, read> embedding: array<T>;
@group(0) @binding(3) var<storage, read> temporal: array<T>;
@group(0) @binding(4) var<storage, read_write> memories: array<T>;
@group(0) @binding(5) var<storage, read_write> asked: array<T>;
// hook: index
@group(0) @binding(6) var<storage, read_write> index: array<u32>;

// Some rows of a column of the index.
fn find(own: u32) {
    let q = own % MASKS;
    let first = own / MASKS * HELD;
    var mask: array<u32, HELD>;
    // unroll
    for (var h = 0u; h < HELD; h++) { mask[h] = 0u; }
    for (var e = 0u; e < min(32u, PLACES - q * 32u); e++) {
        let place = q * 32u + e;
        var row: u32;
        if place < IN_STORIES { row = story[place]; } else { row = question[place - IN_STORIES]; }
        if FOLDED { row %= BUCKETS; }
        // unroll
        for (var h = 0u; h < HELD; h++) { mask[h] |= select(0u, 1u << e, row == first + h); }
    }
    // unroll
    for (var h = 0u; h < HELD; h++) {
        if first + h < BUCKETS { index[(first + h) * MASKS + q] = mask[h]; }
    }
}
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = wid.y * groups.x + wid.x;
    if own >= BAGS {
        find((own - BAGS) * 64u + lid);
        return;
    }
    let at = own * 64u + lid;
    let n = at % ROW;
    let i = at / ROW % (MEMORIES + 1u);
    let b = at / (ROW * (MEMORIES + 1u));
    if b >= BATCH { return; }
    let across = (T(elements(n)) + 1.0) / f32(D);
    let is_question = i == MEMORIES;
    let sentence = (b * MEMORIES + i) * WORDS;
    var sum: array<T, TABLES>;
    // unroll
    for (var k = 0u; k < TABLES; k++) { sum[k] = T(); }
    for (var j = 0u; j < WORDS; j++) {
        var word: u32;
        if is_question { word = question[b * WORDS + j]; } else { word = story[sentence + j]; }
        if word > 0u {
            let along = f32(j + 1u) / f32(WORDS);
            let l = (1.0 - along) - across * (1.0 - 2.0 * along);
            let row = word * ROW + n;
            // unroll
            for (var k = 0u; k < TABLES; k++) { sum[k] += l * embedding[k * (STRIDE_E / WIDTH) + row]; }
        }
    }
    if is_question {
        asked[b * ROW + n] = sum[0];
    } else {
        // unroll
        for (var k = 0u; k < TABLES; k++) {
            memories[((k * BATCH + b) * MEMORIES + i) * ROW + n]
                = sum[k] + temporal[k * (STRIDE_T / WIDTH) + i * ROW + n];
        }
    }
}
