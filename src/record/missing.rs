//! Runs that a record lacks, as its notes say.

use super::Record;

/// A note of this beginning stands in a record until all that was to be run has been.
const CUT_SHORT: &str = "cut short: ";

/// What a note begins with that says why a run is missing.
const FAILED: &str = "failed: ";

impl Record {
    /// Why runs that were to be measured are missing, as its notes have it; nothing where none are.
    pub fn lacks(&self) -> Option<&str> {
        let says = |note: &&String| note.starts_with(CUT_SHORT) || note.starts_with(FAILED);
        self.notes.iter().find(says).map(String::as_str)
    }

    /// Notes a run that failed: the first line of why.
    pub fn note_failure(&mut self, why: &str) {
        self.notes.push(format!("{FAILED}{}", why.lines().next().unwrap_or_default()));
    }

    /// Says whether all of `planned` runs have been measured: it may be the last that is heard of the record.
    pub fn note_progress(&mut self, planned: usize) {
        self.notes.retain(|note| !note.starts_with(CUT_SHORT));
        let done = self.runs.len();
        if done < planned {
            self.notes.push(format!("{CUT_SHORT}{done} of {planned} runs were measured"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_that_it_was_cut_short_until_all_is_measured() {
        let text = include_str!("../../tests/cli/record.json");
        let mut record: Record = serde_json::from_str(text).unwrap();
        record.notes = vec!["by hand".into()];
        let done = record.runs.len();
        record.note_progress(done + 2);
        record.note_progress(done + 2);
        let cut = format!("cut short: {done} of {} runs were measured", done + 2);
        assert_eq!(record.notes, ["by hand".to_string(), cut]);
        record.note_progress(done);
        assert_eq!(record.notes, ["by hand"]);
    }
}
