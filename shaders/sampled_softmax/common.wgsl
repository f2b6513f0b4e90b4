// What both directions of sampled softmax share (Jean 2015, section 3): the logits of a row against the K
// sampled classes, corrected by how often a class is expected to be drawn; a sample that equals the row's true
// class is left out.
// use: common/numerics
// use: common/reduce

const K: u32 = 32u;
const LANES: u32 = 64u;
const LOG_CLASSES: f32 = 5.3; // ln(V + 1)
const LOG_SAMPLES: f32 = 3.4; // ln K

@group(0) @binding(0) var<storage, read> products: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read> own: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> sampled: array<u32>;

// ln(K P(c)) with P(c) = ln((c + 2) / (c + 1)) / ln(V + 1). The inner logarithm is that of a number near 1,
// 2 atanh(s) of s = 1 / (2c + 3), by its series.
fn expected(c: u32) -> f32 {
    let s = 1.0 / (2.0 * f32(c) + 3.0);
    let ss = s * s;
    let series = 1.0 + ss * (0.33333333 + ss * (0.2 + ss * (0.14285714 + ss * (0.11111111
        + ss * (0.09090909 + ss * (0.07692308 + ss * 0.06666667))))));
    return LOG_SAMPLES + ln(2.0 * s * series) - ln(LOG_CLASSES);
}

fn sample_logit(row: u32, k: u32) -> f32 { return products[row * K + k] + bias[k] - expected(sampled[k]); }

fn own_logit(row: u32) -> f32 { return own[row] - expected(labels[row]); }

// The largest logit of a row, its own among them, and the sum of exp(logit - largest).
fn row_sum(row: u32, lid: u32) -> vec2<f32> {
    let label = labels[row];
    var highest = own_logit(row);
    for (var k = lid; k < K; k += LANES) {
        if sampled[k] != label { highest = max(highest, sample_logit(row, k)); }
    }
    highest = max_over_lanes(highest, lid, LANES);
    var sum = 0.0;
    for (var k = lid; k < K; k += LANES) {
        if sampled[k] != label { sum += exp(sample_logit(row, k) - highest); }
    }
    return vec2<f32>(highest, sum_over_lanes(sum, lid, LANES) + exp(own_logit(row) - highest));
}
