//! The memnet workload's data: the twenty bAbI tasks (Weston 2015), read from a folder or generated.
//!
//! Owns the reader of `qaN_*_train.txt` and `qaN_*_test.txt`. Generated text is in the same form and is read by
//! the same parser.

use std::path::Path;

use crate::data::listing::Listing;
use crate::data::{Split, bounded};
use crate::error::{Error, Result, quoted};
use crate::terms::Reason;

mod files;
mod generated;
mod reasoning;
mod script;
mod sentence;
pub mod stories;
mod world;

pub use sentence::Sentence;

/// Number of tasks.
pub const TASKS: usize = 20;

/// Bytes of a file at most: the longest of bAbI's 10k files have 15 MiB.
const MOST_BYTES: u64 = 1 << 26;

/// Bytes of all files at most: the forty of bAbI's 10k have less than half of it.
const MOST_TEXT: usize = 1 << 27;

/// Bytes of a line at most: no sentence is as long.
const LONGEST_LINE: usize = 1 << 16;

/// Sentences of a story at most: bAbI's longest has 320.
const LONGEST_STORY: usize = 4096;

/// Stories that must have the same number of questions before one that has fewer is worth a word.
const ENOUGH_ALIKE: usize = 10;

/// Questions, and sentences that they refer to.
#[derive(Debug, Clone, Copy, Default)]
struct Amount {
    questions: usize,
    referred: usize,
}

/// Of a file at most: bAbI's have ten thousand questions, and those of its longest refer to a million sentences.
const MOST_OF_A_FILE: Amount = Amount { questions: 1 << 18, referred: 1 << 22 };

/// Of all files at most: bAbI's have 220 thousand questions.
const MOST_IN_ALL: Amount = Amount { questions: 1 << 20, referred: 1 << 23 };

impl Amount {
    fn exceeds(self, most: Self) -> bool {
        self.questions > most.questions || self.referred > most.referred
    }
}

/// A question with the story before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Number of the task, from 1.
    pub task: usize,
    /// Sentences, oldest first.
    pub story: Vec<Sentence>,
    /// Words of the question.
    pub question: Sentence,
    /// The answer, one word; a list or a path with commas is one word too.
    pub answer: String,
}

/// Reads the questions of both splits of some tasks from the folder of a bAbI language, as `tasks/en`.
///
/// # Errors
/// [`Error::Data`] naming file and line, unless such stories are passed over; for a task without its files, and
/// for one with several; [`Error::Io`].
pub fn read(folder: &Path, tasks: &[usize], listing: &mut Listing) -> Result<[Vec<Question>; 2]> {
    let files = files::find(folder, tasks, listing)?;
    let mut halves = [Vec::new(), Vec::new()];
    let (mut text, mut all) = (0, Amount::default());
    for (task, files) in files {
        for (half, file) in halves.iter_mut().zip(files) {
            let bytes = bounded::read(&file, MOST_BYTES)?;
            text += bytes.len();
            let questions = parse(&bytes, &file, task, listing)?;
            all.questions += questions.len();
            all.referred += questions.iter().map(|question| question.story.len()).sum::<usize>();
            if text > MOST_TEXT || all.exceeds(MOST_IN_ALL) {
                let what = "more text up to this file than all of bAbI has";
                return Err(Error::data(file, "length", what));
            }
            half.extend(questions);
        }
    }
    for (split, half) in [Split::Train, Split::Test].into_iter().zip(&halves) {
        listing.take(split, half.len());
    }
    listing.settle(folder, "questions")?;
    Ok(halves)
}

/// Parses a file of task `task`. `file` names it in messages.
///
/// # Errors
/// [`Error::Data`] with the line for bytes that are not UTF-8, a line without a number, a number that neither
/// follows the last nor is 1, a question without an answer and an answer without a story, and for an end within a
/// story, unless that story is passed over. For a file without a question, and one whose lines end in CR alone.
pub fn parse(
    bytes: &[u8],
    file: &Path,
    task: usize,
    listing: &mut Listing,
) -> Result<Vec<Question>> {
    if bounded::ends_in_returns(bytes) {
        return Err(Error::data(file, "line 1", bounded::RETURNS));
    }
    let mut reader = Reader::new(file, task);
    // Where a line is at fault its story is passed over, up to the next first sentence.
    let mut lost = false;
    for (at, line) in (1..).zip(bounded::without_mark(bytes).split(|&b| b == b'\n')) {
        reader.line = at;
        lost = lost && !line.starts_with(b"1 ");
        if lost {
            continue;
        }
        if let Err(error) = reader.read(line) {
            listing.doubt(Reason::Unreadable, error)?;
            reader.forget_story();
            lost = true;
        }
    }
    let cut = reader.is_cut(bytes) && !lost && !reader.questions.is_empty();
    if reader.ends_early() && !lost {
        listing.pass(Reason::EndsEarly, file.file_name().unwrap_or_default().display());
    }
    if cut {
        let what = "it ends before the story does: its last line is a sentence, which no question follows, or \
                    a question without the numbers after its answer. The rest may be missing: get it anew";
        listing.doubt(Reason::Unreadable, Error::data(file, "end", what))?;
        reader.forget_story();
    }
    if reader.questions.is_empty() {
        return Err(Error::data(file, "file", "it has no questions: expected a bAbI file"));
    }
    Ok(reader.questions)
}

