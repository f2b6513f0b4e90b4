// A dispatch that does nothing: its time is the cost of launching one.
// Grid: one workgroup.

@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn main() {
    y[0] = 1.0;
}
