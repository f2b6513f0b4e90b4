// What a decoder's step ends with, and the first cell of the step after. The query and its shares are kept for the backward pass. The
// context itself is not needed here: what it gives to the first cell is a sum over positions as it is, of the memory after two weights,
// projected [B, S, 4H], where position 0 is whole and the others are what they differ from it by. The gates [L, B, T, 4H] of the first
// layer hold what comes to the cell from elsewhere, before they are squashed.
// states [B, T + 1, UNITS H]: a row holds c and h of each layer and the context.
// A sequence's workgroups all have its shares, and OWN vec4s of the cell's units each; TAKING invocations share a sum over positions.
// Grid: [B, H / (4 OWN)].
// use: decoder/query
// use: lstm/cell

const UNITS: u32 = 7u;
const OWN: u32 = 8u;
const TAKING: u32 = select(1u, max(LANES / (4u * OWN), 1u), LANES_PER_ROW > 1u);

struct Params { step: u32 }
@group(0) @binding(2) var<storage, read> projected: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> queries: array<vec4<f32>>; // [B, T, H]
@group(0) @binding(6) var<storage, read_write> shares: array<f32>;        // [B, T, S]
@group(0) @binding(7) var<storage, read_write> gates: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = wid.x;
    let bt = b * T + params.step;
    ask(b, lid);
    let total = attend(b, lid);
    if wid.y == 0u {
        for (var n = lid; n < COLUMNS; n += LANES) { queries[bt * COLUMNS + n] = asked[n]; }
        for (var s = lid; s < S; s += LANES) { shares[bt * S + s] = share(s, total); }
    }
    // Asked of a place that not all workgroups share: lavapipe compiles a kernel anew for each dispatch that would be half as
    // long if it knew the parameters.
    if (bt + 1u) % T == 0u { return; }
    let start = wid.y * OWN;
    for (var i = lid; i < TAKING * 4u * OWN; i += LANES) {
        let column = i / OWN % 4u * COLUMNS + min(start + i % OWN, COLUMNS - 1u);
        var sum = vec4<f32>(0.0);
        for (var first = i / (4u * OWN); first < S; first += AHEAD * TAKING) {
            var value: array<vec4<f32>, AHEAD>;
            // unroll
            for (var j = 0u; j < AHEAD; j++) {
                value[j] = projected[(b * S + min(first + j * TAKING, S - 1u)) * 4u * COLUMNS + column];
            }
            // unroll
            for (var j = 0u; j < AHEAD; j++) {
                let s = first + j * TAKING;
                sum += select(exponential(s), total, s == 0u) * value[j];
            }
        }
        partial[i] = sum;
    }
    workgroupBarrier();
    for (var i = lid; i < min(OWN, COLUMNS - start); i += LANES) {
        let column = start + i;
        let at = (bt + 1u) * 4u * COLUMNS + column;
        var in_all: array<vec4<f32>, 4>;
        // unroll
        for (var g = 0u; g < 4u; g++) {
            var sum = vec4<f32>(0.0);
            for (var k = 0u; k < TAKING; k++) { sum += partial[(k * 4u + g) * OWN + i]; }
            in_all[g] = gates[at + g * COLUMNS] + sum / total;
        }
        let before = (b * (T + 1u) + params.step + 1u) * UNITS * COLUMNS + column;
        let after = cell_forward(in_all, states[before]);
        states[before + UNITS * COLUMNS] = after.c;
        states[before + (UNITS + 1u) * COLUMNS] = after.h;
        // unroll
        for (var g = 0u; g < 4u; g++) { gates[at + g * COLUMNS] = after.gates[g]; }
    }
}
