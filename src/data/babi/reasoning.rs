//! Tasks about relations and conclusions: 4 and 15 to 20.

use crate::random::Rng;

use super::script::{Script, pick, shuffled};

const ROOMS: [&str; 6] = ["bathroom", "hallway", "garden", "office", "bedroom", "kitchen"];
/// Directions, opposites two apart, with their steps east and north.
const DIRECTIONS: [(&str, &str, [i32; 2]); 4] = [
    ("north", "n", [0, 1]),
    ("east", "e", [1, 0]),
    ("south", "s", [0, -1]),
    ("west", "w", [-1, 0]),
];

/// Task 4: A is north of B, B of C.
pub(super) fn two_arguments(rng: &mut Rng, script: &mut Script) {
    let rooms = shuffled(rng, ROOMS.len());
    let [a, b, c] = [0, 1, 2].map(|i| ROOMS[rooms[i]]);
    let direction = DIRECTIONS[rng.below(4)].0;
    let facts = if rng.below(2) == 0 {
        let first = script.say(&format!("The {a} is {direction} of the {b}."));
        [first, script.say(&format!("The {b} is {direction} of the {c}."))]
    } else {
        let second = script.say(&format!("The {b} is {direction} of the {c}."));
        [script.say(&format!("The {a} is {direction} of the {b}.")), second]
    };
    if rng.below(2) == 0 {
        script.ask(&format!("What is {direction} of the {b}?"), a, &facts[..1]);
    } else {
        script.ask(&format!("What is the {b} {direction} of?"), c, &facts[1..]);
    }
}

/// Task 15: what an animal's kind is afraid of.
pub(super) fn deduction(rng: &mut Rng, script: &mut Script) {
    const KINDS: [(&str, &str); 4] =
        [("mouse", "mice"), ("cat", "cats"), ("wolf", "wolves"), ("sheep", "sheep")];
    const NAMES: [&str; 4] = ["Gertrude", "Winona", "Emily", "Jessica"];
    let order = shuffled(rng, 4);
    let mut fears = [0; 4];
    let mut facts = [0; 4];
    for &kind in &order {
        let feared = (kind + 1 + rng.below(3)) % 4;
        fears[kind] = feared;
        let (many, others) = (KINDS[kind].1, KINDS[feared].1);
        let mut text = format!("{many} are afraid of {others}.");
        text[..1].make_ascii_uppercase();
        facts[kind] = script.say(&text);
    }
    let kinds: Vec<usize> = (0..4).map(|_| rng.below(4)).collect();
    let named: Vec<usize> =
        (0..4).map(|i| script.say(&format!("{} is a {}.", NAMES[i], KINDS[kinds[i]].0))).collect();
    for i in shuffled(rng, 4) {
        let feared = KINDS[fears[kinds[i]]].0;
        let support = [named[i], facts[kinds[i]]];
        script.ask(&format!("What is {} afraid of?", NAMES[i]), feared, &support);
    }
}

/// Task 16: an animal's colour from another of its kind.
pub(super) fn induction(rng: &mut Rng, script: &mut Script) {
    const NAMES: [&str; 5] = ["Lily", "Bernhard", "Greg", "Julius", "Brian"];
    const KINDS: [&str; 4] = ["swan", "frog", "lion", "rhino"];
    const COLOURS: [&str; 4] = ["white", "green", "yellow", "gray"];
    let (names, colours) = (shuffled(rng, 5), shuffled(rng, 4));
    // The last one's colour is left out; one of the first two is of its kind.
    let kinds = shuffled(rng, 4);
    let asked = rng.below(2);
    let mut support = Vec::new();
    for i in 0..4 {
        let fact = script.say(&format!("{} is a {}.", NAMES[names[i]], KINDS[kinds[i]]));
        let colour = script.say(&format!("{} is {}.", NAMES[names[i]], COLOURS[colours[i]]));
        if i == asked {
            support = vec![fact, colour];
        }
    }
    support.push(script.say(&format!("{} is a {}.", NAMES[names[4]], KINDS[kinds[asked]])));
    let question = format!("What color is {}?", NAMES[names[4]]);
    script.ask(&question, COLOURS[colours[asked]], &support);
}

/// Task 17: where shapes lie to each other.
pub(super) fn positions(rng: &mut Rng, script: &mut Script) {
    const SHAPES: [&str; 6] =
        ["triangle", "pink rectangle", "blue square", "red sphere", "yellow square", "red square"];
    const RELATIONS: [(&str, [i32; 2]); 4] = [
        ("above", [0, 1]),
        ("to the right of", [1, 0]),
        ("below", [0, -1]),
        ("to the left of", [-1, 0]),
    ];
    let shapes = shuffled(rng, SHAPES.len());
    let names = [0, 1, 2].map(|i| SHAPES[shapes[i]]);
    // The middle one lies at the origin, the others on different sides of it.
    let mut places = [[0; 2]; 3];
    let mut facts = Vec::new();
    let sides = shuffled(rng, 4);
    for other in [0, 2] {
        let (relation, step) = RELATIONS[sides[other]];
        places[other] = step;
        facts.push(script.say(&format!("The {} is {relation} the {}.", names[other], names[1])));
    }
    let mut asked = 0;
    while asked < 4 {
        let (relation, step) = RELATIONS[rng.below(4)];
        let (a, b) = if rng.below(2) == 0 { (0, 2) } else { (2, 0) };
        let distance = [0, 1].map(|axis| places[a][axis] - places[b][axis]);
        let along = distance[0] * step[0] + distance[1] * step[1];
        // What lies on neither side is not asked.
        if along != 0 {
            asked += 1;
            let answer = if along > 0 { "yes" } else { "no" };
            script.ask(
                &format!("Is the {} {relation} the {}?", names[a], names[b]),
                answer,
                &facts,
            );
        }
    }
}

