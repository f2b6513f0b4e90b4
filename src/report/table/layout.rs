//! Where a table's text goes: columns as wide as they must be, within the width there is.
//!
//! Where a table is too wide, whole columns go first, the least important ones before the others; then text is wrapped
//! at its spaces. A word or a figure is never cut: a label without spaces may go on after a comma, a slash or a plus.

use unicode_width::UnicodeWidthStr;

/// Between two columns.
const GAP: &str = "  ";

/// Text is rather wrapped to this width than a column left out.
const WRAPPED: usize = 24;

/// After these a label may go on in the next line.
const BREAKS: [char; 3] = [',', '/', '+'];

/// A column with everything in it as text.
#[derive(Debug, Clone, Default)]
pub(super) struct Strip {
    /// Its heading.
    pub(super) title: String,
    /// Its cells from top to bottom.
    pub(super) cells: Vec<String>,
    /// Set to the right, and never wrapped: figures are.
    pub(super) is_right: bool,
    /// 0: always shown; else the higher, the sooner it goes where there is no room.
    pub(super) spare: u8,
    /// At least this wide.
    pub(super) least: usize,
}

impl Strip {
    fn natural(&self) -> usize {
        let cells = self.cells.iter().flat_map(|cell| cell.lines()).map(UnicodeWidthStr::width);
        cells.chain([self.title.width(), self.least]).max().unwrap_or(0)
    }

    /// What it takes before anything is left out for it.
    fn wanted(&self) -> usize {
        if self.is_right {
            self.narrowest(char::is_whitespace)
        } else {
            // What cannot be broken takes its room whatever it is wrapped to.
            self.natural().min(WRAPPED).max(self.narrowest(is_break))
        }
    }

    /// How narrow it can become where its text goes on after any character that `is_end` takes.
    fn narrowest(&self, is_end: fn(char) -> bool) -> usize {
        let longest = |text: &str| text.split_inclusive(is_end).map(|w| w.trim_end().width()).max();
        if self.is_right {
            let cells = self.cells.iter().map(|cell| cell.width());
            return cells.chain(longest(&self.title)).chain([self.least]).max().unwrap_or(0);
        }
        let texts = self.cells.iter().chain([&self.title]);
        texts.filter_map(|text| longest(text)).max().unwrap_or(0)
    }
}

/// How wide each column is; nothing for one that there is no room for.
pub(super) fn widths(strips: &[Strip], room: Option<usize>) -> Vec<Option<usize>> {
    let mut widths: Vec<_> = strips.iter().map(|strip| Some(strip.natural())).collect();
    let Some(room) = room else {
        return widths;
    };
    while wanted(strips, &widths) > room {
        let shown = (0..strips.len()).filter(|&i| widths[i].is_some() && strips[i].spare > 0);
        let Some(least_important) = shown.max_by_key(|&i| strips[i].spare) else {
            break;
        };
        widths[least_important] = None;
    }
    for is_end in [char::is_whitespace as fn(char) -> bool, is_break] {
        let narrowest: Vec<_> = strips.iter().map(|strip| strip.narrowest(is_end)).collect();
        while total(&widths) > room {
            let can = |&i: &usize| widths[i].is_some_and(|width| width > narrowest[i]);
            let Some(widest) = (0..strips.len()).filter(can).max_by_key(|&i| widths[i]) else {
                break;
            };
            widths[widest] = widths[widest].map(|width| width - 1);
        }
    }
    widths
}

/// Wherever a label may go on in the next line.
fn is_break(c: char) -> bool {
    c.is_whitespace() || BREAKS.contains(&c)
}

pub(super) fn total(widths: &[Option<usize>]) -> usize {
    let shown: Vec<_> = widths.iter().flatten().collect();
    shown.iter().copied().sum::<usize>() + GAP.len() * shown.len().saturating_sub(1)
}

/// The same with text wrapped.
fn wanted(strips: &[Strip], widths: &[Option<usize>]) -> usize {
    let wanted = strips.iter().zip(widths).map(|(strip, width)| width.map(|_| strip.wanted()));
    total(&wanted.collect::<Vec<_>>())
}

/// The headings above columns of these widths.
pub(super) fn head(strips: &[Strip], widths: &[Option<usize>]) -> String {
    row(strips.iter().map(|strip| (strip, strip.title.as_str())), widths)
}

