// What the kernels of a time step share: both directions' weights and states, and how a sum becomes a state, or in the
// gradient what goes back.

alias T = vec4<f32>;
struct Params { batch: u32, steps: u32, width: u32, step: u32, limit: f32 }
@group(0) @binding(0) var<storage, read> w_up: array<T>;
@group(0) @binding(1) var<storage, read> w_down: array<T>;
@group(0) @binding(2) var<storage, read_write> y_up: array<T>;
@group(0) @binding(3) var<storage, read_write> y_down: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: finish
@group(0) @binding(4) var<storage, read> x: array<T>;
@group(0) @binding(5) var<storage, read> frames: array<u32>;
struct Beside { x: T, frames: u32 }
fn beside(down: bool, b: u32, at: u32) -> Beside { return Beside(x[at], frames[b]); }
fn finish(beside: Beside, t: u32, sum: T) -> T {
    let h = beside.x + sum;
    // Compared and not clamped: a browser also looks for NaNs in a clamp, which takes many instructions.
    let bounded = select(select(h, T(0.0), h < T(0.0)), T(params.limit), h > T(params.limit));
    return select(bounded, T(0.0), t >= beside.frames);
}
// end

// `d` is a literal once unrolled: the branch is gone.
fn weight(d: u32, i: u32) -> T {
    if d == 1u { return w_down[i]; }
    return w_up[i];
}

fn state(d: u32, i: u32) -> T {
    if d == 1u { return y_down[i]; }
    return y_up[i];
}
