//! Questions as the numbers a memory network takes: word ids, the newest sentence first.

use std::collections::BTreeSet;
use std::path::Path;

use crate::data::Split;
use crate::data::listing::Listing;
use crate::data::order::{mix, shuffled};
use crate::error::{Error, Result, quoted};
use crate::terms::Reason;

use super::sentence::sentences;
use super::{Question, Sentence, TASKS, generated, read};

/// Questions generated for each task where there are no files: to learn from, and held out.
const GENERATED: (usize, usize) = (1000, 200);

/// Every tenth question to learn from is kept apart, to steer training by.
const KEPT_APART: usize = 10;

/// The lengths that stories are brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sentences of a story: older ones are forgotten (Sukhbaatar 2015, section 4.2).
    pub memories: usize,
    /// Words of a sentence.
    pub words: usize,
    /// Words there may be, none among them.
    pub vocabulary: usize,
}

/// A set of questions in batches.
#[derive(Debug, Clone)]
pub struct Stories {
    limits: Limits,
    words: Vec<String>,
    train: Vec<Question>,
    validation: Vec<Question>,
    test: Vec<Question>,
    seed: u64,
    /// Of a folder; nothing where they are generated.
    listing: Option<Listing>,
}

/// Which questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// To learn from.
    Train,
    /// Kept apart from those, to steer training by.
    Validation,
    /// Held out, to be measured on.
    Test,
}

/// Numbers of a batch. Where a batch is longer than what is left of the questions, the first ones follow
/// again with task 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryBatch {
    /// M, S and V.
    pub limits: Limits,
    /// [B, M, S], the newest sentence first; 0 is no word.
    pub story: Vec<u32>,
    /// [B, S].
    pub question: Vec<u32>,
    /// `[B]`.
    pub answer: Vec<u32>,
    /// Number of the task, `[B]`.
    pub task: Vec<u32>,
    /// Which question of its part, `[B]`.
    pub place: Vec<u32>,
}

impl Limits {
    /// Refuses more `words` than the model knows, and longer sentences than it reads.
    fn admit<'a>(
        self,
        words: usize,
        questions: impl Iterator<Item = &'a Question> + Clone,
    ) -> Result<()> {
        if words >= self.vocabulary {
            return Err(Error::Usage(format!(
                "the stories use {words} distinct words, but the model's vocabulary holds {} besides the padding \
                 word: choose --set vocabulary={}",
                self.vocabulary - 1,
                words + 1
            )));
        }
        let length = |sentence: &Sentence| sentence.words().count();
        let mut long = sentences(questions).filter(|(_, sentence)| length(sentence) > self.words);
        let Some((question, sentence)) = long.next() else { return Ok(()) };
        let of_it =
            long.map_while(|(other, sentence)| std::ptr::eq(question, other).then_some(sentence));
        let longest = of_it.chain([sentence]).max_by_key(|s| length(s)).unwrap_or(sentence);
        Err(Error::Usage(format!(
            "task {}: '{}' has {} words, but the model's sentences hold {}: choose --set sentence={}",
            question.task,
            quoted(longest.as_str()),
            length(longest),
            self.words,
            length(longest)
        )))
    }
}

impl Stories {
    /// The questions of some tasks (all twenty where `task` is `None`) from a folder of bAbI files, or
    /// generated.
    ///
    /// # Errors
    /// [`Error::Data`] naming file and line, and for a single question to learn from; [`Error::Io`];
    /// [`Error::Usage`] where there are more words than the limits say.
    pub fn open(
        folder: Option<&Path>,
        task: Option<usize>,
        seed: u64,
        limits: Limits,
        skip_bad: bool,
    ) -> Result<Self> {
        let mut listing = Listing::new(skip_bad);
        let tasks: Vec<usize> = task.map_or((1..=TASKS).collect(), |task| vec![task]);
        let (mut learn, test) = match folder {
            Some(folder) => {
                let [learn, test] = read(folder, &tasks, &mut listing)?;
                if learn.len() == 1 {
                    let what =
                        "one to learn from, and none to steer training by: at least two are needed";
                    return Err(Error::data(folder, "questions", what));
                }
                // Of each question, the same sentence before another one once more.
                let lengths = learn.iter().chain(&test).map(|question| question.story.len());
                let forgotten = lengths.map(|length| length.saturating_sub(limits.memories));
                listing.pass_many(Reason::Forgotten, forgotten.sum());
                (learn, test)
            }
            None => {
                let generate = |split, count| -> Result<Vec<Question>> {
                    let by_task =
                        tasks.iter().map(|&task| generated::questions(task, split, seed, count));
                    Ok(by_task.collect::<Result<Vec<_>>>()?.concat())
                };
                (generate(Split::Train, GENERATED.0)?, generate(Split::Test, GENERATED.1)?)
            }
        };
        let words = words(learn.iter().chain(&test));
        limits.admit(words.len(), learn.iter().chain(&test))?;
        let words = words.into_iter().map(str::to_string).collect();
        // Of fewer the last one.
        let few = (learn.len() < KEPT_APART).then(|| learn.len() - 1);
        let apart = |at: usize| at % KEPT_APART == KEPT_APART - 1 || Some(at) == few;
        let validation = learn.iter().enumerate().filter(|(at, _)| apart(*at));
        let validation: Vec<_> = validation.map(|(_, question)| question.clone()).collect();
        let mut at = 0..;
        learn.retain(|_| !at.next().is_some_and(apart));
        Ok(Self {
            limits,
            words,
            train: learn,
            validation,
            test,
            seed,
            listing: folder.is_some().then_some(listing),
        })
    }

