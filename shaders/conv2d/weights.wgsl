// Where the weights that a filter of TAPS x TAPS has for Winograd's products lie. A filter of SIZE x SIZE whose windows are
// STRIDE pixels apart is one of STRIDE^2 as many channels for windows side by side: of each step's pixels. Those of its
// weights that are beyond the filter are 0.

const STRIDE: u32 = 1u;
const SIZE: u32 = 3u;

struct Weight { inside: bool, place: u32 }

// Of weight i of a plane [channels of x, those of y], tap r, s.
fn weight(i: u32, plane: u32, r: u32, s: u32) -> Weight {
    let of_pixel = plane / (STRIDE * STRIDE);
    let pixel = select(0u, i / of_pixel, STRIDE > 1u);
    let row = r * STRIDE + pixel / STRIDE;
    let column = s * STRIDE + pixel % STRIDE;
    return Weight((row < SIZE) & (column < SIZE), (row * SIZE + column - pixel) * of_pixel + i);
}
