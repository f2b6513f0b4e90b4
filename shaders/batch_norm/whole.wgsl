// What the second pass of batch norm begins with: every workgroup puts the parts of its columns together, all in the
// same order, which costs less than a pass between that does it once.
// use: batch_norm/chunks

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> scale: array<T>;
@group(0) @binding(3) var<storage, read> parts: array<T>; // [chunks, 2, C]

// All rows' part of column c. All of a workgroup call it together.
fn whole(c: u32, member: u32, lid: u32) -> Part {
    var sum = Part(0.0, T(0.0), T(0.0));
    var begin = member * params.chunk;
    // Counted from a place that not all invocations share: lavapipe compiles a kernel anew for each dispatch where it could
    // unroll a loop if it knew the parameters.
    for (var at = 2u * member * params.C + c; at < 2u * params.chunks * params.C; at += 2u * TEAM * params.C) {
        let rows = min(begin + params.chunk, params.rows) - begin;
        sum = add(sum, Part(f32(rows), parts[at], parts[at + params.C]));
        begin += TEAM * params.chunk;
    }
    return over_team(sum, lid);
}
