// Tiles of images [images, rows, columns, channels], each with as many results a side as are apart from the next.
// What an invocation has of them is a tile's line through a vector T of channels.

// use: conv2d/grouped
// Where windows are `step` pixels apart the step^2 pixels of a step are channels of one: see conv2d/weights. Channels, of all
// these pixels, and those of a group, `width`, are counted in Ts; `padding` rows and columns lie before the first.
struct Image { rows: u32, columns: u32, channels: u32, width: u32, padding: u32, step: u32 }
// `count` tiles from number `first` on, down x across an image.
struct Tiles { down: u32, across: u32, first: u32, count: u32 }

// The first row of its image, its first row and column there, its vector of a pixel's channels.
struct Tile { image: u32, top: u32, left: u32, channel: u32 }

fn of_pixel(image: Image) -> u32 { return image.channels / (image.step * image.step); }

// Above and left of the image they wrap, beyond its rows and columns.
fn tile(i: u32, image: Image, tiles: Tiles, results: u32) -> Tile {
    let n = tiles.first + i / image.channels;
    let channel = i % image.channels;
    let part = select(0u, channel / of_pixel(image), image.step > 1u);
    let apart = results * image.step;
    return Tile(
        n / (tiles.down * tiles.across) * image.rows,
        n / tiles.across % tiles.down * apart + part / image.step - image.padding,
        n % tiles.across * apart + part % image.step - image.padding, channel - part * of_pixel(image));
}

fn inside(t: Tile, image: Image, r: u32, s: u32) -> bool {
    return (t.top + r * image.step < image.rows) & (t.left + s * image.step < image.columns);
}

fn pixel(t: Tile, image: Image, r: u32, s: u32) -> u32 {
    let row = t.image + t.top + r * image.step;
    return (row * image.columns + t.left + s * image.step) * of_pixel(image) + t.channel;
}

// Vectors of a plane of products, and an invocation's place in it: [groups, tiles, channels of a group].
fn plane_of(image: Image, tiles: Tiles) -> u32 { return tiles.count * image.channels; }
fn in_plane(i: u32, image: Image, tiles: Tiles) -> u32 { return grouped(i, tiles.count, image.channels, image.width); }
