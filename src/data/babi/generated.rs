//! Generated questions: which part of the simulated world writes the stories of which task.

use std::path::Path;

use crate::data::Split;
use crate::data::listing::Listing;
use crate::error::Result;
use crate::random::Rng;

use super::script::Script;
use super::{Question, parse, reasoning, world};

/// At least `count` questions of a task, a function of the seed, the task and the split.
///
/// # Errors
/// [`Error::Data`] where the text is not in the form of the files: a fault of the generator.
///
/// [`Error::Data`]: crate::error::Error::Data
pub(super) fn questions(
    task: usize,
    split: Split,
    seed: u64,
    count: usize,
) -> Result<Vec<Question>> {
    let name = format!("built-in task {task}");
    let mut rng = Rng::new(seed ^ (task as u64) << 8 ^ (split as u64) << 16);
    let mut questions = Vec::new();
    while questions.len() < count {
        let text = story(task, &mut rng);
        let listing = &mut Listing::default();
        questions.extend(parse(text.as_bytes(), Path::new(&name), task, listing)?);
    }
    questions.truncate(count);
    Ok(questions)
}

/// One story of a task, with its questions.
fn story(task: usize, rng: &mut Rng) -> String {
    let mut script = Script::default();
    match task {
        1 | 6 | 9..=13 => world::whereabouts(task, rng, &mut script),
        2 | 3 | 7 | 8 => world::things(task, rng, &mut script),
        4 => reasoning::two_arguments(rng, &mut script),
        5 => world::giving(rng, &mut script),
        14 => world::times(rng, &mut script),
        15 => reasoning::deduction(rng, &mut script),
        16 => reasoning::induction(rng, &mut script),
        17 => reasoning::positions(rng, &mut script),
        18 => reasoning::sizes(rng, &mut script),
        19 => reasoning::paths(rng, &mut script),
        _ => reasoning::motivations(rng, &mut script),
    }
    script.told()
}

#[cfg(test)]
mod tests {
    use super::super::TASKS;
    use super::*;

    #[test]
    fn every_task_is_generated_the_same_twice() {
        for task in 1..=TASKS {
            let generated = questions(task, Split::Train, 7, 200).unwrap();
            assert_eq!(generated, questions(task, Split::Train, 7, 200).unwrap());
            assert_ne!(generated, questions(task, Split::Test, 7, 200).unwrap());
            let mut answers: Vec<_> = generated.iter().map(|q| &q.answer).collect();
            answers.sort_unstable();
            answers.dedup();
            assert!(answers.len() > 1, "task {task} has one answer");
            // No answer is so frequent that a constant does well.
            for answer in answers {
                let share = generated.iter().filter(|q| q.answer == *answer).count();
                assert!(share < 150, "task {task}: '{answer}' {share} times");
            }
            let longest = generated.iter().flat_map(|q| &q.story).map(|s| s.words().count()).max();
            assert!(longest <= Some(11), "task {task}: a sentence of {longest:?} words");
        }
    }

    #[test]
    fn single_facts_are_answered_by_the_latest_one() {
        for q in questions(1, Split::Train, 3, 100).unwrap() {
            let person = q.question.words().nth(2);
            let latest = q.story.iter().rev().find(|s| s.words().next() == person).unwrap();
            assert_eq!(latest.words().next_back(), Some(q.answer.as_str()));
        }
    }
}
