//! Whole models: every op of a step against its reference, snapshots against an independent framework,
//! the same bits twice, and training that learns.

use std::path::PathBuf;
use std::sync::OnceLock;

use fathom::gpu::{Checks, Gpu, Selector};
use fathom::program::check::Verdict;
use fathom::program::{Options, Outline, Program, State};
use fathom::snapshot::{Request, Snapshot, take};
use fathom::train::Trainer;
use fathom::workload::{self, Mode, Preset, Source, Split, WORKLOADS, Workload, step};

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| {
        let device = std::env::var("FATHOM_TEST_DEVICE").ok();
        let selector = Selector {
            device,
            backend: None,
        };
        Gpu::open(&selector, Checks::Off).unwrap()
    })
}

fn source(seed: u64) -> Source {
    Source {
        seed,
        ..Source::default()
    }
}

fn tiny(name: &str, batch: Option<usize>) -> Box<dyn Workload> {
    (workload::find(name).unwrap().configure)(Preset::Tiny, batch)
}

/// Every op of a real step against its f64 reference on the values the device really had, fused and not,
/// at awkward batches.
#[test]
fn every_op_of_every_step_agrees_with_its_reference() {
    for entry in WORKLOADS {
        for (mode, batch, fuse) in [
            (Mode::Train, None, true),
            (Mode::Train, Some(1), false),
            (Mode::Infer, Some(7), true),
        ] {
            let model = tiny(entry.name, batch);
            let nodes = step::nodes(model.as_ref(), mode, &gpu().caps, false).unwrap();
            let options = Options {
                fuse,
                ..Options::default()
            };
            let mut state = State::new(3);
            let outline = Outline::new(&gpu().caps, &nodes, &options).unwrap();
            let program = Program::new(gpu(), outline, &mut state).unwrap();
            let batch = model
                .data(&source(3))
                .unwrap()
                .batch(Split::Train, 0)
                .unwrap();
            for (name, value) in &batch {
                if program.outline.inputs().iter().any(|(n, _)| n == name) {
                    program.write(gpu(), name, value).unwrap();
                }
            }
            let verdicts = program.check(gpu()).unwrap();
            let wrong: Vec<&Verdict> = verdicts.iter().filter(|v| !v.passed()).collect();
            assert!(wrong.is_empty(), "{} {mode} {fuse}: {wrong:#?}", entry.name);
        }
    }
}

fn snapshot(name: &str, mode: Mode, seed: u64, skip: u64) -> Snapshot {
    let entry = workload::find(name).unwrap();
    let request = Request {
        workload: entry.name,
        preset: Preset::Tiny,
        mode,
        source: source(seed),
        skip,
    };
    take(gpu(), tiny(name, Some(2)).as_ref(), &request).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    for entry in WORKLOADS {
        let first = snapshot(entry.name, Mode::Train, 5, 3);
        let second = snapshot(entry.name, Mode::Train, 5, 3);
        assert_eq!(first.tensors.len(), second.tensors.len());
        for ((name, a), (_, b)) in first.tensors.iter().zip(&second.tensors) {
            assert_eq!(a.to_bytes(), b.to_bytes(), "{} {name}", entry.name);
        }
        let other = snapshot(entry.name, Mode::Train, 6, 3);
        let loss = |s: &Snapshot| s.get("output/loss").unwrap().data[0];
        assert!(
            loss(&first).to_bits() != loss(&other).to_bits(),
            "{}",
            entry.name
        );
    }
}

/// The goldens: a snapshot of ours whose outputs, loss, gradients and updated parameters were then
/// replaced by what `peers/pytorch` computes in f64 from its parameters, inputs and draws.
#[test]
fn steps_agree_with_the_golden_snapshots() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/golden");
    let mut checked = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let golden = Snapshot::load(&path).unwrap();
        let text = |key: &str| golden.config[key].as_str().unwrap().to_string();
        let number = |key: &str| golden.config[key].as_u64().unwrap();
        let entry = workload::find(&text("workload")).unwrap();
        let mut model = tiny(entry.name, Some(number("batch") as usize));
        for (name, value) in golden.config.as_object().unwrap() {
            if let Some(value) = value.as_u64() {
                model.set(name, value as usize);
            }
        }
        let request = Request {
            workload: entry.name,
            preset: Preset::Tiny,
            mode: if text("mode") == "train" {
                Mode::Train
            } else {
                Mode::Infer
            },
            source: source(number("seed")),
            skip: number("skip"),
        };
        let ours = take(gpu(), model.as_ref(), &request).unwrap();
        for (name, wanted) in &golden.tensors {
            let got = ours
                .get(name)
                .unwrap_or_else(|| panic!("{}: no {name}", path.display()));
            let scale = wanted.data.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            let worst = got
                .data
                .iter()
                .zip(&wanted.data)
                .fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            assert!(
                worst <= 1e-4 * scale,
                "{}: {name}: {worst} of {scale}",
                path.display()
            );
        }
        checked += 1;
    }
    assert!(
        checked >= 4,
        "only {checked} goldens in {}",
        folder.display()
    );
}

fn train(name: &str, steps: u64) -> (Vec<f64>, f64, f64) {
    let model = tiny(name, None);
    let mut trainer = Trainer::new(gpu(), model.as_ref(), &source(1)).unwrap();
    let untrained = trainer.evaluate().unwrap();
    let losses = (0..steps).map(|_| trainer.step().unwrap()).collect();
    (losses, untrained, trainer.evaluate().unwrap())
}

#[test]
fn autoenc_learns() {
    let (losses, untrained, trained) = train("autoenc", 200);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..5]), mean(&losses[190..]));
    assert!(last < first * 2.0 / 3.0, "loss {first} -> {last}");
    assert!(
        trained < untrained * 2.0 / 3.0,
        "held-out {untrained} -> {trained}"
    );
}

/// The bound is half the labels; 1,000 steps were seen to reach about 32 %.
#[test]
fn speech_learns_phones_of_speakers_it_never_heard() {
    let (losses, untrained, trained) = train("speech", 1000);
    assert!(untrained > 90.0, "untrained: {untrained} %");
    assert!(
        trained < 50.0,
        "phone error rate {trained} % after a last loss of {:?}",
        losses.last()
    );
}
