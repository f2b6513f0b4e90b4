//! The memnet workload's data: the twenty bAbI tasks (Weston 2015), read from a folder or generated.
//!
//! Owns the reader of `qaN_*_train.txt` and `qaN_*_test.txt`. Generated text is in the same form and is read by
//! the same parser.

use std::path::{Path, PathBuf};

use crate::data::Split;
use crate::error::{Error, Result};

mod generated;
mod reasoning;
mod script;
pub mod stories;
mod world;

/// Number of tasks.
pub const TASKS: usize = 20;

/// A question with the story before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Number of the task, from 1.
    pub task: usize,
    /// Sentences, oldest first, each its words in lower case.
    pub story: Vec<Vec<String>>,
    /// Words of the question.
    pub question: Vec<String>,
    /// The answer, one word; a list or a path with commas is one word too.
    pub answer: String,
}

impl Question {
    /// Every word in it.
    fn words(&self) -> impl Iterator<Item = &str> {
        let sentences = self.story.iter().chain([&self.question]);
        let words = sentences.flatten().chain([&self.answer]);
        words.map(String::as_str)
    }
}

/// Reads the questions of one split of some tasks from the folder of a bAbI language, as `tasks/en`.
///
/// # Errors
/// [`Error::Data`] naming file and line, [`Error::Io`].
pub fn read(folder: &Path, tasks: &[usize], split: Split) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    for &task in tasks {
        let file = find(folder, task, split)?;
        let bytes = std::fs::read(&file).map_err(Error::io("read", &file))?;
        questions.extend(parse(&bytes, &file, task)?);
    }
    Ok(questions)
}

/// The file of a task: `qa3_three-supporting-facts_train.txt`.
fn find(folder: &Path, task: usize, split: Split) -> Result<PathBuf> {
    let (start, end) = match split {
        Split::Train => (format!("qa{task}_"), "_train.txt"),
        Split::Test => (format!("qa{task}_"), "_test.txt"),
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        if name.starts_with(&start) && name.ends_with(end) {
            files.push(path);
        }
    }
    files.sort();
    files.into_iter().next().ok_or_else(|| {
        let what = format!("no file {start}*{end}: name a folder of bAbI files, such as tasks/en");
        Error::data(folder, "folder", what)
    })
}

/// Parses a file of task `task`. `file` names it in messages.
///
/// # Errors
/// [`Error::Data`] with the line for bytes that are no UTF-8, a line without a number, a number that neither
/// follows the last nor is 1, a question without an answer and an answer without a story.
pub fn parse(bytes: &[u8], file: &Path, task: usize) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    let mut story: Vec<Vec<String>> = Vec::new();
    let mut last = 0;
    for (at, line) in (1..).zip(bytes.split(|&b| b == b'\n')) {
        let bad = |what: String| Error::data(file, format!("line {at}"), what);
        let line = std::str::from_utf8(line).map_err(|e| bad(format!("not UTF-8: {e}")))?;
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        let number = line.split_once(' ').and_then(|(id, rest)| Some((id.parse().ok()?, rest)));
        let Some((id, rest)) = number else {
            return Err(bad("expected a number, a space and a sentence".into()));
        };
        if id == 1 {
            story.clear();
        } else if id != last + 1 {
            return Err(bad(format!("number {id} after {last}: expected {} or 1", last + 1)));
        }
        last = id;
        let mut fields = rest.split('\t');
        let text = fields.next().unwrap_or_default();
        let answer = fields.next().map(str::trim);
        match answer {
            Some(answer) if !answer.is_empty() => {
                if story.is_empty() {
                    return Err(bad("a question with no story before it".into()));
                }
                questions.push(Question {
                    task,
                    story: story.clone(),
                    question: words(text),
                    answer: answer.to_lowercase(),
                });
            }
            None if !text.trim_end().ends_with('?') => story.push(words(text)),
            _ => return Err(bad(format!("the question '{}' has no answer", text.trim()))),
        }
    }
    if questions.is_empty() {
        return Err(Error::data(file, "file", "it has no questions: expected a bAbI file"));
    }
    Ok(questions)
}

/// Words in lower case, without what ends a sentence.
fn words(text: &str) -> Vec<String> {
    let separators = |c: char| c.is_whitespace() || matches!(c, '.' | '?' | '!' | ',');
    let words = text.split(separators).filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> Result<Vec<Question>> {
        parse(text, Path::new("qa1_test.txt"), 1)
    }

    #[test]
    fn the_published_example_is_read() {
        let text = b"1 Mary moved to the bathroom.\n2 John went to the hallway.\n\
            3 Where is Mary? \tbathroom\t1\n4 Daniel went back to the hallway.\n\
            5 Where is Daniel? \thallway\t4\n1 Sandra got the milk.\n2 What is Sandra carrying? \tmilk,Apple\t1\n";
        let questions = parsed(text).unwrap();
        assert_eq!(questions.len(), 3);
        assert_eq!(questions[1].story.len(), 3);
        assert_eq!(questions[0].story[0], ["mary", "moved", "to", "the", "bathroom"]);
        assert_eq!(questions[0].question, ["where", "is", "mary"]);
        assert_eq!((questions[2].story.len(), questions[2].answer.as_str()), (1, "milk,apple"));
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line() {
        let cases: [(&[u8], &str, &str); 6] = [
            (b"1 Mary went home.\n3 John slept.\n", "line 2", "number 3 after 1"),
            (b"1 Mary went home.\n2 Where is Mary?\n", "line 2", "no answer"),
            (b"1 Mary went home.\n2 Where is Mary? \t\t1\n", "line 2", "no answer"),
            (b"1 Mary went \xff home.\n", "line 1", "UTF-8"),
            (b"Mary went home.\n", "line 1", "a number"),
            (b"1 Where is Mary? \thome\n", "line 1", "no story"),
        ];
        for (text, place, what) in cases {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(what), "{error}");
        }
        assert!(parsed(b"1 Mary went home.\n").unwrap_err().to_string().contains("no questions"));
    }
}
