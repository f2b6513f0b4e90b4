// Tiles of images [images, rows, columns, channels], each with as many results a side as are apart from the next.
// What an invocation has of them is a tile's line through a vector T of channels.

// use: conv2d/grouped
// Channels and those of a group, `width`, are counted in Ts; `tiles` tiles from number `first` on, of images that have
// down x across each and begin `padding` rows and columns before their first.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, down: u32, across: u32, first: u32, tiles: u32, padding: u32,
}
@group(1) @binding(0) var<uniform> params: Params;

// The first row of its image, its first row and column there, its vector of channels.
struct Tile { image: u32, top: u32, left: u32, channel: u32 }

// Above and left of the image they wrap, beyond its rows and columns.
fn tile(i: u32, results: u32) -> Tile {
    let n = params.first + i / params.channels;
    return Tile(
        n / (params.down * params.across) * params.rows, n / params.across % params.down * results - params.padding,
        n % params.across * results - params.padding, i % params.channels);
}

fn inside(t: Tile, r: u32, s: u32) -> bool {
    return (t.top + r < params.rows) & (t.left + s < params.columns);
}

fn pixel(t: Tile, r: u32, s: u32) -> u32 {
    return ((t.image + t.top + r) * params.columns + t.left + s) * params.channels + t.channel;
}

// Vectors of a plane of products, and an invocation's place in it: [groups, tiles, channels of a group].
fn plane() -> u32 { return params.tiles * params.channels; }
fn in_plane(i: u32) -> u32 { return grouped(i, params.tiles, params.channels, params.width); }
