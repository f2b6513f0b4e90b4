//! A synchronous grammar: a sentence is drawn once as a tree, and worded in two languages.
//!
//! ```text
//! sentence    clause (conjunction clause)* (. | ?)
//! clause      phrase predicate (preposition phrase)*
//! predicate   adverb? not? verb phrase?
//! phrase      name | article adjective* noun (of phrase | that predicate)?
//! ```
//!
//! That is the source. No two trees read the same: prepositions belong to the clause, what follows a noun
//! belongs to the nearest one, and each verb either takes an object or doesn't. So the target is a function
//! of the source. It differs in order (verb last, adjectives after the noun, owner before owned,
//! prepositions after their phrase, questions marked by the first word) and in agreement (articles, adjectives
//! and relative pronouns with the class of the noun, which only the noun knows; verbs of the past, one form
//! in the source, with the number of their subject).

use crate::random::Rng;

use super::language::Lexicon;

/// Words of a clause that a longer sentence is divided into, about.
const CLAUSE: usize = 12;
/// Adjectives of a noun at most, but for one that fills a gap.
const ADJECTIVES: usize = 2;

/// The least number of words: a name, a verb and the stop.
pub(super) const SHORTEST: usize = 3;

/// Who or what.
#[derive(Debug)]
pub(super) enum Phrase {
    /// A lexeme of the names.
    Name(usize),
    /// A noun with what belongs to it.
    Noun(Box<Noun>),
}

/// A noun with what belongs to it.
#[derive(Debug)]
pub(super) struct Noun {
    pub(super) lexeme: usize,
    pub(super) definite: bool,
    pub(super) plural: bool,
    pub(super) adjectives: Vec<usize>,
    pub(super) owner: Option<Phrase>,
    pub(super) relative: Option<Predicate>,
}

/// What is said of it.
#[derive(Debug)]
pub(super) struct Predicate {
    /// Of the transitive verbs if there is an object.
    pub(super) verb: usize,
    pub(super) past: bool,
    pub(super) adverb: Option<usize>,
    pub(super) negated: bool,
    pub(super) object: Option<Phrase>,
    /// Prepositions, each with its phrase.
    pub(super) places: Vec<(usize, Phrase)>,
}

/// One statement.
#[derive(Debug)]
pub(super) struct Clause {
    /// Before every clause but the first.
    pub(super) conjunction: Option<usize>,
    pub(super) subject: Phrase,
    pub(super) predicate: Predicate,
}

/// A sentence before it has words in either language.
#[derive(Debug)]
pub(super) struct Sentence {
    pub(super) clauses: Vec<Clause>,
    pub(super) question: bool,
}

/// Draws sentences.
pub(super) struct Author<'a> {
    /// Of whose words.
    pub(super) lexicon: &'a Lexicon,
    /// By which numbers.
    pub(super) rng: Rng,
}

impl Author<'_> {
    /// Draws a sentence of just `length` source words, at least [`SHORTEST`].
    pub(super) fn sentence(&mut self, length: usize) -> Sentence {
        let body = length - 1;
        // A clause more costs a conjunction, and shouldn't leave stubs.
        let least = (body + 1).div_ceil(CLAUSE + 1);
        let more = usize::from(body >= 6 * (least + 1) && self.chance(0.4));
        let clauses = least + more;
        let lengths = self.share(body + 1 - clauses, clauses, 2);
        let clauses = lengths.into_iter().enumerate();
        Sentence {
            clauses: clauses.map(|(at, length)| self.clause(at > 0, length)).collect(),
            question: self.chance(0.15),
        }
    }

    fn clause(&mut self, joined: bool, length: usize) -> Clause {
        // A name and a verb, then what is spent on more.
        let mut left = length - 2;
        let mut spend = |cost: usize, yes: bool| {
            let yes = yes && left >= cost;
            left -= if yes { cost } else { 0 };
            yes
        };
        let object = spend(1, self.chance(0.65));
        let adverb = spend(1, self.chance(0.3));
        let negated = spend(1, self.chance(0.15));
        let places = (0..2).filter(|_| spend(2, self.chance(0.4))).count();
        let phrases = 1 + usize::from(object) + places;
        let mut lengths = self.share(left + phrases, phrases, 1).into_iter();
        let mut next = || lengths.next().unwrap_or(1);
        Clause {
            conjunction: joined.then(|| self.lexicon.conjunctions.draw(&mut self.rng)),
            subject: self.phrase(next()),
            predicate: Predicate {
                verb: self.verb(object),
                past: self.chance(0.4),
                adverb: adverb.then(|| self.lexicon.adverbs.draw(&mut self.rng)),
                negated,
                object: object.then(|| self.phrase(next())),
                places: (0..places).map(|_| self.place(next())).collect(),
            },
        }
    }

    fn place(&mut self, length: usize) -> (usize, Phrase) {
        let preposition = self.lexicon.prepositions.draw(&mut self.rng);
        (preposition, self.phrase(length))
    }

    fn phrase(&mut self, length: usize) -> Phrase {
        if length == 1 {
            return Phrase::Name(self.lexicon.names.draw(&mut self.rng));
        }
        let mut left = length - 2;
        let mut adjectives = self.rng.below(left.min(ADJECTIVES) + 1);
        left -= adjectives;
        // What follows a noun takes two words: one alone becomes an adjective.
        if left == 1 {
            (adjectives, left) = (adjectives + 1, 0);
        }
        let owned = left > 0 && self.chance(0.5);
        Phrase::Noun(Box::new(Noun {
            lexeme: self.lexicon.nouns.draw(&mut self.rng),
            definite: self.chance(0.6),
            plural: self.chance(0.35),
            adjectives: (0..adjectives)
                .map(|_| self.lexicon.adjectives.draw(&mut self.rng))
                .collect(),
            owner: owned.then(|| self.phrase(left - 1)),
            relative: (left > 0 && !owned).then(|| self.relative(left - 1)),
        }))
    }

    /// The predicate of a relative clause: no prepositions, which would read as the main clause's.
    fn relative(&mut self, length: usize) -> Predicate {
        let left = length - 1;
        let adverb = left > 0 && self.chance(0.3);
        let left = left - usize::from(adverb);
        Predicate {
            verb: self.verb(left > 0),
            past: self.chance(0.4),
            adverb: adverb.then(|| self.lexicon.adverbs.draw(&mut self.rng)),
            negated: false,
            object: (left > 0).then(|| self.phrase(left)),
            places: Vec::new(),
        }
    }

    fn verb(&mut self, object: bool) -> usize {
        let verbs = match object {
            true => &self.lexicon.transitive,
            false => &self.lexicon.intransitive,
        };
        verbs.draw(&mut self.rng)
    }

    /// Shares `total` among `count` parts of `least` or more.
    fn share(&mut self, total: usize, count: usize, least: usize) -> Vec<usize> {
        let mut parts = vec![least; count];
        for _ in count * least..total {
            parts[self.rng.below(count)] += 1;
        }
        parts
    }

    fn chance(&mut self, of: f64) -> bool {
        self.rng.uniform() < of
    }
}
