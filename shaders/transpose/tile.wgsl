// y[.., a, .., b] = x[.., b, .., a]: the axis a that is last in x and the axis b that is last in y swap
// through a tile, so that both sides are read and written along their lines (Ruetsch & Micikevicius 2009).
// Words are moved as they are, whatever their type.
// Grid: one workgroup per tile of 32 x 32 of (a, b) at one index (i0, i1, i2) of the other axes, folded into
// two dimensions. An invocation moves 4 words. Shared: 4,224 bytes; a line is 33 words, so that a column
// is spread over all banks.

struct Params {
    A: u32, B: u32, // lengths
    b_step: u32, // of b in x
    a_step: u32, // of a in y
    N0: u32, N1: u32, N2: u32, // lengths of the other axes
    in0: u32, in1: u32, in2: u32, // their steps in x
    out0: u32, out1: u32, out2: u32, // their steps in y
}
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> tile: array<u32, 1056>;

@compute @workgroup_size(32, 8)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) lid: vec3<u32>) {
    let wide = (params.A + 31u) / 32u;
    let high = (params.B + 31u) / 32u;
    let number = wid.y * groups.x + wid.x;
    let others = number / (wide * high);
    if others >= params.N0 * params.N1 * params.N2 { return; }
    let i0 = others / (params.N1 * params.N2);
    let i1 = others / params.N2 % params.N1;
    let i2 = others % params.N2;
    let x0 = i0 * params.in0 + i1 * params.in1 + i2 * params.in2;
    let y0 = i0 * params.out0 + i1 * params.out1 + i2 * params.out2;
    let a0 = number % wide * 32u;
    let b0 = number / wide % high * 32u;
    // unroll
    for (var k = 0u; k < 4u; k++) {
        let row = lid.y + 8u * k;
        if a0 + lid.x < params.A && b0 + row < params.B {
            tile[row * 33u + lid.x] = x[x0 + (b0 + row) * params.b_step + a0 + lid.x];
        }
    }
    workgroupBarrier();
    // unroll
    for (var k = 0u; k < 4u; k++) {
        let row = lid.y + 8u * k;
        if b0 + lid.x < params.B && a0 + row < params.A {
            y[y0 + (a0 + row) * params.a_step + b0 + lid.x] = tile[lid.x * 33u + row];
        }
    }
}
