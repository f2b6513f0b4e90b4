// How the workgroups of a product C[g, m, n] share its tiles.

const EDGE: bool = true; // some of a tile's rows or columns are no part of C
const NOWHERE: u32 = 0xffffffffu;
const SUMS: bool = false; // B's columns are summed as well, by the tiles of the first rows

// Split s of `splits` sums k from s * span to (s + 1) * span.
struct Params { M: u32, N: u32, K: u32, G: u32, splits: u32, span: u32 }
@group(1) @binding(0) var<uniform> params: Params;

// hook: sums
fn store_sum(i: u32, x: f32) {}
// end

// The tile of a workgroup: rows, columns, matrix of the batch, split.
struct Tile { m: u32, n: u32, g: u32, s: u32 }

// Tile number `id`. Eight rows of tiles are walked column by column, so that tiles that run together
// share their operands in the cache.
fn tile_of(id: u32, height: u32, width: u32) -> Tile {
    let tiles_m = (params.M + height - 1u) / height;
    let tiles_n = (params.N + width - 1u) / width;
    let z = id / (tiles_m * tiles_n);
    let t = id % (tiles_m * tiles_n);
    let band = t / (8u * tiles_n);
    let rows = min(tiles_m - band * 8u, 8u);
    let i = t - band * 8u * tiles_n;
    return Tile((band * 8u + i % rows) * height, i / rows * width, z % params.G, z / params.G);
}

// Stores what a tile's part of k has of the sums of B's columns n .. n + 4, of `columns`.
fn store_sums(tile: Tile, n: u32, columns: u32, x: vec4<f32>) {
    let at = (tile.s * params.G + tile.g) * columns;
    // unroll
    for (var i = 0u; i < 4u; i++) {
        if n + i < columns { store_sum(at + n + i, x[i]); }
    }
}
