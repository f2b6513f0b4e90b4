// The gradients of forward.wgsl with respect to the tables, without atomics: a workgroup owns a word and
// adds the contribution of each place where it occurs, in a fixed order.
//   dE[k][w, n] = sum over the places (b, i, j) of w of l(j, n) dmemories[k, b, i, n], and for k = 0 over
//                 those in questions of l(j, n) dasked[b, n]
//   dT[k][i, n] = sum over b of dmemories[k, b, i, n]
// Word 0 has no gradient, and what lies between two tables is 0.
// The places of a word are the bits of its row of the index that forward.wgsl made, of whose columns a slice of the
// workgroup reads every SLICES-th; the sums of the slices are added at the end.
// Grid: V workgroups for words, then M for the rows of T, then one for the gaps; folded into two
// dimensions. An invocation owns HELD vectors of columns, LANES apart, of the TABLES * D. Shared: 4 WIDTH SLICES LANES HELD
// bytes, or none to speak of where SLICES is 1.
// Lengths are consts, not parameters: lavapipe 22.3 compiles a shader anew at each dispatch where a uniform bounds
// some kinds of loop. A model has only one size of each anyway.

// hook: lanes
// use: common/lanes1
// end

const D: u32 = 20u; // d
const BATCH: u32 = 32u; // B
const MEMORIES: u32 = 10u; // M
const WORDS: u32 = 6u; // S
const STRIDE_E: u32 = 448u; // elements from one table to the next
const STRIDE_T: u32 = 256u; // the same for the temporal rows
const VOCABULARY: u32 = 22u; // V
const TABLES: u32 = 4u;
const ROW: u32 = D / WIDTH; // vectors of a sentence
const COLUMNS: u32 = TABLES * ROW;
const LANES: u32 = 64u;
const HELD: u32 = 2u; // TABLES * ROW / LANES, rounded up
const SLICES: u32 = 4u; // invocations that share a column
const INVOCATIONS: u32 = LANES * SLICES;
const SENTENCES: u32 = BATCH * MEMORIES;
const IN_STORIES: u32 = SENTENCES * WORDS;
const PLACES: u32 = IN_STORIES + BATCH * WORDS;
const BUCKETS: u32 = 22u; // rows of the index
const MASKS: u32 = (PLACES + 31u) / 32u; // columns of the index

@group(0) @binding(0) var<storage, read> story: array<u32>;
@group(0) @binding(1) var<storage, read> question: array<u32>;
@group(0) @binding(2) var<storage, read> d_memories: array<T>;
@group(0) @binding(3) var<storage, read> d_asked: array<T>;
@group(0) @binding(4) var<storage, read> index: array<u32>;
@group(0) @binding(5) var<storage, read_write> d_embedding: array<T>;
@group(0) @binding(6) var<storage, read_write> d_temporal: array<T>;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

var<workgroup> sums: array<T, select(1u, INVOCATIONS * HELD, SLICES > 1u)>;

// The word at a place.
fn word_at(place: u32) -> u32 {
    if place < IN_STORIES { return story[place]; }
    return question[place - IN_STORIES];
}

// What lies between two tables.
fn clear(lid: u32) {
    let end_e = VOCABULARY * ROW;
    let gap_e = STRIDE_E / WIDTH - end_e;
    for (var g = lid; g < TABLES * gap_e; g += INVOCATIONS) {
        let i = g / gap_e * (STRIDE_E / WIDTH) + end_e + g % gap_e;
        d_embedding[i] = epilogue(T(), i);
    }
    let end_t = MEMORIES * ROW;
    let gap_t = STRIDE_T / WIDTH - end_t;
    for (var g = lid; g < TABLES * gap_t; g += INVOCATIONS) {
        d_temporal[g / gap_t * (STRIDE_T / WIDTH) + end_t + g % gap_t] = T();
    }
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = wid.y * groups.x + wid.x;
    let lane = lid % LANES;
    let slice = lid / LANES;
    var sum: array<T, HELD>;
    var across: array<T, HELD>; // n/d of its columns
    var column: array<u32, HELD>; // their place in dmemories
    // unroll
    for (var h = 0u; h < HELD; h++) {
        let c = min(lane + h * LANES, COLUMNS - 1u);
        sum[h] = T();
        across[h] = (T(elements(c % ROW)) + 1.0) / f32(D);
        column[h] = c / ROW * SENTENCES * ROW + c % ROW;
    }
    let row = own - VOCABULARY; // of T
    if own > 0u && own < VOCABULARY {
        let first = own % BUCKETS * MASKS;
        for (var q = slice; q < MASKS; q += SLICES) {
            for (var mask = index[first + q]; mask != 0u; mask &= mask - 1u) {
                let place = q * 32u + firstTrailingBit(mask);
                if VOCABULARY > BUCKETS && word_at(place) != own { continue; }
                let sentence = place / WORDS;
                let along = f32(place % WORDS + 1u) / f32(WORDS);
                // unroll
                for (var h = 0u; h < HELD; h++) {
                    let l = (1.0 - along) - across[h] * (1.0 - 2.0 * along);
                    if place < IN_STORIES {
                        sum[h] += l * d_memories[column[h] + sentence * ROW];
                    } else if column[h] < ROW {
                        sum[h] += l * d_asked[column[h] + (sentence - SENTENCES) * ROW];
                    }
                }
            }
        }
    } else if own >= VOCABULARY && row < MEMORIES {
        for (var b = slice; b < BATCH; b += SLICES) {
            // unroll
            for (var h = 0u; h < HELD; h++) {
                sum[h] += d_memories[column[h] + (b * MEMORIES + row) * ROW];
            }
        }
    } else if own >= VOCABULARY {
        if row == MEMORIES { clear(lid); }
        return;
    }
    if SLICES > 1u {
        // unroll
        for (var h = 0u; h < HELD; h++) { sums[(h * SLICES + slice) * LANES + lane] = sum[h]; }
        workgroupBarrier();
    }
    // unroll
    for (var h = 0u; h < HELD; h++) {
        let c = lane + h * LANES;
        if h % SLICES == slice && c < COLUMNS {
            var total = sum[h];
            if SLICES > 1u {
                total = T();
                for (var s = 0u; s < SLICES; s++) { total += sums[(h * SLICES + s) * LANES + lane]; }
            }
            if own < VOCABULARY {
                let i = c / ROW * (STRIDE_E / WIDTH) + own * ROW + c % ROW;
                d_embedding[i] = epilogue(total, i);
            } else {
                d_temporal[c / ROW * (STRIDE_T / WIDTH) + row * ROW + c % ROW] = total;
            }
        }
    }
}