/// Task 18: what fits into what.
pub(super) fn sizes(rng: &mut Rng, script: &mut Script) {
    const ALL: [&str; 6] =
        ["chocolate", "box of chocolates", "chest", "box", "suitcase", "container"];
    let order = shuffled(rng, ALL.len());
    let chain: Vec<&str> = order[..5].iter().map(|&i| ALL[i]).collect();
    let mut facts = [0; 4];
    for at in shuffled(rng, 4) {
        let (small, large) = (chain[at], chain[at + 1]);
        facts[at] = if rng.below(2) == 0 {
            script.say(&format!("The {small} fits inside the {large}."))
        } else {
            script.say(&format!("The {large} is bigger than the {small}."))
        };
    }
    for _ in 0..3 {
        let a = rng.below(5);
        let b = (a + 1 + rng.below(4)) % 5;
        let support = &facts[a.min(b)..a.max(b)];
        let fits = rng.below(2) == 0;
        let question = if fits {
            format!("Does the {} fit in the {}?", chain[a], chain[b])
        } else {
            format!("Is the {} bigger than the {}?", chain[a], chain[b])
        };
        script.ask(&question, if fits == (a < b) { "yes" } else { "no" }, support);
    }
}

/// Task 19: two steps from room to room.
pub(super) fn paths(rng: &mut Rng, script: &mut Script) {
    let rooms = shuffled(rng, ROOMS.len());
    // Five rooms on a grid, each beside one before it.
    let mut places = vec![[0, 0]];
    let mut links = Vec::new();
    while places.len() < 5 {
        let from = rng.below(places.len());
        let direction = rng.below(4);
        let step = DIRECTIONS[direction].2;
        let place = [places[from][0] + step[0], places[from][1] + step[1]];
        if !places.contains(&place) {
            links.push((from, places.len(), direction));
            places.push(place);
        }
    }
    let mut facts = vec![0; links.len()];
    for at in shuffled(rng, links.len()) {
        // Told from either end.
        let (from, to, direction) = if rng.below(2) == 0 { links[at] } else { back(links[at]) };
        let (here, there) = (ROOMS[rooms[from]], ROOMS[rooms[to]]);
        let direction = DIRECTIONS[direction].0;
        facts[at] = script.say(&format!("The {there} is {direction} of the {here}."));
    }
    // Each link can be walked both ways.
    let walks = links.iter().enumerate().flat_map(|(at, &link)| [(link, at), (back(link), at)]);
    let walks: Vec<_> = walks.collect();
    let mut ways = Vec::new();
    for start in 0..5 {
        for ((_, middle, first), a) in walks.iter().filter(|((from, ..), _)| *from == start) {
            for ((_, end, second), b) in walks.iter().filter(|((from, ..), _)| from == middle) {
                if *end != start {
                    ways.push((start, *end, *first, *second, [*a, *b]));
                }
            }
        }
    }
    let (start, end, first, second, used) = ways[rng.below(ways.len())];
    let question =
        format!("How do you go from the {} to the {}?", ROOMS[rooms[start]], ROOMS[rooms[end]]);
    let answer = format!("{},{}", DIRECTIONS[first].1, DIRECTIONS[second].1);
    script.ask(&question, &answer, &used.map(|link| facts[link]));
}

/// A link from room to room, seen from its other end.
fn back((from, to, direction): (usize, usize, usize)) -> (usize, usize, usize) {
    (to, from, (direction + 2) % 4)
}

/// Task 20: why people go where they go.
pub(super) fn motivations(rng: &mut Rng, script: &mut Script) {
    const PEOPLE: [&str; 4] = ["John", "Sumit", "Jason", "Antoine"];
    const NEEDS: [(&str, &str, &str); 4] = [
        ("hungry", "kitchen", "apple"),
        ("thirsty", "kitchen", "milk"),
        ("tired", "bedroom", "pajamas"),
        ("bored", "garden", "football"),
    ];
    for person in shuffled(rng, 4) {
        let name = PEOPLE[person];
        let (need, place, thing) = NEEDS[rng.below(4)];
        let fact = script.say(&format!("{name} is {need}."));
        script.ask(&format!("Where will {name} go?"), place, &[fact]);
        let verb = pick(rng, &["went to", "moved to", "travelled to"]);
        let went = script.say(&format!("{name} {verb} the {place}."));
        script.ask(&format!("Why did {name} go to the {place}?"), need, &[fact, went]);
        let got = script.say(&format!("{name} got the {thing} there."));
        script.ask(&format!("Why did {name} get the {thing}?"), need, &[fact, got]);
    }
}
