//! Tasks about people who move and carry things: 1 to 3 and 5 to 14.

use crate::random::Rng;

use super::script::{Script, pick, shuffled};

const PEOPLE: [&str; 4] = ["Mary", "John", "Sandra", "Daniel"];
const PLACES: [&str; 6] = ["bathroom", "hallway", "garden", "office", "bedroom", "kitchen"];
const THINGS: [&str; 3] = ["apple", "football", "milk"];
const MOVED: [&str; 5] = ["moved to", "went to", "journeyed to", "travelled to", "went back to"];
const COUNTS: [&str; 4] = ["none", "one", "two", "three"];

fn pronoun(person: usize) -> &'static str {
    if person.is_multiple_of(2) { "she" } else { "he" }
}

/// What is known of where somebody is.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    In(usize),
    /// Task 9: certainly not there.
    NotIn(usize),
    /// Task 10: in one of two.
    Either(usize, usize),
}

/// What is known of each person, and since which sentence.
type Whereabouts = [Option<(Known, usize)>; 4];

/// Tasks 1, 6 and 9 to 13: where people are.
pub(super) fn whereabouts(task: usize, rng: &mut Rng, script: &mut Script) {
    let mut known: Whereabouts = [None; 4];
    for _ in 0..5 {
        for _ in 0..2 {
            tell_of_a_move(task, rng, script, &mut known);
        }
        ask_where(task, rng, script, &known);
    }
}

fn tell_of_a_move(task: usize, rng: &mut Rng, script: &mut Script, known: &mut Whereabouts) {
    let (a, place) = (rng.below(4), rng.below(6));
    let b = (a + 1 + rng.below(3)) % 4;
    let (verb, there) = (pick(rng, &MOVED), PLACES[place]);
    let mut now = Known::In(place);
    let mut who = vec![a];
    let fact = match task {
        9 if rng.below(3) == 0 => {
            now = Known::NotIn(place);
            script.say(&format!("{} is no longer in the {there}.", PEOPLE[a]))
        }
        9 => script.say(&format!("{} is in the {there}.", PEOPLE[a])),
        10 if rng.below(2) == 0 => {
            let other = (place + 1 + rng.below(5)) % 6;
            now = Known::Either(place, other);
            let text = format!("{} is either in the {there} or the {}.", PEOPLE[a], PLACES[other]);
            script.say(&text)
        }
        12 | 13 => {
            who.push(b);
            script.say(&format!("{} and {} {verb} the {there}.", PEOPLE[a], PEOPLE[b]))
        }
        _ => script.say(&format!("{} {verb} the {there}.", PEOPLE[a])),
    };
    for &person in &who {
        known[person] = Some((now, fact));
    }
    if task == 11 || task == 13 {
        // The same again, by a pronoun.
        let next = (place + 1 + rng.below(5)) % 6;
        let then = pick(rng, &["Then", "After that", "Afterwards", "Following that"]);
        let they = if task == 13 { "they" } else { pronoun(a) };
        let verb = pick(rng, &MOVED);
        let fact = script.say(&format!("{then} {they} {verb} the {}.", PLACES[next]));
        for &person in &who {
            known[person] = Some((Known::In(next), fact));
        }
    }
}

/// Asks about one of those of whom something is known: where they are, or, where that may be in doubt, whether they are in a
/// place.
fn ask_where(task: usize, rng: &mut Rng, script: &mut Script, known: &Whereabouts) {
    let people: Vec<usize> = (0..4).filter(|&p| known[p].is_some()).collect();
    let person = people[rng.below(people.len())];
    let Some((now, fact)) = known[person] else {
        return;
    };
    if !matches!(task, 6 | 9 | 10) {
        if let Known::In(place) = now {
            script.ask(&format!("Where is {}?", PEOPLE[person]), PLACES[place], &[fact]);
        }
        return;
    }
    // Most questions name the place that was spoken of.
    let named = match now {
        Known::In(place) | Known::NotIn(place) | Known::Either(place, _) => place,
    };
    let asked = match (rng.below(3), now) {
        (0 | 1, _) | (_, Known::NotIn(_)) => named,
        _ => (named + 1 + rng.below(5)) % 6,
    };
    let answer = match now {
        Known::In(place) if place == asked => "yes",
        Known::Either(a, b) if asked == a || asked == b => "maybe",
        _ => "no",
    };
    let question = format!("Is {} in the {}?", PEOPLE[person], PLACES[asked]);
    script.ask(&question, answer, &[fact]);
}

/// A thing: who has it, where it has been, and since which sentence.
#[derive(Clone, Default)]
struct Thing {
    holder: Option<usize>,
    been: Vec<(usize, usize)>,
}

