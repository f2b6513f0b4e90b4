// dx[o, r, n] = dy[o, n] for the first r with x[o, r, n] = y[o, n], else 0: the gradient of the maximum.
// A workgroup owns COLUMNS neighbours among the outputs o, n; WORKGROUP / COLUMNS invocations share one,
// agree on its first place, then write its column.
// Grid: blocks of columns, folded into two dimensions. Shared: 1 KiB.

const WORKGROUP: u32 = 256u;
const COLUMNS: u32 = 32u; // a power of two
const LANES_PER_COLUMN: u32 = WORKGROUP / COLUMNS;

struct Params { outputs: u32, length: u32, inner: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> places: array<u32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = (wid.y * groups.x + wid.x) * COLUMNS + lid % COLUMNS;
    let column = min(own, params.outputs - 1u);
    let top = column / params.inner * params.length * params.inner + column % params.inner;
    let largest = y[column];
    var first = params.length;
    for (var r = lid / COLUMNS; r < first; r += LANES_PER_COLUMN) {
        if x[top + r * params.inner] == largest { first = r; }
    }
    places[lid] = first;
    for (var half = WORKGROUP / 2u; half >= COLUMNS; half /= 2u) {
        workgroupBarrier();
        if lid < half { places[lid] = min(places[lid], places[lid + half]); }
    }
    workgroupBarrier();
    first = places[lid % COLUMNS];
    if own >= params.outputs { return; }
    for (var r = lid / COLUMNS; r < params.length; r += LANES_PER_COLUMN) {
        dx[top + r * params.inner] = select(0.0, dy[column], r == first);
    }
}