/// A file as far as it is read.
struct Reader<'a> {
    file: &'a Path,
    task: usize,
    /// Number of the line, from 1.
    line: usize,
    questions: Vec<Question>,
    /// How many of them belong to earlier stories.
    before: usize,
    /// Earlier stories.
    ended: usize,
    /// How many questions each of them has, where that is one number.
    alike: Option<usize>,
    story: Vec<Sentence>,
    last: usize,
    amount: Amount,
    /// What the last line is.
    ending: Ending,
}

/// How a story may end, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// In a sentence, which is said for a question that follows.
    Sentence,
    /// In a question and its answer.
    Answer,
    /// In those and the numbers of the sentences that support the answer.
    Support,
}

impl<'a> Reader<'a> {
    fn new(file: &'a Path, task: usize) -> Self {
        let (questions, story) = (Vec::new(), Vec::new());
        let [line, before, ended, last] = [0; 4];
        let (amount, ending, alike) = (Amount::default(), Ending::Sentence, None);
        Self { file, task, line, questions, before, ended, alike, story, last, amount, ending }
    }

    /// Whether a part of the file is missing at its end, as far as that shows.
    fn is_cut(&self, bytes: &[u8]) -> bool {
        match self.ending {
            Ending::Sentence => true,
            // The answer may be longer.
            Ending::Answer => !bytes.ends_with(b"\n"),
            Ending::Support => false,
        }
    }

    /// Whether the last story has fewer questions than all others, which have one number of them: nothing else shows that
    /// a file was cut behind one. Where stories differ, or are few, nothing is said.
    fn ends_early(&self) -> bool {
        let last = self.questions.len() - self.before;
        self.ended >= ENOUGH_ALIKE && self.alike.is_some_and(|count| (1..count).contains(&last))
    }

    /// Counts the questions of a story that has ended.
    fn end_story(&mut self) {
        let count = self.questions.len() - self.before;
        if count > 0 {
            self.alike = Some(count).filter(|_| self.ended == 0 || self.alike == Some(count));
            self.ended += 1;
        }
        self.before = self.questions.len();
    }

    fn bad(&self, what: impl Into<String>) -> Error {
        Error::data(self.file, format!("line {}", self.line), what)
    }

    fn forget_story(&mut self) {
        self.questions.truncate(self.before);
        self.story.clear();
        self.last = 0;
    }

