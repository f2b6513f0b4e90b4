//! TIMIT's 61 phones, and the 39 that error rates are counted over (Lee & Hon 1989, table I).

/// The phones in alphabetical order; a phone's place is its label. Label 61 is CTC's blank, no phone.
pub const PHONES: [&str; 61] = [
    "aa", "ae", "ah", "ao", "aw", "ax", "ax-h", "axr", "ay", "b", "bcl", "ch", "d", "dcl", "dh",
    "dx", "eh", "el", "em", "en", "eng", "epi", "er", "ey", "f", "g", "gcl", "h#", "hh", "hv",
    "ih", "ix", "iy", "jh", "k", "kcl", "l", "m", "n", "ng", "nx", "ow", "oy", "p", "pau", "pcl",
    "q", "r", "s", "sh", "t", "tcl", "th", "uh", "uw", "ux", "v", "w", "y", "z", "zh",
];

/// A phone's label.
pub fn label(name: &str) -> Option<usize> {
    PHONES.binary_search(&name).ok()
}

/// The phone it counts as; `None` for the glottal stop, which is left out.
fn folded(name: &str) -> Option<&str> {
    Some(match name {
        "q" => return None,
        "ao" => "aa",
        "ax" | "ax-h" => "ah",
        "axr" => "er",
        "hv" => "hh",
        "ix" => "ih",
        "el" => "l",
        "em" => "m",
        "en" | "nx" => "n",
        "eng" => "ng",
        "zh" => "sh",
        "ux" => "uw",
        // All closures and pauses are one silence, here under one of their names.
        "bcl" | "dcl" | "gcl" | "pcl" | "tcl" | "kcl" | "pau" | "epi" => "h#",
        other => other,
    })
}

/// Labels folded to the 39 classes, glottal stops left out.
pub fn fold(labels: &[usize]) -> Vec<usize> {
    let names = labels.iter().filter_map(|&l| PHONES.get(l));
    names.filter_map(|name| label(folded(name)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_folds_to_39() {
        assert!(PHONES.is_sorted());
        let mut classes = fold(&(0..61).collect::<Vec<_>>());
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), 39);
        assert_eq!(fold(&[label("q").unwrap(), label("zh").unwrap()]), [label("sh").unwrap()]);
    }
}
