// A linear layer of a time step: y[b] = start + A[b, :] W, where a row b of A, of the start and of y begins
// anywhere in its tensor. W [4 DEPTH, PITCH] from column 0 on.

const GATES: u32 = 1u;
const SOURCES: u32 = 1u;
const COLUMNS: u32 = 8u; // vec4s of a row of y
const DEPTH: u32 = 8u;   // vec4s of a row of A
const PITCH: u32 = 8u;   // vec4s of a row of W
const BATCH: u32 = 4u;
const START: u32 = 2u;   // 0 none, 1 y itself, 2 a tensor

// Where row 0 begins and how far rows lie apart, in vec4s: of A, of y, of the start.
struct Params { a: u32, a_row: u32, y: u32, y_row: u32, start: u32, start_row: u32 }
@group(0) @binding(0) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> start: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn is_active(z: u32) -> bool { return true; }

fn takes(s: u32, z: u32) -> bool { return true; }

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> { return a[params.a + b * params.a_row + k]; }

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> { return weights[k * PITCH + column]; }

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let at = params.y + b * params.y_row + column;
    if START == 0u {
        y[at] = sum[0];
    } else if START == 1u {
        y[at] += sum[0];
    } else {
        y[at] = sum[0] + start[params.start + b * params.start_row + column];
    }
}
