// Advances the clock to the next step, so that many steps run without the host.
// Grid: one invocation.

@group(0) @binding(0) var<storage, read_write> clock: array<u32>; // step, seed low, seed high, unused

@compute @workgroup_size(1)
fn main() {
    clock[0] += 1u;
}
