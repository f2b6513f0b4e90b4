//! A tree of clusters: one layout, drawn in characters for a terminal and in SVG for the page.

use crate::analysis::similarity::{Merge, Similarity};
use crate::report::number::digits;

use super::svg::{Anchor, Scale, Svg, WIDTH};

/// Where everything stands: workloads below each other, clusters joined at the height of their merge.
struct Layout<'a> {
    /// The workloads from top to bottom.
    names: Vec<&'a str>,
    /// The row of each workload, then of each merge: the middle between its two parts.
    rows: Vec<f64>,
    merges: &'a [Merge],
    /// The scale's end.
    highest: f64,
}

impl<'a> Layout<'a> {
    fn of(similarity: &'a Similarity) -> Self {
        let order = &similarity.order;
        let mut rows = vec![0.0; order.len()];
        for (row, &workload) in order.iter().enumerate() {
            rows[workload] = row as f64;
        }
        for merge in &similarity.merges {
            rows.push(f64::midpoint(rows[merge.left], rows[merge.right]));
        }
        Self {
            names: order.iter().map(|&i| similarity.workloads[i].workload.as_str()).collect(),
            rows,
            merges: &similarity.merges,
            highest: similarity.merges.iter().map(|m| m.height).fold(0.0, f64::max),
        }
    }
}

/// For the page.
pub(in crate::report) fn svg(similarity: &Similarity) -> String {
    const PITCH: f64 = 26.0;
    let layout = Layout::of(similarity);
    let (left, right) = (78.0, WIDTH - 14.0);
    let bottom = layout.names.len() as f64 * PITCH + 6.0;
    let label = "Dendrogram: workloads that spend their time similarly merge early";
    let mut svg = Svg::new(bottom + 30.0, label);
    let x = Scale::linear((0.0, layout.highest), (left, right));
    let y = |row: f64| row * PITCH + 16.0;
    for (row, name) in layout.names.iter().enumerate() {
        svg.text((left - 6.0, y(row as f64) + 4.0), Anchor::End, "", name);
    }
    // Where the line of each cluster begins.
    let mut begins = vec![left; layout.names.len()];
    for (k, merge) in layout.merges.iter().enumerate() {
        let at = x.at(merge.height);
        let parts = [merge.left, merge.right];
        for part in parts {
            let y = y(layout.rows[part]);
            svg.line((begins[part], y), (at, y), "branch");
        }
        let [top, end] = parts.map(|part| y(layout.rows[part]));
        svg.line((at, top), (at, end), "branch");
        let tip = format!("{} workloads join at {:.4}", merge.size, merge.height);
        svg.dot((at, y(layout.rows[layout.names.len() + k])), 4.0, "point", &tip);
        begins.push(at);
    }
    for share in [0.0, 0.5, 1.0] {
        let value = share * layout.highest;
        svg.line((x.at(value), bottom), (x.at(value), bottom + 4.0), "whisker");
        svg.text((x.at(value), bottom + 18.0), Anchor::Middle, "axis", &format!("{value:.2}"));
    }
    svg.finish()
}

/// Columns for heights in [`text`].
const COLUMNS: usize = 48;

/// Which ways a line leaves a character.
const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const UP: u8 = 4;
const DOWN: u8 = 8;

/// For a terminal. A merge never stands left of its parts, so that lines don't run back.
pub(in crate::report) fn text(similarity: &Similarity) -> String {
    let layout = Layout::of(similarity);
    let n = layout.names.len();
    let mut canvas = vec![Vec::<u8>::new(); n];
    let mut add = |row: usize, at: usize, ways: u8| {
        let line = &mut canvas[row];
        if line.len() <= at {
            line.resize(at + 1, 0);
        }
        line[at] |= ways;
    };
    // A workload's line begins at column 0, a cluster's at its merge.
    let mut begins = vec![0_usize; n];
    for merge in layout.merges {
        let mut parts = [merge.left, merge.right].map(|c| (layout.rows[c] as usize, begins[c]));
        parts.sort_unstable();
        let [top, bottom] = parts;
        let share = if layout.highest > 0.0 { merge.height / layout.highest } else { 0.0 };
        let column = (share * (COLUMNS - 1) as f64).round() as usize;
        let at = column.max(top.1 + 1).max(bottom.1 + 1);
        for (row, from) in parts {
            add(row, from, RIGHT);
            (from + 1..at).for_each(|x| add(row, x, LEFT | RIGHT));
            add(row, at, LEFT);
        }
        add(top.0, at, DOWN);
        add(bottom.0, at, UP);
        (top.0 + 1..bottom.0).for_each(|row| add(row, at, UP | DOWN));
        begins.push(at);
    }
    let longest = layout.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, ways) in layout.names.iter().zip(&canvas) {
        let drawn: String = ways.iter().map(|&ways| character(ways)).collect();
        text += &format!("{name:longest$} {}\n", drawn.trim_end());
    }
    let end = digits(layout.highest);
    text + &format!("{:longest$} 0{end:>width$}\n", "", width = COLUMNS - 1)
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
    use crate::analysis::similarity::{self, Linkage};
    use crate::analysis::synthetic;
    use crate::terms::Mode;

    fn tree() -> Similarity {
        let ops: &[(&str, f64)] = &[("matmul", 1.0)];
        let record = synthetic::record(&["a", "bb", "c"].map(|name| (name, Mode::Train, ops)));
        let mut tree = similarity::similarity(&[record], Mode::Train, Linkage::Average).remove(0);
        let merge = |left, right, height, size| Merge { left, right, height, size };
        tree.merges = vec![merge(0, 2, 0.2, 2), merge(1, 3, 0.4, 3)];
        tree.order = vec![1, 0, 2];
        tree
    }

    #[test]
    fn a_tree_joins_its_leaves_at_their_heights() {
        let drawn = text(&tree());
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[0], format!("bb {}┐", "─".repeat(47)), "\n{drawn}");
        assert_eq!(lines[1], format!("a  {}┬{}┘", "─".repeat(24), "─".repeat(22)), "\n{drawn}");
        assert_eq!(lines[2], format!("c  {}┘", "─".repeat(24)), "\n{drawn}");
        assert!(lines[3].starts_with("   0 ") && lines[3].ends_with(" 0.4000"));
        let mut tree = tree();
        tree.workloads[1].workload = "b\u{fc}".into();
        assert_eq!(text(&tree), drawn.replace("bb", "b\u{fc}"), "as wide by letters");
    }

    #[test]
    fn the_page_shows_the_same_tree() {
        let svg = svg(&tree());
        assert_eq!(svg.matches("class=\"branch\"").count(), 6, "three lines a merge");
        let joint = "2 workloads join at 0.2000";
        let above = svg.find(">bb<").unwrap();
        assert!(svg.contains(joint) && above < svg.find(">a<").unwrap(), "{svg}");
    }
}