/// A row of texts under columns of these widths: as many lines as its longest cell takes.
pub(super) fn row<'a>(
    cells: impl IntoIterator<Item = (&'a Strip, &'a str)>,
    widths: &[Option<usize>],
) -> String {
    let shown = cells.into_iter().zip(widths).filter_map(|(cell, width)| Some((cell, (*width)?)));
    let wrapped: Vec<_> =
        shown.map(|((strip, text), width)| (strip.is_right, width, wrap(text, width))).collect();
    let height = wrapped.iter().map(|(_, _, lines)| lines.len()).max().unwrap_or(0);
    let mut text = String::new();
    for at in 0..height {
        let mut line = String::new();
        for (place, (is_right, width, lines)) in wrapped.iter().enumerate() {
            let cell = lines.get(at).map_or("", String::as_str);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            line += if place > 0 { GAP } else { "" };
            line += &if *is_right { padding + cell } else { cell.to_string() + &padding };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Text in lines of at most `width`, broken at spaces; a longer word goes on after its own punctuation, and
/// sticks out where it has none.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    text.split('\n').flat_map(|line| wrap_line(line, width, pieces)).collect()
}

/// Prose in lines of at most `width`, broken at spaces alone, so that a path or a command can be copied whole. Lines go on
/// below the beginning of their text, be it set in or an item of a list.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    text.split('\n').flat_map(|line| fold_line(line, width)).collect()
}

fn fold_line(line: &str, width: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let text = text.strip_prefix("- ").unwrap_or(text);
    let (head, margin) = (&line[..line.len() - text.len()], line.len() - text.len());
    let lines = wrap_line(text, width.saturating_sub(margin), |word| vec![word]);
    let set_in = |(i, text): (usize, String)| {
        let margin = if i == 0 { head.to_string() } else { " ".repeat(margin) };
        (margin + &text).trim_end().to_string()
    };
    lines.into_iter().enumerate().map(set_in).collect()
}

/// A line in lines; `parts` are those of a word that is too long for one.
fn wrap_line(text: &str, width: usize, parts: fn(&str) -> Vec<&str>) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_string()];
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let pieces = if word.width() <= width { vec![word] } else { parts(word) };
        for (i, piece) in pieces.into_iter().enumerate() {
            let last = lines.len() - 1;
            let line = &mut lines[last];
            let space = if i == 0 && !line.is_empty() { " " } else { "" };
            if line.is_empty() || line.width() + space.len() + piece.width() <= width {
                *line += space;
                *line += piece;
            } else {
                lines.push(piece.to_string());
            }
        }
    }
    lines
}

/// The parts of a label, each with the mark it ends in.
fn pieces(word: &str) -> Vec<&str> {
    word.split_inclusive(BREAKS).collect()
}

/// Rows of a Markdown table under their heading: bars inside a cell are escaped, and it stays one line.
pub(super) fn markdown(strips: &[Strip]) -> String {
    let escaped: Vec<_> = strips.iter().map(escape).collect();
    let widths: Vec<_> = escaped.iter().map(|strip| strip.natural().max(3)).collect();
    let rows = escaped.iter().map(|strip| strip.cells.len()).max().unwrap_or(0);
    let mut text = markdown_head(strips, &widths);
    for at in 0..rows {
        let cells =
            escaped.iter().map(|s| (s.is_right, s.cells.get(at).map_or("", String::as_str)));
        text += &markdown_line(cells, &widths);
    }
    text
}

/// The heading and the rule below it.
pub(super) fn markdown_head(strips: &[Strip], widths: &[usize]) -> String {
    let titles: Vec<_> = strips.iter().map(escape).collect();
    let rule = |(strip, width): (&Strip, &usize)| {
        let dashes = "-".repeat(width.saturating_sub(1));
        (strip.is_right, if strip.is_right { dashes + ":" } else { dashes + "-" })
    };
    let rules: Vec<_> = strips.iter().zip(widths).map(rule).collect();
    markdown_line(titles.iter().map(|s| (s.is_right, s.title.as_str())), widths)
        + &markdown_line(rules.iter().map(|(is_right, rule)| (*is_right, rule.as_str())), widths)
}

/// The last row alone, for tables that grow.
pub(super) fn markdown_last(strips: &[Strip]) -> String {
    let escaped: Vec<_> = strips.iter().map(escape).collect();
    let cells = escaped.iter().map(|s| (s.is_right, s.cells.last().map_or("", String::as_str)));
    markdown_line(cells, &head_widths(strips))
}

