// The second pass of batch norm's gradient: dx = scale / deviation (dy - (dshift + xhat dscale) / N), xhat = (x - mean) /
// deviation (Ioffe & Szegedy 2015, section 3), channels along the last axis. The first chunk's workgroups also give
// out dscale and dshift. Ownership and grid: see `chunks`.
// use: batch_norm/whole

@group(0) @binding(2) var<storage, read> dy: array<T>;
@group(0) @binding(4) var<storage, read_write> dx: array<T>;
@group(0) @binding(5) var<storage, read_write> dscale: array<T>;
@group(0) @binding(6) var<storage, read_write> dshift: array<T>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let place = place_of(wid, groups, lid);
    let c = min(place.column, params.C - 1u);
    let all = whole(c, place.member, lid);
    if place.column >= params.C { return; }
    if place.chunk == 0u && place.member == 0u {
        dscale[c] = all.b;
        dshift[c] = all.a;
    }
    let behind = 2u * params.chunks * params.C + c;
    let mean = parts[behind];
    let factor = parts[behind + params.C];
    let slope = scale[c] * factor;
    let dshift_share = all.a / all.n;
    let dscale_share = all.b / all.n;
    for (var row = place.begin + place.member; row < place.end; row += AHEAD * TEAM) {
        // All are read before the first is written.
        var values: array<T, AHEAD>;
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            if row + k * TEAM < place.end {
                let at = (row + k * TEAM) * params.C + c;
                let hat = (x[at] - mean) * factor;
                values[k] = slope * (dy[at] - (dshift_share + hat * dscale_share));
            }
        }
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            if row + k * TEAM < place.end { dx[(row + k * TEAM) * params.C + c] = values[k]; }
        }
    }
}
