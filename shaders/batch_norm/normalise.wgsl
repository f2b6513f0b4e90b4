// The second pass of batch norm: y = epilogue((x - mean) / sqrt(biased variance + epsilon) * scale + shift), channels
// along the last axis. The first chunk's workgroups also give out the mean and the unbiased variance.
// Ownership and grid: see `chunks`.
// use: batch_norm/whole

@group(0) @binding(2) var<storage, read> shift: array<T>;
@group(0) @binding(4) var<storage, read_write> y: array<T>;
@group(0) @binding(5) var<storage, read_write> mean: array<T>;
@group(0) @binding(6) var<storage, read_write> variance: array<T>;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let place = place_of(wid, groups, lid);
    let c = min(place.column, params.C - 1u);
    let all = whole(c, place.member, lid);
    if place.column >= params.C { return; }
    let first = x[c]; // what all.a is a distance from: see `sums`
    if place.chunk == 0u && place.member == 0u {
        mean[c] = first + all.a;
        variance[c] = all.b / max(all.n - 1.0, 1.0);
    }
    let factor = inverseSqrt(all.b / all.n + params.epsilon) * scale[c];
    let moved = shift[c];
    for (var row = place.begin + place.member; row < place.end; row += AHEAD * TEAM) {
        // All are read before the first is written.
        var values: array<T, AHEAD>;
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            if row + k * TEAM < place.end {
                let at = (row + k * TEAM) * params.C + c;
                values[k] = epilogue((x[at] - first - all.a) * factor + moved, at);
            }
        }
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            if row + k * TEAM < place.end { y[(row + k * TEAM) * params.C + c] = values[k]; }
        }
    }
}