    fn read(&mut self, line: &[u8]) -> Result<()> {
        if line.len() > LONGEST_LINE {
            let most = LONGEST_LINE >> 10;
            return Err(self.bad(format!("longer than {most} KiB: no sentence is that long")));
        }
        let line = bounded::text(line).map_err(|what| self.bad(what))?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(());
        }
        let number = line.split_once(' ').and_then(|(id, rest)| Some((id.parse().ok()?, rest)));
        let Some((id, rest)) = number else {
            return Err(self.bad("expected a number, a space and a sentence"));
        };
        if id == 1 {
            self.story.clear();
            self.end_story();
        } else if Some(id) != self.last.checked_add(1) {
            let last = self.last;
            let next = if last == 0 { String::new() } else { format!("{} or ", last + 1) };
            return Err(self.bad(format!("number {id} after {last}: expected {next}1")));
        }
        self.last = id;
        let mut fields = rest.split('\t');
        let text = fields.next().unwrap_or_default();
        let answer = fields.next().map(str::trim);
        let support = fields.next();
        self.ending = match (answer, support) {
            (None, _) => Ending::Sentence,
            (Some(_), None) => Ending::Answer,
            (Some(_), Some(_)) => Ending::Support,
        };
        let earlier = |number: &str| number.parse().is_ok_and(|number| (1..id).contains(&number));
        if let Some(wrong) =
            support.unwrap_or("").split_whitespace().find(|number| !earlier(number))
        {
            return Err(self.bad(format!(
                "'{}' behind the answer is not the number of an earlier line of the story",
                quoted(wrong)
            )));
        }
        if let Some(more) = fields.find(|field| !field.trim().is_empty()) {
            return Err(self.bad(format!(
                "'{}' behind the line numbers: expected question, tab, answer, tab, line numbers, and no more",
                quoted(more.trim())
            )));
        }
        match answer {
            Some(answer) if self.ending == Ending::Answer && is_doubtful(text, answer) => {
                Err(self.bad(format!(
                    "'{}' has a tab, but is no question, tab, answer, tab, line numbers: tabs and spaces may have \
                     become each other",
                    quoted(rest.trim())
                )))
            }
            Some(answer) if !answer.is_empty() => self.question(text, answer),
            None if !text.contains('?') => self.sentence(text),
            None if !text.trim_end().ends_with('?') => Err(self.bad(
                "a question and more without a tab between them: expected question, tab, answer, tab, line \
                 numbers; tabs may have become spaces",
            )),
            _ => Err(self.bad(format!("the question '{}' has no answer", quoted(text.trim())))),
        }
    }

    fn sentence(&mut self, text: &str) -> Result<()> {
        if self.story.len() == LONGEST_STORY {
            let what =
                format!("a story of more than {LONGEST_STORY} sentences: no bAbI story is as long");
            return Err(self.bad(what));
        }
        self.story.push(Sentence::of(text));
        Ok(())
    }

    fn question(&mut self, text: &str, answer: &str) -> Result<()> {
        if self.story.is_empty() {
            return Err(self.bad("a question with no story before it"));
        }
        self.amount.questions += 1;
        self.amount.referred += self.story.len();
        if self.amount.exceeds(MOST_OF_A_FILE) {
            return Err(
                self.bad("more questions, or longer stories before them, than a bAbI file has")
            );
        }
        self.questions.push(Question {
            task: self.task,
            story: self.story.clone(),
            question: Sentence::of(text),
            answer: answer.to_lowercase(),
        });
        Ok(())
    }
}

