// CTC (Graves 2006): loss[b] = -ln p(labels | log_probs), and what gradient.wgsl needs for its gradient.
// States s of an utterance: its labels with a blank before, between and after them, 2 * length + 1.
//   alpha[t, s] = p[t, s] * sum of alpha[t - 1, s' in s, s - 1, s - 2]          (eq. 6, 7)
//   beta[t, s] = sum of (beta * p)[t + 1, s' in s, s + 1, s + 2]                (eq. 10, 11)
// Neither needs the other: they are made at once, each by workgroups of its own.
// s - 2 and s + 2 count only between labels that differ. Probabilities are a mantissa in [1, 2) times a
// power of two of their own, which has the range of logarithms, but keeps all its digits where a logarithm
// of -1000 has lost three, and needs no exp or log per state.
// A step is shorter than memory takes to answer: what it reads is asked for AHEAD steps before and not looked at until then,
// with as many steps in the text, so that no register is copied.
// Grid: one workgroup per utterance, folded into two dimensions, by 2 for alpha and beta. An invocation owns PER states, LANES apart.
// Shared: 16 * (STATES + 4) bytes, or none where the hook keeps the rows in memory.
// use: ctc/scaled

const LANES: u32 = 64u;
const STATES: u32 = 63u; // 2 L + 1
const PER: u32 = 1u; // STATES / LANES, rounded up
const AHEAD: u32 = 4u;
const ROW: u32 = STATES + 4u; // two that are never reached on either side
const LEAST: f32 = -1e5; // log-probabilities below are of 0

struct Params { batch: u32, steps: u32, classes: u32, labels: u32, infinity: f32 }
@group(0) @binding(0) var<storage, read> log_probs: array<f32>;
@group(0) @binding(1) var<storage, read> frames: array<u32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> label_lengths: array<u32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> alphas: array<vec2<i32>>; // [B, T, STATES]
@group(0) @binding(6) var<storage, read_write> betas: array<vec2<i32>>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: rows
var<workgroup> rows: array<vec2<i32>, 2u * ROW>;
fn row(w: u32, i: u32) -> vec2<i32> { return rows[i]; }
fn set_row(w: u32, i: u32, value: vec2<i32>) { rows[i] = value; }
fn synchronise() { workgroupBarrier(); }
// end

fn label(b: u32, k: u32) -> u32 {
    return min(labels[b * params.labels + k], params.classes - 1u);
}

fn log_prob(b: u32, t: u32, c: u32) -> f32 { return log_probs[(b * params.steps + t) * params.classes + c]; }

// e^x = 2^k e^(x - k ln 2), ln 2 in two parts (Cody and Waite).
fn exponential(x: f32) -> Scaled {
    let bounded = clamp(x, LEAST, -LEAST);
    let k = round(bounded * 1.44269504);
    let m = exp((bounded - k * 0.693359375) + k * 2.12194440e-4);
    return Scaled(m, select(IMPOSSIBLE, i32(k), x >= LEAST));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let b = wid.y * groups.x + wid.x;
    if b >= params.batch { return; }
    let backward = wid.z == 1u;
    let own = wid.z * params.batch + b; // place of the workgroup's rows where these are in memory
    let end = min(frames[b], params.steps);
    let states = 2u * min(label_lengths[b], params.labels) + 1u;
    let blank = params.classes - 1u;
    let never = Scaled(1.0, IMPOSSIBLE);
    var symbol: array<u32, PER>; // class of each own state
    var skips: array<bool, PER>; // whether s - 2 leads here, s + 2 can follow
    // unroll
    for (var n = 0u; n < PER; n++) {
        let s = lid + n * LANES;
        symbol[n] = blank;
        skips[n] = false;
        if s < states && s % 2u == 1u {
            symbol[n] = label(b, s / 2u);
            if backward {
                if s + 2u < states { skips[n] = label(b, s / 2u + 1u) != symbol[n]; }
            } else {
                if s > 1u { skips[n] = label(b, s / 2u - 1u) != symbol[n]; }
            }
        }
    }
    for (var i = lid; i < 2u * ROW; i += LANES) { set_row(own, i, pack(never)); }
    synchronise();

    if end > 0u {
        let last = end - 1u;
        var x: array<f32, AHEAD * PER>; // logarithms of the emissions of the next steps
        // unroll
        for (var a = 0u; a < AHEAD; a++) {
            let t = select(min(a, last), last - min(a, last), backward);
            // unroll
            for (var n = 0u; n < PER; n++) { x[a * PER + n] = log_prob(b, t, symbol[n]); }
        }
        for (var start = 0u; start < end; start += AHEAD) {
            // unroll
            for (var a = 0u; a < AHEAD; a++) {
                let i = start + a;
                if i > last { break; }
                let later = min(i + AHEAD, last);
                let before = 2u + (i + 1u) % 2u * ROW;
                // unroll
                for (var n = 0u; n < PER; n++) {
                    let s = lid + n * LANES;
                    let p = exponential(x[a * PER + n]);
                    x[a * PER + n] = log_prob(b, select(later, last - later, backward), symbol[n]);
                    if s < states {
                        let first = select((s < 2u), (s + 2u >= states), backward);
                        var arriving = Scaled(1.0, select(IMPOSSIBLE, 0, first));
                        if i > 0u {
                            let at = before + s;
                            var skipped = never;
                            if skips[n] { skipped = unpack(row(own, select(at - 2u, at + 2u, backward))); }
                            arriving = sum(unpack(row(own, at)), unpack(row(own, select(at - 1u, at + 1u, backward))), skipped);
                        }
                        let passed = pack(times(arriving, p));
                        set_row(own, 2u + i % 2u * ROW + s, passed);
                        let kept = (b * params.steps + select(i, last - i, backward)) * STATES + s;
                        if backward { betas[kept] = pack(arriving); } else { alphas[kept] = passed; }
                    }
                }
                synchronise();
            }
        }
    }
    if lid == 0u && !backward {
        var total = Scaled(1.0, select(IMPOSSIBLE, 0, states == 1u)); // no label in no frame
        if end > 0u {
            // The last blank and the last label of the last frame; without labels, what is never reached.
            let last = 2u + (end - 1u) % 2u * ROW + states;
            total = sum(unpack(row(own, last - 1u)), unpack(row(own, last - 2u)), never);
        }
        loss[b] = select(params.infinity, -(log(total.m) + f32(total.e) * 0.69314718), total.e > POSSIBLE);
    }
}
