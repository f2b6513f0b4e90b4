// x where it lies between -limit and limit, else the nearer of them. Compared and not clamped: a browser's clamp also has
// to look for NaNs, which takes many instructions where there is none for it.

fn within(x: vec4<f32>, limit: f32) -> vec4<f32> {
    let low = vec4<f32>(-limit);
    let high = vec4<f32>(limit);
    return select(select(x, low, x < low), high, x > high);
}