/// Whether what has no line numbers behind it may be a sentence, a question joined to its answer, or an answer joined to
/// them.
fn is_doubtful(text: &str, answer: &str) -> bool {
    let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let mut words = answer.split_whitespace();
    let joined = words.next().is_some() && words.next_back().is_some_and(number);
    joined || !text.trim_end().ends_with('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> Result<Vec<Question>> {
        parse(text, Path::new("qa1_test.txt"), 1, &mut Listing::new(false))
    }

    #[test]
    fn the_published_example_is_read() {
        let text = b"1 Mary moved to the bathroom.\n2 John went to the hallway.\n\
            3 Where is Mary? \tbathroom\t1\n4 Daniel went back to the hallway.\n\
            5 Where is Daniel? \thallway\t4\n1 Sandra got the milk.\n2 What is Sandra carrying? \tmilk,Apple\t1\n";
        let questions = parsed(text).unwrap();
        assert_eq!(questions.len(), 3);
        assert_eq!(questions[1].story.len(), 3);
        assert_eq!(questions[0].story[0].as_str(), "mary moved to the bathroom");
        assert_eq!(questions[0].question.as_str(), "where is mary");
        assert_eq!((questions[2].story.len(), questions[2].answer.as_str()), (1, "milk,apple"));
    }

    #[test]
    fn marks_and_line_ends_of_other_systems_are_read() {
        let text = "\u{feff}1 Mary went home.\r\n2 Where is Mary? \thome\t1\r\n";
        assert_eq!(parsed(text.as_bytes()).unwrap()[0].story[0].as_str(), "mary went home");
    }

    #[test]
    fn lines_that_end_in_cr_alone_are_called_so() {
        let error = parsed(b"1 Mary went home.\r2 Where is Mary? \thome\t1\r").unwrap_err();
        let end = "line 1: its lines end in CR alone, as on old Macs: convert it first, for example with `tr '\\r' '\\n'`";
        assert!(error.to_string().ends_with(end), "{error}");
    }

    #[test]
    fn a_story_with_a_line_at_fault_is_passed_over_whole() {
        let text =
            b"1 A b.\n2 Where is a? \tb\t1\n1 C d.\n2 Where is c? \td\t1\n3 Where is c?  d 1\n\
            4 Where is c? \td\t1\n1 E f.\n2 Where is e? \tf\t1\n";
        let mut listing = Listing::new(true);
        let questions = parse(text, Path::new("qa1_test.txt"), 1, &mut listing).unwrap();
        let answers: Vec<_> = questions.iter().map(|q| q.answer.as_str()).collect();
        assert_eq!(answers, ["b", "f"]);
        assert!(listing.skipped()[0].starts_with("qa1_test.txt: line 5: a question and more"));
    }

    #[test]
    fn a_file_that_ends_within_a_story_is_cut() {
        let whole = "1 A b.\n2 Where is a? \tb\t1\n1 Mary went home.\n2 Where is Mary? \thome\t1\n";
        assert_eq!(parsed(whole.as_bytes()).unwrap().len(), 2);
        let last = whole.find("1 Mary").unwrap();
        let answer = whole.rfind('\t').unwrap();
        for end in 1..whole.len() - last {
            let cut = &whole.as_bytes()[..last + end];
            // Once one of the numbers is there, nothing shows that more were.
            let is_found = last + end <= answer + 1;
            assert_eq!(parsed(cut).is_err(), is_found, "{:?}", String::from_utf8_lossy(cut));
        }
        let cut = &whole.as_bytes()[..answer - 1];
        let error = parsed(cut).unwrap_err().to_string();
        assert!(error.starts_with("qa1_test.txt: end: it ends before the story does"), "{error}");
        let mut listing = Listing::new(true);
        let questions = parse(cut, Path::new("qa1_test.txt"), 1, &mut listing).unwrap();
        assert_eq!((questions.len(), listing.skipped().len()), (1, 1));
        // Some sets have no numbers: their files end in a line that is whole.
        let without = whole.replace("\t1\n", "\n");
        assert_eq!(parsed(without.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn a_last_story_with_fewer_questions_than_all_others_is_named() {
        let line = |text: &str| {
            let mut listing = Listing::new(false);
            parse(text.as_bytes(), Path::new("tasks/qa1_test.txt"), 1, &mut listing).unwrap();
            listing.line()
        };
        let whole = "1 A b.\n2 Where is a? \tb\t1\n3 C d.\n4 Where is c? \td\t3\n";
        let (first, _) = whole.split_at(whole.find("3 C").unwrap());
        let cut = "passed over: 1 file whose end may be missing (qa1_test.txt)";
        assert_eq!(line(&(whole.repeat(10) + first)).as_deref(), Some(cut));
        // Few stories, or such as differ, say nothing.
        for text in [
            whole.repeat(11),
            whole.repeat(9) + first,
            first.to_string() + &whole.repeat(10) + first,
        ] {
            assert_eq!(line(&text), None);
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line() {
        let cases: [(&[u8], &str, &str); 16] = [
            (b"0 A b.\n", "line 1", "number 0 after 0: expected 1"),
            (b"1 A b.\n2 Where is a? \tb\t1\tc\n", "line 2", "'c' behind the line numbers"),
            (b"1 A b.\n2 Where is a? \tb\t2\n", "line 2", "'2' behind the answer"),
            (b"1 A b.\n2 Where is a? \tb\t1 0\n", "line 2", "'0' behind the answer"),
            (b"1 A b.\n2 Where is a? \tb\tgarden\n", "line 2", "'garden' behind the answer"),
            (b"1 Mary went home.\n2 Where is Mary? home\t1\n", "line 2", "become each other"),
            (b"1 Mary went home.\n2 Where is Mary?\thome 1\n", "line 2", "become each other"),
            (b"1 A b.\n2 Mary went\thome.\n", "line 2", "become each other"),
            (b"1 Mary went home.\n2 Where is Mary?  home 1\n", "line 2", "without a tab"),
            (b"1 Mary went home.\n2 Where is Mary?|home|1\n", "line 2", "without a tab"),
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
        for (text, what) in [
            (&b"\xff\xfe1\0 \0M\0"[..], "UTF-16"),
            (b"1 Mary \0 went.\n", "bytes of zero"),
            (&[b"1 ", &b"a ".repeat(1 << 16)[..]].concat(), "longer than 64 KiB"),
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.contains(what) && error.len() < 200, "{error}");
        }
        let long = [b"1 a.\n2 ", &b"a".repeat(1 << 15)[..], b"?\n"].concat();
        let error = parsed(&long).unwrap_err().to_string();
        assert!(error.contains("aaa..' has no answer"), "{error}");
        let questions = (2..(1 << 18) + 3).map(|at| format!("{at} a?\tb\n")).collect::<String>();
        let error = parsed(format!("1 a\n{questions}").as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 262146: more questions"), "{error}");
        assert!(parsed(b"1 Mary went home.\n").unwrap_err().to_string().contains("no questions"));
    }
}
