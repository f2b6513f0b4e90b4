//! Questions in batches, and the score of the network's answers.

use std::sync::Arc;

use crate::data::Split;
use crate::data::babi::stories::{Part, Stories, StoryBatch};
use crate::data::listing::Listing;
use crate::error::Result;
use crate::tensor::HostTensor;

use super::super::samples::{Batch, Feed, Samples};
use super::super::score::{Outputs, Ratio, Score, likeliest};

/// All of them.
pub(super) struct Questions {
    /// Questions in a batch.
    pub(super) batch_size: usize,
    pub(super) stories: Arc<Stories>,
}

impl Questions {
    fn part(&self, part: Part, step: u64) -> Box<dyn Batch> {
        let batch = self.stories.batch(part, step, self.batch_size);
        Box::new(Asked { batch, stories: Arc::clone(&self.stories) })
    }
}

impl Samples for Questions {
    fn batch(&mut self, split: Split, step: u64) -> Result<Box<dyn Batch>> {
        let part = match split {
            Split::Train => Part::Train,
            Split::Test => Part::Test,
        };
        Ok(self.part(part, step))
    }

    fn test_batches(&self) -> u64 {
        self.stories.batches(Part::Test, self.batch_size)
    }

    fn counted(&self, _: u64) -> usize {
        self.batch_size
    }

    fn epoch(&self) -> Option<u64> {
        Some(self.stories.batches(Part::Train, self.batch_size))
    }

    fn validation(&mut self) -> Result<Vec<Box<dyn Batch>>> {
        let batches = self.stories.batches(Part::Validation, self.batch_size);
        Ok((0..batches).map(|step| self.part(Part::Validation, step)).collect())
    }

    fn describe(&self) -> String {
        self.stories.describe()
    }

    fn listing(&self) -> Option<Listing> {
        self.stories.listing().cloned()
    }
}

/// Some of them, with the stories' words.
struct Asked {
    batch: StoryBatch,
    stories: Arc<Stories>,
}

impl Asked {
    /// Logits, answer and task of each question that counts: task 0 is a repetition that fills a batch up.
    fn counted<'a>(
        &'a self,
        logits: &'a [f64],
    ) -> impl Iterator<Item = (&'a [f64], usize, u32)> + 'a {
        let StoryBatch { limits, answer, task, .. } = &self.batch;
        let answers = logits.chunks(limits.vocabulary).zip(answer).zip(task);
        let answers = answers.map(|((row, &answer), &task)| (row, answer as usize, task));
        answers.filter(|&(_, _, task)| task > 0)
    }
}

impl Batch for Asked {
    fn tensors(&self) -> Feed {
        let StoryBatch { limits, story, question, answer, .. } = &self.batch;
        let (batch, memory, sentence) = (answer.len(), limits.memories, limits.words);
        vec![
            ("story", HostTensor::u32([batch, memory, sentence], story)),
            ("question", HostTensor::u32([batch, sentence], question)),
            ("answer", HostTensor::u32([batch], answer)),
        ]
    }
}

impl Score for Asked {
    /// Of the questions that are asked for the first time, as they say themselves.
    fn score(&self, outputs: Outputs, _: usize) -> Result<Ratio> {
        let mut sum = Ratio::default();
        self.by_group(outputs)?.into_iter().for_each(|(_, answer)| sum += answer);
        Ok(sum)
    }

    fn by_group(&self, outputs: Outputs) -> Result<Vec<(String, Ratio)>> {
        let logits = outputs("logits")?;
        let answers = self.counted(&logits.data).map(|(row, answer, task)| {
            let right = f64::from(u8::from(likeliest(row) == answer));
            (format!("task {task:2}"), Ratio { sum: right, of: 1.0 })
        });
        Ok(answers.collect())
    }

    /// Cross-entropy of the questions kept apart.
    fn judge(&self, outputs: Outputs, _: usize) -> Result<Option<Ratio>> {
        let logits = outputs("logits")?;
        let mut loss = Ratio::default();
        for (row, answer, _) in self.counted(&logits.data) {
            let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = row.iter().map(|x| (x - highest).exp()).sum();
            loss += Ratio { sum: highest + total.ln() - row[answer], of: 1.0 };
        }
        Ok(Some(loss))
    }

    /// A story with what each hop took of each sentence, the question and the answer.
    fn show(&self, outputs: Outputs, sample: usize) -> Result<Option<String>> {
        let (logits, attention) = (outputs("logits")?, outputs("attention")?);
        let place = self.batch.place[sample] as usize;
        let Some(question) = self.stories.questions(Part::Test).get(place) else {
            return Ok(None);
        };
        // [B, hops, M]
        let (hops, memory) = (attention.dims()[1], attention.dims()[2]);
        let share = |hop: usize, i: usize| attention.data[(sample * hops + hop) * memory + i];
        let mut text = format!("task {}   hop 1  hop 2  hop 3\n", question.task);
        let kept = question.story.len().min(memory);
        for (i, sentence) in question.story.iter().rev().take(kept).enumerate().rev() {
            let shares: Vec<_> = (0..hops).map(|hop| format!("{:5.2}", share(hop, i))).collect();
            text += &format!("          {}  {}\n", shares.join("  "), sentence.as_str());
        }
        let vocabulary = self.batch.limits.vocabulary;
        let answer =
            self.stories.word(likeliest(&logits.data[sample * vocabulary..][..vocabulary]));
        let verdict = if answer == question.answer {
            "right".to_string()
        } else {
            format!("wrong: {}", question.answer)
        };
        text += &format!("  {}?  {answer} ({verdict})\n", question.question.as_str());
        Ok(Some(text))
    }
}
