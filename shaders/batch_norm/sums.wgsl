// The first pass of batch norm over x [N, C]: a part of the sums over the rows for each chunk and channel c, see
// `chunks`.
//   GRAD false: the mean and the sum of squared distances from it, by distances from the chunk's first row, so that values
//     far from zero do not cancel; the mean is that of x - x[0, c]
//   GRAD true: the sum of dy and of dy (x - mean[c]) / deviation[c]; behind all parts, what x was moved and multiplied by
// use: batch_norm/chunks

const GRAD: bool = false;

@group(0) @binding(0) var<storage, read> x: array<T>;
// hook: operands
@group(0) @binding(1) var<storage, read_write> parts: array<T>; // [chunks, 2, C]
struct Channel { shift: T, factor: T }
fn channel(c: u32, row: u32) -> Channel { return Channel(x[row * params.C + c], T(1.0)); }
fn given(at: u32) -> T { return T(1.0); }
// end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let place = place_of(wid, groups, lid);
    let c = min(place.column, params.C - 1u);
    let known = channel(c, min(place.begin, params.rows - 1u));
    // Several results of each sum keep rounding errors small.
    var sums: array<T, AHEAD>;
    var products: array<T, AHEAD>;
    // unroll
    for (var k = 0u; k < AHEAD; k++) {
        sums[k] = T(0.0);
        products[k] = T(0.0);
    }
    for (var row = place.begin + place.member; row < place.end; row += AHEAD * TEAM) {
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            if row + k * TEAM < place.end {
                let at = (row + k * TEAM) * params.C + c;
                let distance = (x[at] - known.shift) * known.factor;
                let weight = select(distance, given(at), GRAD);
                sums[k] += weight;
                products[k] += weight * distance;
            }
        }
    }
    let a = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    let b = (products[0] + products[1]) + (products[2] + products[3]);
    var part = over_team(Part(0.0, a, b), lid);
    if place.member > 0u || place.column >= params.C || place.chunk >= params.chunks { return; }
    if !GRAD {
        let mean = part.a / f32(place.end - place.begin);
        part.b = max(part.b - part.a * mean, T(0.0));
        part.a = known.shift - x[c] + mean;
    }
    let at = 2u * place.chunk * params.C + c;
    parts[at] = part.a;
    parts[at + params.C] = part.b;
    if GRAD && place.chunk == 0u {
        let behind = 2u * params.chunks * params.C + c;
        parts[behind] = known.shift;
        parts[behind + params.C] = known.factor;
    }
}
