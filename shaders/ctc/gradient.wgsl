// The gradient of CTC (Graves 2006), -(posterior of class c at t), from alpha * beta of all states:
//   grad[t, c] = -(sum over s of class c of alpha * beta) / (sum over all s)    (eq. 14, 15)
// Grid: [T / LANES, B], folded; an invocation owns a time step of an utterance, so that no sum needs an atomic.
// use: ctc/scaled

const LANES: u32 = 64u;
const STATES: u32 = 63u; // 2 L + 1

struct Params { batch: u32, steps: u32, classes: u32, labels: u32 }
@group(0) @binding(0) var<storage, read> frames: array<u32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> label_lengths: array<u32>;
@group(0) @binding(3) var<storage, read> alphas: array<vec2<i32>>; // [B, T, STATES]
@group(0) @binding(4) var<storage, read> betas: array<vec2<i32>>;
@group(0) @binding(5) var<storage, read_write> grad: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// The exponent of a product, no further below what is possible than one factor's.
fn exponent(i: u32) -> i32 { return max(alphas[i].y + betas[i].y, IMPOSSIBLE); }

fn share(i: u32, e: i32) -> f32 { return unpack(alphas[i]).m * unpack(betas[i]).m * power(exponent(i) - e); }

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let frame = (wid.y * groups.x + wid.x) * LANES + lid;
    if frame >= params.batch * params.steps { return; }
    let b = frame / params.steps;
    let out = frame * params.classes;
    for (var c = 0u; c < params.classes; c++) { grad[out + c] = 0.0; }
    if frame % params.steps >= frames[b] { return; }

    let states = 2u * min(label_lengths[b], params.labels) + 1u;
    let at = frame * STATES;
    var e = IMPOSSIBLE;
    for (var s = 0u; s < states; s++) { e = max(e, exponent(at + s)); }
    if e <= POSSIBLE { return; } // the labels do not fit into the frames
    var whole = 0.0;
    for (var s = 0u; s < states; s++) { whole += share(at + s, e); }
    let scale = 1.0 / whole;
    let blank = params.classes - 1u;
    var of_blank = share(at, e);
    for (var s = 1u; s < states; s += 2u) {
        grad[out + min(labels[b * params.labels + s / 2u], blank)] -= share(at + s, e) * scale;
        of_blank += share(at + s + 1u, e);
    }
    grad[out + blank] = -of_blank * scale;
}