    /// The questions of a part.
    pub fn questions(&self, part: Part) -> &[Question] {
        match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        }
    }

    /// The word of an id; nothing for 0 and for ids of no word.
    pub fn word(&self, id: usize) -> &str {
        let at = id.checked_sub(1);
        at.and_then(|at| self.words.get(at)).map_or("", String::as_str)
    }

    /// `18,000 + 2,000 + 4,000 questions of all 20 tasks, told here (..); 155 words`.
    /// Records hold this text and are compared only where it is the same, so that it stays as it is.
    pub fn describe(&self) -> String {
        let (first, last) = (self.train.first(), self.train.last());
        let tasks = match (first, last) {
            (Some(a), Some(b)) if a.task == b.task => format!("task {}", a.task),
            _ => format!("all {TASKS} tasks"),
        };
        format!(
            "{} + {} + {} questions of {tasks}{} (to learn from, to steer by, held out); {} words",
            self.train.len(),
            self.validation.len(),
            self.test.len(),
            if self.listing.is_none() { ", told here" } else { "" },
            self.words.len()
        )
    }

    /// What was taken of a folder and what was passed over; nothing where they are generated.
    pub fn listing(&self) -> Option<&Listing> {
        self.listing.as_ref()
    }

    /// Batches of `size` that hold every question of a part.
    pub fn batches(&self, part: Part, size: usize) -> u64 {
        self.questions(part).len().div_ceil(size) as u64
    }

    /// Batch `step`: of those to learn from in a seeded order, another one each epoch.
    pub fn batch(&self, part: Part, step: u64, size: usize) -> StoryBatch {
        let questions = self.questions(part);
        let count = questions.len() as u64;
        let mut batch = StoryBatch {
            limits: self.limits,
            story: Vec::new(),
            question: Vec::new(),
            answer: Vec::new(),
            task: Vec::new(),
            place: Vec::new(),
        };
        for place in step * size as u64..(step + 1) * size as u64 {
            let (epoch, at) = (place / count, place % count);
            let at = match part {
                Part::Train => shuffled(at, count, mix(self.seed ^ mix(epoch))),
                _ => at,
            };
            let again = part != Part::Train && place >= count;
            self.add(&questions[at as usize], at, again, &mut batch);
        }
        batch
    }

    fn add(&self, question: &Question, at: u64, again: bool, batch: &mut StoryBatch) {
        let Limits { memories, words, .. } = self.limits;
        let newest = question.story.iter().rev().take(memories);
        let mut story = vec![0; memories * words];
        for (sentence, ids) in newest.zip(story.chunks_mut(words)) {
            self.ids(sentence, ids);
        }
        batch.story.extend(story);
        let mut asked = vec![0; words];
        self.ids(&question.question, &mut asked);
        batch.question.extend(asked);
        batch.answer.push(self.id(&question.answer));
        batch.task.push(if again { 0 } else { question.task as u32 });
        batch.place.push(at as u32);
    }

    fn ids(&self, sentence: &Sentence, ids: &mut [u32]) {
        for (id, word) in ids.iter_mut().zip(sentence.words()) {
            *id = self.id(word);
        }
    }

    fn id(&self, word: &str) -> u32 {
        let place = self.words.binary_search_by(|w| w.as_str().cmp(word));
        place.map_or(0, |place| place as u32 + 1)
    }
}

