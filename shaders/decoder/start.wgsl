// The gradient of a decoder's start [B, UNITS H], but for its context: to h of each layer z comes what the gates of the first step give,
// to c what has been carried so far.
// carried [PARTS + 1 + L, B, H], d_gates [L, B, T, 4H], turned [L, 4H, 2H]: see decoder/backward.

const GATES: u32 = 1u;
const SOURCES: u32 = 1u;
const SEGMENTS: u32 = 4u; // H deep
const PER_SOURCE: u32 = 4u;
const AHEAD: u32 = 4u; // turns that are asked for before they are taken
const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const UNITS: u32 = 7u;
const PARTS: u32 = 2u;

@group(0) @binding(0) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> d_gates: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> carried: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> d_start: array<vec4<f32>>;

fn is_active(z: u32) -> bool { return true; }

fn depth(s: u32) -> u32 { return 4u * COLUMNS; }

fn takes(s: u32, z: u32) -> bool { return true; }

fn feeds(s: u32, g: u32) -> bool { return true; }

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> { return d_gates[(z * BATCH + b) * STEPS * 4u * COLUMNS + k]; }

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    return turned[((z * 16u * COLUMNS + k) * 2u + 1u) * COLUMNS + column];
}

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let to_c = (b * UNITS + 2u * z) * COLUMNS + column;
    d_start[to_c] = carried[((PARTS + 1u + z) * BATCH + b) * COLUMNS + column];
    d_start[to_c + COLUMNS] = sum[0];
}
