// Greedy CTC decoding (Graves 2006, section 3.2, best path): the likeliest class of each frame, repeats
// merged, blanks dropped; the rest of the row is -1.
// Grid: one workgroup per utterance, folded into two dimensions. Each invocation first finds the classes of every 64th
// frame, then owns a run of neighbouring frames: counts what it keeps, and writes after what those before it keep.
// Shared: 256 bytes.

struct Params { B: u32, T: u32, C: u32 }
@group(0) @binding(0) var<storage, read> log_probs: array<f32>;        // [B, T, C]
@group(0) @binding(1) var<storage, read> frames: array<u32>;           // [B]
@group(0) @binding(2) var<storage, read_write> decoded: array<i32>;    // [B, T]
@group(0) @binding(3) var<storage, read_write> best: array<u32>;       // [B, T]
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> kept: array<u32, 64>;

fn keeps(row: u32, t: u32) -> bool {
    let c = best[row + t];
    if c == params.C - 1u { return false; }
    if t == 0u { return true; }
    return best[row + t - 1u] != c;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let b = wid.y * groups.x + wid.x;
    if b >= params.B { return; }
    let row = b * params.T;
    let length = min(frames[b], params.T);
    for (var t = lid; t < length; t += 64u) {
        let at = (row + t) * params.C;
        var top = 0u;
        for (var c = 1u; c < params.C; c++) {
            if log_probs[at + c] > log_probs[at + top] { top = c; }
        }
        best[row + t] = top;
    }
    storageBarrier();

    let run = (params.T + 63u) / 64u;
    let start = min(lid * run, length);
    let end = min(start + run, length);
    var count = 0u;
    for (var t = start; t < end; t++) {
        count += u32(keeps(row, t));
    }
    kept[lid] = count;
    workgroupBarrier();

    var at = row;
    for (var other = 0u; other < lid; other++) { at += kept[other]; }
    for (var t = start; t < end; t++) {
        if keeps(row, t) {
            decoded[at] = i32(best[row + t]);
            at++;
        }
    }
    var total = 0u;
    for (var other = 0u; other < 64u; other++) { total += kept[other]; }
    for (var t = total + lid; t < params.T; t += 64u) { decoded[row + t] = -1; }
}