/// The different words of questions, sorted. A sentence is looked at once, however many questions refer to it.
fn words<'a>(questions: impl Iterator<Item = &'a Question> + Clone) -> BTreeSet<&'a str> {
    let mut words: BTreeSet<&str> = questions.clone().map(|q| q.answer.as_str()).collect();
    // One by one: collected, all of them would stand beside each other first.
    for (_, sentence) in sentences(questions) {
        words.extend(sentence.words());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { memories: 10, words: 6, vocabulary: 22 };

    #[test]
    fn stories_are_written_newest_sentence_first() {
        let stories = Stories::open(None, Some(1), 1, LIMITS, false).unwrap();
        let batch = stories.batch(Part::Test, 0, 4);
        assert_eq!((batch.story.len(), batch.question.len()), (4 * 60, 4 * 6));
        for (b, question) in stories.questions(Part::Test)[..4].iter().enumerate() {
            let ids = &batch.story[b * 60..][..60];
            let newest = question.story.last().unwrap();
            for (id, word) in ids.iter().zip(newest.words()) {
                assert_eq!(stories.word(*id as usize), word);
            }
            let answer = batch.answer[b] as usize;
            assert_eq!(stories.word(answer), question.answer);
        }
    }

    #[test]
    fn an_epoch_has_every_question_once_and_held_out_ones_count_once() {
        let stories = Stories::open(None, Some(1), 1, LIMITS, false).unwrap();
        assert_eq!(stories.questions(Part::Train).len(), 900);
        let places = |epoch: u64| -> Vec<u32> {
            (0..9).flat_map(|s| stories.batch(Part::Train, epoch * 9 + s, 100).place).collect()
        };
        let (mut first, second) = (places(0), places(1));
        assert_ne!(first, second);
        first.sort_unstable();
        assert!(first.iter().enumerate().all(|(i, &p)| i as u32 == p));
        let counted: usize = (0..stories.batches(Part::Test, 32))
            .map(|s| stories.batch(Part::Test, s, 32).task.iter().filter(|&&t| t > 0).count())
            .sum();
        assert_eq!(counted, 200);
    }

    /// A folder of task 1, each half with a story of some sentences before one question, so many times.
    fn folder(sentences: usize, [train, test]: [usize; 2]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let place = |half: usize| if half == 0 { "home" } else { "out" };
        for (half, (name, stories)) in [("train", train), ("test", test)].into_iter().enumerate() {
            let mut story = String::new();
            for at in 1..=sentences {
                story += &format!("{at} Mary went {}.\n", place(half));
            }
            story += &format!("{} Where is Mary? \t{}\t1\n", sentences + 1, place(half));
            let file = folder.path().join(format!("qa1_x_{name}.txt"));
            std::fs::write(file, story.repeat(stories)).unwrap();
        }
        folder
    }

    #[test]
    fn sentences_that_fall_out_of_the_memory_are_counted() {
        for (sentences, line) in [
            (LIMITS.memories, None),
            (LIMITS.memories + 4, Some("passed over: 20 sentences older than the model remembers")),
        ] {
            let folder = folder(sentences, [3, 2]);
            let stories = Stories::open(Some(folder.path()), Some(1), 1, LIMITS, false).unwrap();
            assert_eq!(stories.listing().unwrap().line().as_deref(), line);
        }
    }

    #[test]
    fn there_is_a_question_to_steer_training_by() {
        let one = folder(1, [1, 1]);
        let error = Stories::open(Some(one.path()), Some(1), 1, LIMITS, false).unwrap_err();
        assert_eq!(error.exit_code(), 10);
        assert!(error.to_string().contains("none to steer training by"), "{error}");
        let two = folder(1, [2, 1]);
        let stories = Stories::open(Some(two.path()), Some(1), 1, LIMITS, false).unwrap();
        let count = |part| stories.questions(part).len();
        assert_eq!([Part::Train, Part::Validation, Part::Test].map(count), [1, 1, 1]);
    }

    /// A thousand million words, were each question to be asked for those of its story.
    #[test]
    fn sentences_that_many_questions_refer_to_are_looked_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for (name, answer) in [("train", "b"), ("test", "c")] {
            let mut story = String::new();
            for at in 1..=2000 {
                story += &format!("{at} {}\n", "a ".repeat(500));
            }
            for at in 2001..=3000 {
                story += &format!("{at} a? \t{answer}\t1\n");
            }
            std::fs::write(folder.path().join(format!("qa1_{name}.txt")), story).unwrap();
        }
        let error = Stories::open(Some(folder.path()), Some(1), 1, LIMITS, false).unwrap_err();
        assert!(
            error.to_string().contains("has 500 words, but the model's sentences hold 6"),
            "{error}"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_to_type() {
        let few = Limits { vocabulary: 5, ..LIMITS };
        let error = Stories::open(None, Some(1), 1, few, false).unwrap_err().to_string();
        assert!(error.contains("--set vocabulary="), "{error}");
        let short = Limits { words: 3, ..LIMITS };
        let error = Stories::open(None, Some(1), 1, short, false).unwrap_err().to_string();
        assert!(error.contains("--set sentence="), "{error}");
    }

    #[test]
    fn all_tasks_fit_the_published_sizes() {
        let full = Limits { memories: 50, words: 11, vocabulary: 180 };
        for seed in 1..4 {
            Stories::open(None, None, seed, full, false).unwrap();
        }
    }
}
