//! The words of a sentence in the source and in the target language: see the grammar for how they differ.

use super::grammar::{Noun, Phrase, Predicate, Sentence};
use super::language::{Lexicon, article, class, fixed, relative};
use super::words::WordKind;

impl Sentence {
    /// Its words in the source language.
    pub(super) fn source(&self, lexicon: &Lexicon) -> Vec<u32> {
        let mut out = Vec::new();
        for clause in &self.clauses {
            let conjunction = clause.conjunction;
            out.extend(conjunction.map(|c| lexicon.conjunctions.source(c, 0)));
            clause.subject.source(lexicon, &mut out);
            let plural = clause.subject.plural();
            clause.predicate.source(lexicon, plural, &mut out);
        }
        out.push(self.end());
        out
    }

    /// Its words in the target language.
    pub(super) fn target(&self, lexicon: &Lexicon) -> Vec<u32> {
        let mut out = Vec::new();
        out.extend(self.question.then_some(fixed::ASKS));
        for clause in &self.clauses {
            let conjunction = clause.conjunction;
            out.extend(conjunction.map(|c| lexicon.conjunctions.target(c, 0)));
            clause.subject.target(lexicon, &mut out);
            let plural = clause.subject.plural();
            clause.predicate.target(lexicon, plural, &mut out);
        }
        out.push(self.end());
        out
    }

    fn end(&self) -> u32 {
        match self.question {
            true => fixed::QUESTION,
            false => fixed::STOP,
        }
    }
}

impl Phrase {
    fn plural(&self) -> bool {
        matches!(self, Self::Noun(noun) if noun.plural)
    }

    fn source(&self, lexicon: &Lexicon, out: &mut Vec<u32>) {
        match self {
            Self::Name(name) => out.push(lexicon.names.source(*name, 0)),
            Self::Noun(noun) => noun.source(lexicon, out),
        }
    }

    fn target(&self, lexicon: &Lexicon, out: &mut Vec<u32>) {
        match self {
            Self::Name(name) => out.push(lexicon.names.target(*name, 0)),
            Self::Noun(noun) => noun.target(lexicon, out),
        }
    }
}

impl Noun {
    fn source(&self, lexicon: &Lexicon, out: &mut Vec<u32>) {
        out.push(match (self.definite, self.plural) {
            (true, _) => fixed::THE,
            (false, false) => fixed::A,
            (false, true) => fixed::SOME,
        });
        let adjectives = self.adjectives.iter();
        out.extend(adjectives.map(|&a| lexicon.adjectives.source(a, 0)));
        out.push(lexicon.nouns.source(self.lexeme, u32::from(self.plural)));
        if let Some(owner) = &self.owner {
            out.push(fixed::OF);
            owner.source(lexicon, out);
        }
        if let Some(predicate) = &self.relative {
            out.push(fixed::THAT);
            predicate.source(lexicon, self.plural, out);
        }
    }

    fn target(&self, lexicon: &Lexicon, out: &mut Vec<u32>) {
        if let Some(owner) = &self.owner {
            owner.target(lexicon, out);
            out.push(fixed::OWNS);
        }
        let class = class(self.lexeme);
        out.push(article(self.definite, class, self.plural));
        out.push(lexicon.nouns.target(self.lexeme, u32::from(self.plural)));
        let adjectives = self.adjectives.iter().rev();
        out.extend(adjectives.map(|&a| lexicon.adjectives.target(a, class)));
        if let Some(predicate) = &self.relative {
            out.push(relative(class, self.plural));
            predicate.target(lexicon, self.plural, out);
        }
    }
}

impl Predicate {
    fn source(&self, lexicon: &Lexicon, plural: bool, out: &mut Vec<u32>) {
        out.extend(self.adverb.map(|a| lexicon.adverbs.source(a, 0)));
        out.extend(self.negated.then_some(fixed::NOT));
        let form = if self.past { 2 } else { u32::from(plural) };
        out.push(self.verbs(lexicon).source(self.verb, form));
        if let Some(object) = &self.object {
            object.source(lexicon, out);
        }
        for (preposition, phrase) in &self.places {
            out.push(lexicon.prepositions.source(*preposition, 0));
            phrase.source(lexicon, out);
        }
    }

    fn target(&self, lexicon: &Lexicon, plural: bool, out: &mut Vec<u32>) {
        for (preposition, phrase) in &self.places {
            phrase.target(lexicon, out);
            out.push(lexicon.prepositions.target(*preposition, 0));
        }
        if let Some(object) = &self.object {
            object.target(lexicon, out);
        }
        out.extend(self.adverb.map(|a| lexicon.adverbs.target(a, 0)));
        let verbs = self.verbs(lexicon);
        out.push(verbs.target(self.verb, u32::from(plural)));
        out.extend(self.past.then_some(fixed::PAST));
        out.extend(self.negated.then_some(fixed::NEGATES));
    }

    fn verbs<'a>(&self, lexicon: &'a Lexicon) -> &'a WordKind {
        match self.object {
            Some(_) => &lexicon.transitive,
            None => &lexicon.intransitive,
        }
    }
}
