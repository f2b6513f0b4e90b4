// Probabilities as m * 2^e: of m in [1, 2) where they are stored, e with room for thousands of factors.

const IMPOSSIBLE: i32 = -1073741824; // the exponent of 0
const POSSIBLE: i32 = -536870912; // exponents below are of 0

struct Scaled { m: f32, e: i32 }

fn pack(a: Scaled) -> vec2<i32> { return vec2<i32>(bitcast<i32>(a.m), a.e); }
fn unpack(a: vec2<i32>) -> Scaled { return Scaled(bitcast<f32>(a.x), a.y); }

// 2^d for d <= 0; 0 where f32 has none.
fn power(d: i32) -> f32 { return bitcast<f32>(u32(max(d, -127) + 127) << 23u); }

// The same with m in [1, 2), for m > 0.
fn normalised(a: Scaled) -> Scaled {
    let bits = bitcast<u32>(a.m);
    let e = a.e + i32(bits >> 23u) - 127;
    return Scaled(bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u), select(IMPOSSIBLE, e, e > POSSIBLE));
}

fn times(a: Scaled, b: Scaled) -> Scaled { return normalised(Scaled(a.m * b.m, a.e + b.e)); }

// Of m in [1, 6): a product brings it back.
fn sum(a: Scaled, b: Scaled, c: Scaled) -> Scaled {
    let e = max(a.e, max(b.e, c.e));
    return Scaled(a.m * power(a.e - e) + b.m * power(b.e - e) + c.m * power(c.e - e), e);
}
