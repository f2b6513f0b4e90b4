//! A tree of clusters in text.

use crate::analysis::similarity::Similarity;

/// Columns for heights.
const WIDTH: usize = 48;

/// Where a line leaves a character.
const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const UP: u8 = 4;
const DOWN: u8 = 8;

/// Workloads below each other, a line to the right from each, joined at the height of their merge. A merge
/// never stands left of its parts, so that lines don't run back.
pub(super) fn draw(one: &Similarity) -> String {
    let n = one.workloads.len();
    let names: Vec<&str> = one.order.iter().map(|&i| one.workloads[i].workload.as_str()).collect();
    let most = one.merges.iter().map(|m| m.height).fold(0.0, f64::max);
    let column = |height: f64| match most > 0.0 {
        true => (height / most * (WIDTH - 1) as f64).round() as usize,
        false => 0,
    };
    // Each cluster's row and column; a leaf's line begins at column 0.
    let mut places: Vec<(usize, usize)> =
        (0..n).map(|i| (one.order.iter().position(|&o| o == i).unwrap_or(i), 0)).collect();
    let mut canvas = vec![Vec::<u8>::new(); n];
    let mut add = |row: usize, at: usize, ways: u8| {
        let line = &mut canvas[row];
        if line.len() <= at {
            line.resize(at + 1, 0);
        }
        line[at] |= ways;
    };
    for merge in &one.merges {
        let (left, right) = (places[merge.left], places[merge.right]);
        let (top, bottom) = if left.0 < right.0 { (left, right) } else { (right, left) };
        let at = column(merge.height).max(top.1 + 1).max(bottom.1 + 1);
        for (row, from) in [top, bottom] {
            add(row, from, RIGHT);
            (from + 1..at).for_each(|x| add(row, x, LEFT | RIGHT));
            add(row, at, LEFT);
        }
        add(top.0, at, DOWN);
        add(bottom.0, at, UP);
        (top.0 + 1..bottom.0).for_each(|row| add(row, at, UP | DOWN));
        places.push(((top.0 + bottom.0) / 2, at));
    }
    let longest = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let line = |(name, ways): (&&str, &Vec<u8>)| {
        let drawn: String = ways.iter().map(|&w| character(w)).collect();
        format!("{name:longest$} {}\n", drawn.trim_end())
    };
    let tree: String = names.iter().zip(&canvas).map(line).collect();
    let end = super::similar::end(most);
    format!("{tree}{:longest$} 0{end:>width$}\n", "", width = WIDTH - 1)
}

fn character(ways: u8) -> char {
    const HORIZONTAL: u8 = LEFT | RIGHT;
    const VERTICAL: u8 = UP | DOWN;
    match ways {
        0 => ' ',
        LEFT | RIGHT | HORIZONTAL => '─',
        UP | DOWN | VERTICAL => '│',
        w if w == LEFT | DOWN => '┐',
        w if w == LEFT | UP => '┘',
        w if w == RIGHT | DOWN => '┌',
        w if w == RIGHT | UP => '└',
        w if w == HORIZONTAL | DOWN => '┬',
        w if w == HORIZONTAL | UP => '┴',
        w if w == VERTICAL | RIGHT => '├',
        w if w == VERTICAL | LEFT => '┤',
        _ => '┼',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::similarity::{Linkage, Merge};
    use crate::analysis::synthetic;
    use crate::terms::Mode;

    #[test]
    fn a_tree_joins_its_leaves_at_their_heights() {
        let ops: &[(&str, f64)] = &[("matmul", 1.0)];
        let record = synthetic::record(&[
            ("a", Mode::Train, ops),
            ("bb", Mode::Train, ops),
            ("c", Mode::Train, ops),
        ]);
        let mut one =
            crate::analysis::similarity::similarity(&[record], Mode::Train, Linkage::Average)
                .remove(0);
        let merge = |left, right, height, size| Merge { left, right, height, size };
        one.merges = vec![merge(0, 2, 0.2, 2), merge(1, 3, 0.4, 3)];
        one.order = vec![1, 0, 2];
        let drawn = draw(&one);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[0], format!("bb {}┐", "─".repeat(47)), "\n{drawn}");
        assert_eq!(lines[1], format!("a  {}┬{}┘", "─".repeat(24), "─".repeat(22)), "\n{drawn}");
        assert_eq!(lines[2], format!("c  {}┘", "─".repeat(24)), "\n{drawn}");
        assert!(lines[3].starts_with("   0 ") && lines[3].ends_with(" 0.4000"));
    }
}