/// The widths of a table that grows: its rows are not known when its heading is written.
pub(super) fn head_widths(strips: &[Strip]) -> Vec<usize> {
    strips.iter().map(|strip| strip.least.max(strip.title.width())).collect()
}

fn markdown_line<'a>(cells: impl Iterator<Item = (bool, &'a str)>, widths: &[usize]) -> String {
    let padded = cells.zip(widths).map(|((is_right, cell), width)| {
        let padding = " ".repeat(width.saturating_sub(cell.width()));
        if is_right { format!(" {padding}{cell} ") } else { format!(" {cell}{padding} ") }
    });
    format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
}

fn escape(strip: &Strip) -> Strip {
    let text = |text: &String| text.replace('|', "\\|").replace('\n', "<br>");
    Strip {
        title: text(&strip.title),
        cells: strip.cells.iter().map(text).collect(),
        ..strip.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(title: &str, cells: &[&str], is_right: bool, spare: u8) -> Strip {
        let cells = cells.iter().map(ToString::to_string).collect();
        Strip { title: title.into(), cells, is_right, spare, least: 0 }
    }

    fn drawn(strips: &[Strip], room: Option<usize>) -> String {
        let widths = widths(strips, room);
        let line = |at: usize| row(strips.iter().map(|s| (s, s.cells[at].as_str())), &widths);
        (0..strips[0].cells.len()).map(line).collect()
    }

    #[test]
    fn the_least_important_columns_go_first_and_only_as_many_as_must() {
        let strips = [
            strip("workload", &["residual"], false, 0),
            strip("step", &["13.26 ms"], true, 0),
            strip("rate", &["4.047 GFLOP/s"], true, 3),
            strip("gaps", &["9.8 %"], true, 2),
        ];
        assert_eq!(widths(&strips, None), [Some(8), Some(8), Some(13), Some(5)]);
        assert_eq!(widths(&strips, Some(40)), [Some(8), Some(8), Some(13), Some(5)]);
        assert_eq!(widths(&strips, Some(39)), [Some(8), Some(8), None, Some(5)]);
        assert_eq!(widths(&strips, Some(20)), [Some(8), Some(8), None, None]);
        assert_eq!(
            widths(&strips, Some(5)),
            [Some(8), Some(8), None, None],
            "what must stay stays"
        );
    }

    #[test]
    fn text_is_wrapped_at_spaces_and_no_word_or_figure_is_cut() {
        let strips = [
            strip("model", &["a deep Q-network that plays from its pixels"], false, 0),
            strip("parameters", &["34,633,792"], true, 0),
        ];
        let text = drawn(&strips, Some(30));
        assert!(text.lines().all(|line| line.width() <= 30), "{text}");
        for word in ["deep", "Q-network", "pixels", "34,633,792"] {
            assert!(text.split_whitespace().any(|found| found == word), "{word} in\n{text}");
        }
    }

    #[test]
    fn a_label_without_spaces_goes_on_after_its_own_marks() {
        let label = "dense1.matmul/tile[BM=64,BN=64,BK=16]";
        let strips = [strip("label", &[label], false, 0), strip("n", &["1"], true, 0)];
        let text = drawn(&strips, Some(24));
        assert!(text.lines().all(|line| line.width() <= 24), "{text}");
        let whole: String = text.lines().map(|l| l.split_whitespace().next().unwrap()).collect();
        assert_eq!(whole, label);
        assert!(text.lines().next().unwrap().ends_with("  1"), "{text}");
    }

    #[test]
    fn prose_is_folded_at_spaces_and_goes_on_below_its_own_beginning() {
        let text = "record  5b59  /home/somebody/records/one.json\n  - an item of a list\n";
        let expected =
            ["record  5b59", "/home/somebody/records/one.json", "  - an item of", "    a list", ""];
        assert_eq!(fold(text, 14), expected);
        assert_eq!(fold(text, 80).join("\n"), text);
    }

    #[test]
    fn in_markdown_a_bar_is_escaped_and_a_cell_is_one_line() {
        let text = markdown(&[
            strip("a|b", &["x|y", "1\n2"], false, 0),
            strip("n", &["1", "22"], true, 0),
        ]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            ["| a\\|b   |   n |", "| ------ | --: |", "| x\\|y   |   1 |", "| 1<br>2 |  22 |"]
        );
    }
}
