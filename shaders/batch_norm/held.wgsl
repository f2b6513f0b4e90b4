// Batch norm in one pass, where an invocation can hold its share of the rows: y = epilogue((x - mean) / sqrt(biased
// variance + epsilon) * scale + shift), channels along the last axis; the mean and the unbiased variance. The first sum is
// of distances from the first row, so that values far from zero do not cancel, the second of those from the mean.
// Ownership, grid and shared memory: see `chunks`. There is one chunk, and every row of it is some invocation's.
// use: batch_norm/chunks

const ROWS: u32 = 4u; // of an invocation

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> scale: array<T>;
@group(0) @binding(2) var<storage, read> shift: array<T>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;
@group(0) @binding(4) var<storage, read_write> mean: array<T>;
@group(0) @binding(5) var<storage, read_write> variance: array<T>;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let place = place_of(wid, groups, lid);
    let c = min(place.column, params.C - 1u);
    let n = f32(params.rows);
    let first = x[c];
    // All are on their way before the first is looked at; behind the last row it is read again.
    var values: array<T, ROWS>;
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        values[k] = x[min(place.member + k * TEAM, params.rows - 1u) * params.C + c];
    }
    var sum = T(0.0);
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        values[k] -= first;
        sum += select(T(0.0), values[k], place.member + k * TEAM < params.rows);
    }
    let middle = over_team(Part(0.0, sum, T(0.0)), lid).a / n;
    if TEAM > 1u { workgroupBarrier(); }
    var squares = T(0.0);
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        values[k] -= middle;
        squares += select(T(0.0), values[k] * values[k], place.member + k * TEAM < params.rows);
    }
    let all = over_team(Part(0.0, squares, T(0.0)), lid).a;
    if place.column >= params.C || place.chunk > 0u { return; }
    if place.member == 0u {
        mean[c] = first + middle;
        variance[c] = all / max(n - 1.0, 1.0);
    }
    let factor = inverseSqrt(all / n + params.epsilon) * scale[c];
    let moved = shift[c];
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        let row = place.member + k * TEAM;
        if row < params.rows {
            let at = row * params.C + c;
            y[at] = epilogue(values[k] * factor + moved, at);
        }
    }
}
