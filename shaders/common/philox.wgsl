// Philox 4x32-10 (Salmon 2011). CPU twin: src/random.rs. A draw is a function of
// (seed, step, stream, element): clock = (step, seed low, seed high, unused).

// High and low halves of a 32 x 32 bit product, which WGSL lacks.
fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let a_lo = a & 0xffffu; let a_hi = a >> 16u;
    let b_lo = b & 0xffffu; let b_hi = b >> 16u;
    let mid = a_hi * b_lo + ((a_lo * b_lo) >> 16u);
    let mid2 = a_lo * b_hi + (mid & 0xffffu);
    return vec2<u32>(a_hi * b_hi + (mid >> 16u) + (mid2 >> 16u), a * b);
}

fn philox(counter: vec4<u32>, seed: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        let p0 = mul_wide(c.x, 0xD2511F53u);
        let p1 = mul_wide(c.z, 0xCD9E8D57u);
        c = vec4<u32>(p1.x ^ c.y ^ key.x, p1.y, p0.x ^ c.w ^ key.y, p0.y);
        key += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

// The bits of elements 4 * block .. 4 * block + 3 of a stream.
fn random_bits(block: u32, clock: vec4<u32>, stream: u32) -> vec4<u32> {
    return philox(vec4<u32>(block, clock.x, stream, 0u), clock.yz);
}

// Bits to uniform [0, 1): the top 24, as in src/random.rs.
fn to_uniform(bits: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(bits >> vec4<u32>(8u)) * (1.0 / 16777216.0);
}

// What inverted dropout multiplies four elements by.
fn dropout4(block: u32, clock: vec4<u32>, stream: u32, threshold: u32, scale: f32) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(scale), random_bits(block, clock, stream) >= vec4<u32>(threshold));
}

// What inverted dropout multiplies one element by.
fn dropout1(i: u32, clock: vec4<u32>, stream: u32, threshold: u32, scale: f32) -> f32 {
    return dropout4(i / 4u, clock, stream, threshold, scale)[i % 4u];
}
