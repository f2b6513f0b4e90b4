// The gradient of the answer's logits with respect to the tables: only the last one contributes to them, and word 0
// of it does not:
//   dE[v, n] = sum over b of dlogits[b, v] u[HOPS][b, n].
// Grid: one invocation per vector of all tables, 64 per workgroup, folded into two dimensions.

// hook: lanes
// use: common/lanes1
// end

const D: u32 = 20u; // d
const BATCH: u32 = 32u; // B
const VOCABULARY: u32 = 22u; // V
const LAST: u32 = 1344u; // first element of the last table
const TOTAL: u32 = 1792u; // elements of all tables
const HOPS: u32 = 3u;
const ROW: u32 = D / WIDTH; // vectors of a word
const AHEAD: u32 = 4u; // stories a turn: lavapipe ends a loop after 65,535 turns

@group(0) @binding(0) var<storage, read> d_logits: array<f32>;
@group(0) @binding(1) var<storage, read> states: array<T>;
@group(0) @binding(2) var<storage, read_write> d_embedding: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= TOTAL / WIDTH { return; }
    let first = LAST / WIDTH;
    var sum = T();
    if i >= first + ROW && i < first + VOCABULARY * ROW {
        let v = (i - first) / ROW;
        let n = (i - first) % ROW;
        for (var turn = 0u; turn < BATCH; turn += AHEAD) {
            // unroll
            for (var j = 0u; j < AHEAD; j++) {
                let b = min(turn + j, BATCH - 1u);
                let d = select(0.0, d_logits[b * VOCABULARY + v], turn + j < BATCH);
                sum += d * states[(b * (HOPS + 1u) + HOPS) * ROW + n];
            }
        }
    }
    d_embedding[i] = sum;
}
