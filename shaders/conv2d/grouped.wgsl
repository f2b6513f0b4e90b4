// The place of element i of a matrix whose columns lie in groups of `width`, each a matrix of its own.
fn grouped(i: u32, rows: u32, columns: u32, width: u32) -> u32 {
    return (i % columns / width * rows + i / columns) * width + i % width;
}
