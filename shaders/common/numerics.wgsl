// Functions whose built-in forms are too loosely specified in WGSL for draws that must agree on every GPU.

// sin and cos of 2 pi u for u in [0, 1): the standard promises the built-ins only 2^-11. The angle is
// taken to the nearest quarter turn, exactly, and the rest by series over [-pi/4, pi/4] (error 3e-8).
fn sin_cos_turns(u: f32) -> vec2<f32> {
    let quarter = round(4.0 * u);
    let x = (4.0 * u - quarter) * 1.5707963267948966;
    let xx = x * x;
    let s = x + x * xx * (-1.6666667e-1 + xx * (8.3333333e-3 + xx * (-1.9841270e-4 + xx * 2.7557319e-6)));
    let c = 1.0 + xx * (-0.5 + xx * (4.1666667e-2 + xx * (-1.3888889e-3 + xx * 2.4801587e-5)));
    switch u32(quarter) & 3u {
        case 0u: { return vec2<f32>(s, c); }
        case 1u: { return vec2<f32>(c, -s); }
        case 2u: { return vec2<f32>(-s, -c); }
        default: { return vec2<f32>(-c, s); }
    }
}

// The natural logarithm of x > 0: exponent and mantissa apart, the mantissa in [sqrt(1/2), sqrt(2)) by
// the series of 2 atanh((m - 1) / (m + 1)). The built-in may be 2^-21 off near 1, where this is exact.
fn ln(x: f32) -> f32 {
    let parts = frexp(x);
    let low = parts.fract < 0.70710678;
    let m = select(parts.fract, 2.0 * parts.fract, low);
    let e = f32(parts.exp - select(0, 1, low));
    let s = (m - 1.0) / (m + 1.0);
    let ss = s * s;
    let series = 2.0 * s * (1.0 + ss * (0.33333333 + ss * (0.2 + ss * (0.14285714 + ss * (0.11111111 + ss * 0.09090909)))));
    return e * 0.69314718 + series;
}
