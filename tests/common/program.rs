//! The program as a user runs it, with a folder for records.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// The program, which does not tune: that takes seconds, and has tests of its own.
pub(crate) fn fathom(records: &Path, arguments: &[&str]) -> Command {
    build(env!("CARGO_BIN_EXE_fathom").as_ref(), records, arguments)
}

/// The same by another build of it.
pub(crate) fn build(program: &OsStr, records: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env("FATHOM_RECORDS", records).env("FATHOM_TUNE", "off");
    command
}

/// What it prints, data and messages, if it ends with the code that is expected.
#[track_caller]
pub(crate) fn told_by(command: &mut Command, code: i32) -> (String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (data, messages) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{command:?}: {data}{messages}");
    (data, messages)
}
