//! How a peer that is written in Rust takes its turns: as `turn` of `serve.py`, and answered as `compiled.py` reads them.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;

/// Steps that are timed together take at least this long, and are no more than these: as in `serve.py`.
const CHUNK: Duration = Duration::from_millis(20);
const MOST_STEPS: u32 = 256;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub trait Timed {
    /// Runs `count` steps to their end.
    fn span(&mut self, count: u32) -> Result<Duration>;
}

/// Steps for about that long, after a tenth of it unmeasured.
fn turn(step: &mut impl Timed, seconds: f64) -> Result<serde_json::Value> {
    let begun = Instant::now();
    let mut least = step.span(1)?;
    while begun.elapsed().as_secs_f64() < seconds / 10.0 {
        least = least.min(step.span(1)?);
    }
    let count = (CHUNK.as_secs_f64() / least.as_secs_f64()).round().clamp(1.0, MOST_STEPS.into());
    let (begun, computed) = (Instant::now(), ProcessTime::now());
    let mut took = Vec::new();
    while took.is_empty() || begun.elapsed().as_secs_f64() < seconds {
        took.push(step.span(count as u32)?.as_secs_f64() * 1e9 / count);
    }
    let computed = computed.elapsed().as_secs_f64() * 1e9 / count / took.len() as f64;
    Ok(serde_json::json!({
        "time_s": seconds, "steps_per_submit": count as u32, "step_ns": took, "wall_ns": took, "cpu_ns": computed,
    }))
}

/// Says what was prepared, or why nothing was; then a turn for each line of standard input, of as many seconds as it says.
pub fn serve<S: Timed>(prepared: Result<(S, serde_json::Value)>) -> Result<()> {
    let answer = |value: serde_json::Value| {
        println!("{value}");
        std::io::stdout().flush()
    };
    let (mut step, about) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            answer(serde_json::json!({ "error": why.to_string() }))?;
            return Err(why);
        }
    };
    answer(about)?;
    for line in std::io::stdin().lines() {
        answer(turn(&mut step, line?.trim().parse()?)?)?;
    }
    Ok(())
}
