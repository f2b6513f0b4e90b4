//! Fathom as a page: what a worker of the page asks of the library, and what it is told.
//!
//! A question is a line of JSON, and so is its answer. The stack that answers may be suspended while the browser works
//! (`fathom::host`), so the worker calls [`answer`] through `WebAssembly.promising`. Such a call can neither take nor give
//! anything but numbers: the question is put before it and the answer fetched after it.

#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

mod adapter;
mod bench;
mod message;
mod show;

use bench::Bench;
use message::{Answer, Question};

#[wasm_bindgen(raw_module = "./outside.js")]
extern "C" {
    /// Tells the page how far a run is, as JSON.
    fn progress(news: &str);
    /// Tells the page that the program has ended in a bug, and where.
    fn failed(why: &str);
}

thread_local! {
    static QUESTION: RefCell<String> = const { RefCell::new(String::new()) };
    static ANSWER: RefCell<String> = const { RefCell::new(String::new()) };
    static BENCH: RefCell<Bench> = RefCell::new(Bench::default());
}

/// Has a panic told to the page before the program ends.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| failed(&panic.to_string())));
}

/// Puts a question.
#[wasm_bindgen]
pub fn ask(question: String) {
    QUESTION.with(|slot| slot.replace(question));
}

/// Answers it, which may take long.
#[wasm_bindgen]
pub fn answer() {
    let question = QUESTION.with(RefCell::take);
    let answer = match serde_json::from_str::<Question>(&question) {
        Ok(question) => BENCH.with(|bench| bench.borrow_mut().answer(question)),
        Err(error) => Answer::Failed { why: error.to_string(), lost: false },
    };
    let text = serde_json::to_string(&answer).unwrap_or_default();
    ANSWER.with(|slot| slot.replace(text));
}

/// The presets whose reference, a record that scores are measured against, lies beside the page.
#[wasm_bindgen]
pub fn references() -> Vec<String> {
    fathom::score::PRESETS.iter().map(|preset| (*preset).to_string()).collect()
}

/// Gives the reference of a preset.
#[wasm_bindgen]
pub fn give_reference(preset: String, text: String) {
    fathom::score::give(preset, text);
}

/// What the answer was.
#[wasm_bindgen]
pub fn answered() -> String {
    ANSWER.with(RefCell::take)
}