/// Tasks 2, 3, 7 and 8: things that are carried about.
pub(super) fn things(task: usize, rng: &mut Rng, script: &mut Script) {
    let mut at: [Option<(usize, usize)>; 4] = [None; 4];
    let mut things = vec![Thing::default(); THINGS.len()];
    let mut asked = 0;
    for turn in 0..60 {
        let person = rng.below(4);
        let thing = rng.below(THINGS.len());
        let free = things[thing].holder.is_none();
        let here = |place: usize| things[thing].been.last().is_none_or(|(p, _)| *p == place);
        match (rng.below(3), at[person]) {
            (0, Some((place, _))) if free && here(place) => {
                let verb = pick(rng, &["got", "took", "grabbed", "picked up"]);
                let fact =
                    script.say(&format!("{} {verb} the {} there.", PEOPLE[person], THINGS[thing]));
                things[thing].holder = Some(person);
                if things[thing].been.is_empty() {
                    things[thing].been.push((place, fact));
                }
            }
            (1, Some(_)) if things[thing].holder == Some(person) && rng.below(2) == 0 => {
                let verb = pick(rng, &["dropped", "discarded", "left", "put down"]);
                script.say(&format!("{} {verb} the {}.", PEOPLE[person], THINGS[thing]));
                things[thing].holder = None;
            }
            _ => {
                let place = match at[person] {
                    Some((now, _)) => (now + 1 + rng.below(5)) % 6,
                    None => rng.below(6),
                };
                let text =
                    format!("{} {} the {}.", PEOPLE[person], pick(rng, &MOVED), PLACES[place]);
                let fact = script.say(&text);
                at[person] = Some((place, fact));
                for thing in things.iter_mut().filter(|t| t.holder == Some(person)) {
                    thing.been.push((place, fact));
                }
            }
        }
        let often = if task == 3 { 6 } else { 3 };
        if turn % often == often - 1 && ask_things(task, rng, script, &things) {
            asked += 1;
        }
        if asked == 5 {
            break;
        }
    }
}

/// Asks about things or carriers if there is something to ask.
fn ask_things(task: usize, rng: &mut Rng, script: &mut Script, things: &[Thing]) -> bool {
    if task == 7 || task == 8 {
        let person = rng.below(4);
        let has = |t: &(usize, &Thing)| t.1.holder == Some(person);
        let carried: Vec<_> =
            things.iter().enumerate().filter(has).map(|(i, _)| THINGS[i]).collect();
        // Empty hands are most frequent: most of them are passed over.
        if carried.is_empty() && rng.below(4) > 0 {
            return false;
        }
        if task == 7 {
            let question = format!("How many objects is {} carrying?", PEOPLE[person]);
            script.ask(&question, COUNTS[carried.len()], &[]);
        } else {
            let answer = if carried.is_empty() { "nothing".into() } else { carried.join(",") };
            script.ask(&format!("What is {} carrying?", PEOPLE[person]), &answer, &[]);
        }
        return true;
    }
    let least = if task == 3 { 2 } else { 1 };
    let known: Vec<usize> = (0..things.len()).filter(|&t| things[t].been.len() >= least).collect();
    if known.is_empty() {
        return false;
    }
    let thing = known[rng.below(known.len())];
    let been = &things[thing].been;
    let (place, fact) = been[been.len() - 1];
    if task == 2 {
        script.ask(&format!("Where is the {}?", THINGS[thing]), PLACES[place], &[fact]);
    } else {
        let (before, earlier) = been[been.len() - 2];
        let question = format!("Where was the {} before the {}?", THINGS[thing], PLACES[place]);
        script.ask(&question, PLACES[before], &[fact, earlier]);
    }
    true
}

/// Task 5: who gave what to whom.
pub(super) fn giving(rng: &mut Rng, script: &mut Script) {
    const GIVERS: [&str; 4] = ["Fred", "Jeff", "Bill", "Mary"];
    for _ in 0..4 {
        if rng.below(2) == 0 {
            script.say(&format!("{} went to the {}.", pick(rng, &GIVERS), pick(rng, &PLACES)));
        }
        let a = rng.below(4);
        let (b, thing) = ((a + 1 + rng.below(3)) % 4, pick(rng, &THINGS));
        let (from, to) = (GIVERS[a], GIVERS[b]);
        let verb = pick(rng, &["gave", "passed", "handed"]);
        let fact = script.say(&format!("{from} {verb} the {thing} to {to}."));
        let (question, answer) = match rng.below(5) {
            0 => (format!("What did {from} give to {to}?"), thing),
            1 => (format!("Who gave the {thing} to {to}?"), from),
            2 => (format!("Who did {from} give the {thing} to?"), to),
            3 => (format!("Who gave the {thing}?"), from),
            _ => (format!("Who received the {thing}?"), to),
        };
        script.ask(&question, answer, &[fact]);
    }
}

/// Task 14: what was before, told out of order.
pub(super) fn times(rng: &mut Rng, script: &mut Script) {
    const TIMES: [&str; 4] = ["Yesterday", "This morning", "This afternoon", "This evening"];
    const TOWN: [&str; 6] = ["park", "school", "cinema", "office", "bedroom", "kitchen"];
    // For each of two people a place at each time; sentences in any order.
    let people = shuffled(rng, 4);
    let way: Vec<Vec<usize>> = (0..2).map(|_| shuffled(rng, TOWN.len())).collect();
    let mut facts = [[0; 4]; 2];
    for event in shuffled(rng, 8) {
        let (who, when) = (event / 4, event % 4);
        let verb = pick(rng, &MOVED);
        let (name, place) = (PEOPLE[people[who]], TOWN[way[who][when]]);
        facts[who][when] = script.say(&format!("{} {name} {verb} the {place}.", TIMES[when]));
    }
    for _ in 0..3 {
        let (who, when) = (rng.below(2), 1 + rng.below(3));
        let (name, place) = (PEOPLE[people[who]], TOWN[way[who][when]]);
        let question = format!("Where was {name} before the {place}?");
        let support = [facts[who][when - 1], facts[who][when]];
        script.ask(&question, TOWN[way[who][when - 1]], &support);
    }
}
