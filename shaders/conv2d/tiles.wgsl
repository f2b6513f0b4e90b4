// Tiles of images [images, rows, columns, channels], each with as many results a side as are apart from the next.
// What an invocation has of them is a tile's line through a vector T of channels.

// use: conv2d/grouped
// Where windows are STRIDE pixels apart the STRIDE^2 pixels of a step are channels of one: see conv2d/weights.
const STRIDE: u32 = 1u;
// Channels, of all a step's pixels, and those of a group, `width`, are counted in Ts; `tiles` tiles from number `first` on,
// of images that have down x across each and begin `padding` rows and columns before their first.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, down: u32, across: u32, first: u32, tiles: u32, padding: u32,
}
@group(1) @binding(0) var<uniform> params: Params;

// The first row of its image, its first row and column there, its vector of a pixel's channels.
struct Tile { image: u32, top: u32, left: u32, channel: u32 }

fn of_pixel() -> u32 { return params.channels / (STRIDE * STRIDE); }

// Above and left of the image they wrap, beyond its rows and columns.
fn tile(i: u32, results: u32) -> Tile {
    let n = params.first + i / params.channels;
    let channel = i % params.channels;
    let part = select(0u, channel / of_pixel(), STRIDE > 1u);
    let apart = results * STRIDE;
    return Tile(
        n / (params.down * params.across) * params.rows,
        n / params.across % params.down * apart + part / STRIDE - params.padding,
        n % params.across * apart + part % STRIDE - params.padding, channel - part * of_pixel());
}

fn inside(t: Tile, r: u32, s: u32) -> bool {
    return (t.top + r * STRIDE < params.rows) & (t.left + s * STRIDE < params.columns);
}

fn pixel(t: Tile, r: u32, s: u32) -> u32 {
    return ((t.image + t.top + r * STRIDE) * params.columns + t.left + s * STRIDE) * of_pixel() + t.channel;
}

// Vectors of a plane of products, and an invocation's place in it: [groups, tiles, channels of a group].
fn plane() -> u32 { return params.tiles * params.channels; }
fn in_plane(i: u32) -> u32 { return grouped(i, params.tiles, params.channels, params.width); }
