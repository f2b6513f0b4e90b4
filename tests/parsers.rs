//! The readers on what fuzzing found (`scripts/fuzz`): a panic, a hang or a crash there is a failure here for ever.

use std::fs;
use std::path::Path;

use parsers::PARSERS;

#[path = "common/parsers.rs"]
mod parsers;

#[test]
fn every_reader_comes_back_from_what_fuzzing_found() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/found");
    let mut readers = 0;
    for entry in fs::read_dir(&found).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let (_, parse) = PARSERS.iter().find(|(known, _)| *known == name).expect("a reader's name");
        let mut files = 0;
        for file in fs::read_dir(&folder).unwrap() {
            parse(&fs::read(file.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files > 0, "{name} has nothing to read");
        readers += 1;
    }
    assert_eq!(readers, PARSERS.len(), "each reader has a folder in tests/found");
}
