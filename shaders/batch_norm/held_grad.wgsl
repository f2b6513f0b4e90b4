// The gradient of batch norm in one pass, where an invocation can hold its share of the rows: dx, dscale and dshift as in
// `grad`.
// Ownership, grid and shared memory: see `chunks`. There is one chunk, and every row of it is some invocation's.
// use: batch_norm/chunks

const ROWS: u32 = 4u; // of an invocation

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> scale: array<T>;
@group(0) @binding(2) var<storage, read> mean: array<T>;
@group(0) @binding(3) var<storage, read> variance: array<T>;
@group(0) @binding(4) var<storage, read> dy: array<T>;
@group(0) @binding(5) var<storage, read_write> dx: array<T>;
@group(0) @binding(6) var<storage, read_write> dscale: array<T>;
@group(0) @binding(7) var<storage, read_write> dshift: array<T>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let place = place_of(wid, groups, lid);
    let c = min(place.column, params.C - 1u);
    let n = f32(params.rows);
    // All are on their way before the first is looked at; behind the last row it is read again.
    var hats: array<T, ROWS>;
    var given: array<T, ROWS>;
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        let at = min(place.member + k * TEAM, params.rows - 1u) * params.C + c;
        hats[k] = x[at];
        given[k] = dy[at];
    }
    let middle = mean[c];
    let factor = inverseSqrt(variance[c] * ((n - 1.0) / n) + params.epsilon);
    var own = Part(0.0, T(0.0), T(0.0));
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        hats[k] = (hats[k] - middle) * factor;
        let counted = select(T(0.0), given[k], place.member + k * TEAM < params.rows);
        own.a += counted;
        own.b += counted * hats[k];
    }
    let all = over_team(own, lid);
    if place.column >= params.C || place.chunk > 0u { return; }
    if place.member == 0u {
        dscale[c] = all.b;
        dshift[c] = all.a;
    }
    let slope = scale[c] * factor;
    let dshift_share = all.a / n;
    let dscale_share = all.b / n;
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        let row = place.member + k * TEAM;
        if row < params.rows {
            dx[row * params.C + c] = slope * (given[k] - (dshift_share + hats[k] * dscale_share));
        }
    }
}
