//! Devices with less than ours: plans within the limits of WebGPU, tensors in parts, parameters in several buffers.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use fathom::error::Error;
use fathom::gpu::Gpu;
use fathom::graph::by_rows::Joined;
use fathom::graph::group::numbered;
use fathom::graph::op::{Distribution, Op, Sampler};
use fathom::graph::{Builder, Init, NodeKind, PARAMETERS, ValueId};
use fathom::kernel::Caps;
use fathom::listing::model::program;
use fathom::measure::flight::Fed;
use fathom::measure::restart::Restart;
use fathom::measure::run::measure;
use fathom::op::LIST;
use fathom::op::conv2d::WINOGRAD;
use fathom::op::matmul::MatMul;
use fathom::pass::choose::Choice;
use fathom::pass::{OpInstance, Options, Schedule, compile};
use fathom::program::check::check_variant;
use fathom::report::Format;
use fathom::session::{Session, schedule};
use fathom::tensor::{Array, DType, HostTensor, TensorSpec};
use fathom::terms::{Feature, LimitSet, Mode, Preset, Restriction, Speeds};
use fathom::workload::{self, DataSource, Split, WORKLOADS, Workload, step};

mod common;
#[path = "common/hasty.rs"]
mod hasty;

fn plan(model: &dyn Workload, mode: Mode, caps: &Caps) -> Schedule {
    schedule(model, mode, caps, &Options::default()).unwrap()
}

fn model(name: &str, preset: Preset, batch: Option<usize>) -> Box<dyn Workload> {
    (workload::find(name).unwrap().configure)(preset, batch)
}

/// Asserts that a device that allows no more than `caps` takes a schedule.
fn assert_within(what: &str, schedule: &Schedule, caps: &Caps) {
    for buffer in &schedule.memory.buffers {
        assert!(buffer.bytes <= caps.max_buffer, "{what}: {buffer:?}");
    }
    for op in &schedule.ops {
        for dispatch in &op.lowered.dispatches {
            let label = format!("{what}: {}", op.label);
            assert!(dispatch.bindings.len() <= caps.max_bindings as usize, "{label}");
            assert!(
                dispatch.grid.iter().all(|&n| (1..=caps.max_workgroups).contains(&n)),
                "{label}"
            );
            for binding in &dispatch.bindings {
                let (place, bytes) = schedule.extent(op, binding).unwrap();
                assert!(bytes <= caps.max_binding, "{label}: {bytes} bytes of {}", binding.name);
                assert_eq!(place.offset % 256, 0, "{label}: {}", binding.name);
                let end = place.offset + bytes;
                assert!(end <= schedule.memory.buffers[place.buffer].bytes, "{label}");
            }
        }
    }
    schedule.fits(caps).unwrap();
}

#[test]
fn every_full_model_keeps_to_the_limits_of_webgpu() {
    let caps = [Caps::portable(), Caps { software: true, ..Caps::portable() }];
    for info in WORKLOADS {
        for mode in Mode::ALL {
            for caps in &caps {
                let model = (info.configure)(Preset::Full, None);
                let schedule = plan(model.as_ref(), mode, caps);
                assert_within(&format!("{} {mode}", info.name), &schedule, caps);
            }
        }
    }
}

/// Where a batch is so large that it would not fit, more of it is cut, as far as its ops can be.
#[test]
fn larger_batches_are_cut_into_more_parts() {
    let caps = Caps::portable();
    for (name, mode, batch) in [
        ("speech", Mode::Train, 61),
        ("speech", Mode::Infer, 80),
        ("vgg", Mode::Infer, 64),
        ("vgg", Mode::Train, 33),
    ] {
        let whole = model(name, Preset::Full, None);
        let schedule = plan(model(name, Preset::Full, Some(batch)).as_ref(), mode, &caps);
        assert_within(&format!("{name} {mode} {batch}"), &schedule, &caps);
        assert!(schedule.ops.len() > plan(whole.as_ref(), mode, &caps).ops.len(), "{name} {mode}");
    }
}

#[test]
fn what_cannot_be_cut_is_named_with_its_tensor_and_the_limit() {
    // Batch norm is over the whole batch.
    let schedule =
        plan(model("residual", Preset::Full, Some(128)).as_ref(), Mode::Train, &Caps::portable());
    let error = schedule.fits(&Caps::portable()).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory(_)), "{error}");
    let text = error.to_string();
    for part in ["f32[128, 112, 112, 64]", "392.0 MiB", "128.0 MiB (134217728 bytes)"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

/// Each op's label, dispatches, shapes and work.
fn listing(schedule: &Schedule) -> String {
    program(schedule).render(Format::Csv).unwrap()
}

#[test]
fn devices_with_room_run_what_they_ran() {
    let [roomy, endless] = [2 << 30, 1 << 40].map(|max_binding| Caps {
        max_binding,
        max_buffer: max_binding,
        ..Caps::portable()
    });
    for info in WORKLOADS {
        for mode in Mode::ALL {
            let of = |caps| plan((info.configure)(Preset::Full, None).as_ref(), mode, caps);
            let (schedule, wanted) = (of(&roomy), of(&endless));
            assert_eq!(listing(&schedule), listing(&wanted), "{} {mode}", info.name);
            let groups = &schedule.graph.groups;
            assert!(groups.iter().all(|group| group.name == group.set), "{}: {mode}", info.name);
        }
    }
}

/// Verification's smaller problems take the same code, two ranges included.
#[test]
fn what_stands_for_a_long_weight_is_bound_as_two_ranges_too() {
    let caps = Caps::portable();
    let schedule = plan(model("alexnet", Preset::Full, None).as_ref(), Mode::Train, &caps);
    let second = |ops: &[OpInstance]| {
        let dispatches = ops.iter().flat_map(|op| &op.lowered.dispatches);
        let bindings = dispatches.flat_map(|dispatch| &dispatch.bindings);
        bindings.filter(|binding| ["b1", "x1", "c1"].contains(&binding.name)).count()
    };
    let long: Vec<_> = schedule.ops.iter().filter(|op| second(&[(*op).clone()]) > 0).collect();
    assert_eq!(long.len(), 3, "fc6 forward and both gradients");
    for op in long {
        let alone = op.alone(&op.variant, &caps).unwrap();
        assert_eq!(second(&alone.ops), 1, "{}", op.label);
    }
}

/// A binding may be little more than half of an operand: every way to read and store one, vec4s and single values.
#[test]
fn products_bind_a_weight_as_two_ranges() {
    let gpu = common::gpu("ranges").unwrap();
    let product =
        |transpose_a, transpose_b| MatMul { transpose_a, transpose_b, ..MatMul::default() };
    let f32 = |dims: [usize; 2]| TensorSpec::f32(dims);
    // Kernels are slow to compile: `sliced` and `register` read and store as `tile` does.
    let (mut left, mut failed) = (HashSet::from(["tile", "split_k", "vector"]), Vec::new());
    for (rows, k, n) in [(36, 132, 260), (9, 131, 257), (3, 200, 300)] {
        let cases = [
            (product(false, false), [f32([rows, k]), f32([k, n])]),
            (product(false, true), [f32([rows, k]), f32([n, k])]),
            (product(true, false), [f32([rows, k]), f32([rows, n])]),
        ];
        for (op, inputs) in cases {
            let max_binding = (4 * k * n).div_ceil(2).next_multiple_of(256) as u64 + 256;
            let limited = Caps { max_binding, ..gpu.caps.clone() };
            let of_gpus = Caps { software: false, speeds: Speeds::GPU, ..limited.clone() };
            let forward = !op.transpose_a && !op.transpose_b;
            let op: Arc<dyn Op> = Arc::new(op);
            let problem = op.problem(&inputs).unwrap();
            for name in ["tile", "subgroup", "split_k", "vector"] {
                let mut variants =
                    [&limited, &of_gpus].into_iter().flat_map(|caps| problem.variants(caps));
                let variant = variants.find(|variant| variant.name == name);
                let Some(variant) = variant.filter(|_| forward || name != "split_k") else {
                    continue;
                };
                let lowered = problem.lower(&variant, &limited);
                let bound = lowered.dispatches.iter().flat_map(|dispatch| &dispatch.bindings);
                let second = bound.filter(|binding| ["b1", "x1", "c1"].contains(&binding.name));
                assert_eq!(second.count(), 1, "{variant}");
                let uniform = [Distribution::Uniform];
                let verdicts = check_variant(gpu, &limited, &op, &inputs, &[], &variant, &uniform);
                let wrong = verdicts.unwrap().into_iter().filter(|verdict| !verdict.passed());
                failed.extend(wrong.map(|verdict| format!("{variant} {inputs:?}: {verdict:?}")));
                left.remove(name);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(left.is_empty(), "not checked: {left:?}");
}

fn assert_close(what: &str, got: &[f64], wanted: &[f64]) {
    let scale = wanted.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    assert_eq!(got.len(), wanted.len(), "{what}");
    for (got, wanted) in got.iter().zip(wanted) {
        assert!((got - wanted).abs() <= 1e-4 * scale, "{what}: {got} and {wanted}");
    }
}

/// The gradients of a whole step by the f64 references, by the parameters' names, and its loss.
fn wanted(
    model: &dyn Workload,
    session: &Session<'_>,
    batch: &[(&str, HostTensor)],
) -> (f64, HashMap<String, Vec<f64>>) {
    let graph = step::graph(model, Mode::Train, &Caps::portable(), false).unwrap();
    let values = graph.evaluate(&|name| match batch.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => value.array(),
        None => session.value(name).unwrap_or_else(|_| Array::f32([1], vec![0.0])),
    });
    let parameters = graph.nodes.iter().filter_map(|node| match node.kind {
        NodeKind::Member { group, member, .. } => Some(&graph.groups[group].members[member].name),
        _ => None,
    });
    let flat = graph.nodes.iter().find(|node| matches!(node.kind, NodeKind::Flat { .. })).unwrap();
    let value = |id: &ValueId| values[id.0].clone().unwrap().data;
    let gradients = parameters.cloned().zip(flat.inputs.iter().map(value)).collect();
    let loss = graph.outputs.iter().find(|(name, _)| name == step::LOSS).unwrap();
    (value(&loss.1)[0], gradients)
}

/// Dropout, a recurrence, sums over the batch, gradients and state in several buffers: loss and gradients are those of
/// the whole step.
#[test]
fn a_step_in_parts_and_in_several_buffers_is_the_whole_step() {
    let mut model = model("speech", Preset::Tiny, None);
    assert!(model.set("hidden", 144) && model.set("time", 64));
    // Values of 4 x 64 x 144 are longer than a binding, inputs and weights are not.
    let (max_binding, max_buffer) = (140 << 10, 140 << 10);
    let gpu = common::gpu("speech").unwrap();
    let caps = Caps { max_binding, max_buffer, ..gpu.caps.clone() };
    // Kernels that a driver compiles fast: what is tested is what lies between them.
    let forced = ["matmul/naive", "recurrent/register", "recurrent_grad/register"];
    let choice = Choice { forced: forced.map(String::from).into(), ..Choice::default() };
    let options = Options { choice, ..Options::default() };
    let schedule = schedule(model.as_ref(), Mode::Train, &caps, &options).unwrap();
    assert_within("speech", &schedule, &caps);
    let mut session = Session::new(gpu, 3);
    let program = session.build(schedule).unwrap();
    let source = DataSource { seed: 3, ..DataSource::default() };
    let batch = model.samples(&source).unwrap().batch(Split::Train, 0).unwrap().tensors();
    let (wanted_loss, wanted) = wanted(model.as_ref(), &session, &batch);
    session.feed(&program, &batch).unwrap();
    session.run(&program, 1).unwrap();
    assert_close("loss", &session.output(&program, step::LOSS).unwrap().data, &[wanted_loss]);
    let groups = program.schedule.graph.groups.iter().filter(|group| group.set == PARAMETERS);
    assert!(groups.clone().count() > 3, "parameters in {} buffers", groups.count());
    let norm = wanted.values().flatten().map(|x| x * x).sum::<f64>().sqrt();
    let clip = (f64::from(model.optimizer().clip.unwrap()) / norm).min(1.0);
    let mut compared = 0;
    for (at, group) in groups.enumerate() {
        // After the first step the velocity is the clipped gradient.
        let velocity = session.value(&numbered("velocity", at)).unwrap();
        for (member, offset) in group.members.iter().zip(group.layout().offsets) {
            let wanted = wanted[&member.name][member.first()..][..member.len()].iter();
            let wanted: Vec<f64> = wanted.map(|gradient| clip * gradient).collect();
            assert_close(&member.name, &velocity.data[offset..][..member.len()], &wanted);
            compared += member.len();
        }
    }
    assert_eq!(compared, program.schedule.parameters());
}

/// A weight that begins in one buffer and ends in the next starts as one that lies in one, and is read and written as
/// one.
#[test]
fn a_weight_over_several_buffers_is_one_value() {
    let gpu = common::gpu("groups").unwrap();
    let value = |max_buffer: u64| {
        let caps = Caps { max_binding: 64 << 10, max_buffer, ..gpu.caps.clone() };
        let g = Builder::new().for_device(&caps);
        let parts = g.weight_rows("weight", [640, 64], 128, Init::Normal { std: 1.0 });
        let sum = parts.into_iter().map(|part| part.sum_all()).reduce(|a, b| a + b);
        g.output("sum", sum.unwrap());
        let graph = g.finish().unwrap();
        let groups = graph.groups.len();
        let mut session = Session::new(gpu, 7);
        let schedule = compile(graph, &caps, &Options::default()).unwrap();
        let program = session.build(schedule).unwrap();
        session.run(&program, 1).unwrap();
        let sum = session.output(&program, "sum").unwrap().data[0];
        let start = session.value("weight").unwrap();
        let other = Array::f32([640, 64], (0..640 * 64).map(f64::from).collect());
        session.state().write(gpu, "weight", &other).unwrap();
        assert_eq!(session.value("weight").unwrap().data, other.data);
        (groups, sum, start)
    };
    let ((one, sum, start), (several, sum_of_several, start_of_several)) =
        (value(1 << 20), value(64 << 10));
    assert_eq!((one, several), (1, 3));
    assert_eq!(start.data, start_of_several.data);
    assert_eq!(sum, sum_of_several);
    assert_eq!((numbered("param", 0), numbered("param", 2)), ("param".into(), "param.3".into()));
}

#[test]
fn a_restricted_device_has_just_what_is_left() {
    let open = |restriction| common::open(restriction).unwrap();
    let web = open(Restriction::new(LimitSet::WebGpu, &[]));
    // These are the device's own, whatever is left of it.
    let Caps { software, llvmpipe, timestamps, f16, speeds, .. } = web.caps;
    assert_eq!(web.caps, Caps { software, llvmpipe, timestamps, f16, speeds, ..Caps::portable() });
    assert!(!web.timestamps_in_passes);
    let whole = common::gpu("restricted").unwrap();
    for feature in Feature::ALL {
        let restriction = Restriction::new(LimitSet::Device, &[feature]);
        let gpu = open(restriction.clone());
        assert_eq!(gpu.caps, whole.caps.clone().restricted(&restriction), "{feature}");
        assert!(!(gpu.caps.f16 && restriction.lacks(Feature::F16)), "{feature}");
        let inside = gpu.timestamps_in_passes;
        assert!(!(inside && restriction.lacks(Feature::TimestampsInsidePasses)), "{feature}");
    }
}

/// Where a binding shows a few tiles of a layer, chunk after chunk of them takes the same scratch.
#[test]
fn tiles_of_a_convolution_in_chunks_are_the_whole() {
    let gpu = common::gpu("chunks").unwrap();
    let layers = [
        ("b3_h9_w11_c20_r3_s3_n36", 128 << 10),
        ("b2_h3_w7_c6_r3_s3_n10", 5 << 10),
        ("b2_h9_w7_c8_r5_s5_n16", 16 << 10),
    ];
    let mut chunked = 0;
    for (layer, max_binding) in layers {
        let caps = Caps { max_binding, ..gpu.caps.clone() };
        let cases = LIST.iter().flat_map(|family| family.cases());
        for case in cases.filter(|case| case.name.contains(layer)) {
            let problem = case.problem();
            let mut sizes = HashSet::new();
            let variants = problem.variants(&caps).into_iter().filter(|v| v.name == WINOGRAD);
            for variant in variants.filter(|variant| sizes.insert(variant.consts[0])) {
                let dispatches = problem.lower(&variant, &caps).dispatches.len();
                assert!(dispatches >= 3 * 2, "{}: {dispatches} dispatches", case.name);
                let uniform = [Distribution::Uniform];
                let verdicts =
                    check_variant(gpu, &caps, &case.op, &case.inputs, &[], &variant, &uniform)
                        .unwrap();
                assert!(verdicts[0].passed(), "{}: {}", case.name, verdicts[0].detail);
                chunked += 1;
            }
        }
    }
    assert_eq!(
        chunked,
        (2 + 2 + 1) * 4 + 2 + 1,
        "two sizes of tiles for two layers, one for filters of 5 x 5: the convolution and its gradients, that in w with a bias's as well, \
         and of the first and the last both gradients together"
    );
}

/// Every op that says it can be computed by rows, on each of its cases: the parts joined are the whole.
#[test]
fn parts_of_an_op_joined_are_the_whole() {
    let mut kinds = HashSet::new();
    for case in LIST.iter().flat_map(|family| family.cases()) {
        let Some(by_rows) = case.op.by_rows(&case.inputs) else { continue };
        let largest = case.inputs.iter().map(TensorSpec::len).max().unwrap_or(0);
        if by_rows.rows < 2 || largest > 1 << 14 {
            continue;
        }
        let problem = case.op.problem(&case.inputs).unwrap();
        let inputs = problem.sample(&case.inputs, &mut Sampler::new(Distribution::Uniform, 5));
        let whole = problem.reference(&inputs.iter().collect::<Vec<_>>());
        let mut joined: Vec<Vec<f64>> = vec![Vec::new(); whole.len()];
        // A larger part and a smaller one.
        let middle = by_rows.rows.div_ceil(2);
        for rows in [0..middle, middle..by_rows.rows] {
            let op = case.op.over_rows(&case.inputs, rows.clone());
            let op = op.unwrap_or_else(|| case.op.clone());
            let cut = inputs.iter().zip(&by_rows.inputs);
            let cut: Vec<_> =
                cut.map(|(x, &cut)| if cut { some_rows(x, &rows) } else { x.clone() }).collect();
            let specs: Vec<_> = cut.iter().map(|x| x.spec.clone()).collect();
            let part = op.problem(&specs).unwrap_or_else(|why| panic!("{}: {why}", case.name));
            let made = part.reference(&cut.iter().collect::<Vec<_>>());
            for ((joined, made), how) in joined.iter_mut().zip(made).zip(&by_rows.outputs) {
                match how {
                    Joined::Sum if !joined.is_empty() => {
                        joined.iter_mut().zip(made.data).for_each(|(sum, x)| *sum += x);
                    }
                    Joined::Rows | Joined::Sum => joined.extend(made.data),
                }
            }
        }
        for (joined, whole) in joined.iter().zip(&whole) {
            assert_close(&format!("{} {}", case.op.kind().name, case.name), joined, &whole.data);
        }
        kinds.insert(case.op.kind().name);
    }
    assert!(kinds.len() >= 40, "{}: {kinds:?}", kinds.len());
}

/// Some rows of an array's first axis.
fn some_rows(x: &Array, rows: &Range<usize>) -> Array {
    let mut dims = x.spec.dims().to_vec();
    let each = x.spec.len() / dims[0];
    dims[0] = rows.len();
    let data = x.data[rows.start * each..rows.end * each].to_vec();
    Array::new(TensorSpec::new(dims, x.spec.dtype), data)
}

/// What is written from outside is bound whole by the copies that would cut it.
#[test]
fn a_graph_that_cannot_be_cut_stays_as_it_is() {
    let graph = || {
        let g = Builder::new();
        let x = g.input("x", [4, 100_000], DType::F32);
        g.output("y", x.scale(2.0).sum(1));
        g.finish().unwrap()
    };
    let caps = Caps { max_binding: 1 << 20, ..Caps::portable() };
    let listed = |caps| listing(&compile(graph(), caps, &Options::default()).unwrap());
    assert_eq!(listed(&caps), listed(&Caps::portable()));
    let error = compile(graph(), &caps, &Options::default()).unwrap().fits(&caps).unwrap_err();
    assert!(error.to_string().contains("its input f32[4, 100000] of 1.5 MiB"), "{error}");
}

/// A device that is lost, as when its driver resets it, at one submission of a run after the other: it is told each time,
/// and nothing panics or waits for ever.
#[test]
fn whenever_a_device_is_lost_it_is_told() {
    let plan = hasty::plan(true);
    let run = |gpu: &Gpu| {
        let model = model("memnet", Preset::Tiny, Some(4));
        let mut data = model.samples(&DataSource { seed: 1, ..DataSource::default() }).unwrap();
        measure(gpu, model.as_ref(), Mode::Infer, &plan, data.as_mut(), &|_, _| {})
    };
    let whole = common::open(Restriction::default()).unwrap();
    run(&whole).unwrap();
    let submissions = whole.submitted_so_far();
    assert!(submissions > 20, "{submissions} submissions");
    for nth in (1..=submissions).step_by(submissions as usize / 9) {
        let gpu = common::open(Restriction::default()).unwrap();
        gpu.lose_device(nth);
        let error = run(&gpu).unwrap_err();
        assert_eq!(error.exit_code(), 6, "at submission {nth}: {error}");
        assert!(gpu.is_lost(), "at submission {nth}");
    }
}

/// A step that would take a driver's patience is submitted in parts: more submissions, the same bits, and times and
/// profiles as ever.
#[test]
fn a_step_that_is_too_long_for_one_submission_is_submitted_in_parts() {
    let losses = |gpu: &Gpu| {
        let model = model("autoenc", Preset::Tiny, Some(4));
        let mut data = model.samples(&DataSource { seed: 1, ..DataSource::default() }).unwrap();
        let mut session = Session::new(gpu, 1);
        let program = session.compile(model.as_ref(), Mode::Train, &Options::default()).unwrap();
        let before = gpu.submitted_so_far();
        let losses = [0, 1].map(|step| {
            session.feed(&program, &data.batch(Split::Train, step).unwrap().tensors()).unwrap();
            session.run(&program, 2).unwrap();
            session.output(&program, step::LOSS).unwrap().data[0].to_bits()
        });
        let submissions = gpu.submitted_so_far() - before;
        let plan = hasty::plan(false);
        let run =
            measure(gpu, model.as_ref(), Mode::Train, &plan, data.as_mut(), &|_, _| {}).unwrap();
        assert!(run.step_ns().unwrap() > 0.0 && run.ops.len() > 10, "{run:?}");
        (losses, submissions)
    };
    let whole = common::open(Restriction::default()).unwrap();
    let (expected, few) = losses(&whole);
    let hasty = common::open(Restriction::default()).unwrap();
    let hasty = hasty.with_longest_submission(Duration::from_micros(20));
    let (found, many) = losses(&hasty);
    assert_eq!(found, expected);
    assert!(many > few + 20, "{many} submissions, {few} where nothing is cut");
}

/// Whatever was not measured of a device, no part of a step is too long for a slow one: estimates go by its pace.
#[test]
fn the_slower_a_device_the_more_parts_its_steps_have() {
    let submissions = |pace| {
        let gpu = common::open(Restriction::default()).unwrap();
        let mut gpu = gpu.with_longest_submission(Duration::from_micros(50));
        gpu.set_pace(pace);
        let model = model("autoenc", Preset::Tiny, Some(4));
        let mut session = Session::new(&gpu, 1);
        let program = session.compile(model.as_ref(), Mode::Train, &Options::default()).unwrap();
        let before = gpu.submitted_so_far();
        session.run(&program, 1).unwrap();
        gpu.submitted_so_far() - before
    };
    let [slow, fast] = [Speeds::SLOWEST_GPU, Speeds::GPU].map(submissions);
    assert!(slow > 2 * fast, "{slow} on a slow device, {fast} on a fast one");
}

/// A device that does not end its work within the limit, truly and by a test's word, is given up: nothing waits for it.
#[test]
fn a_device_that_does_not_end_its_work_in_time_is_called_hung() {
    let run = |gpu: &Gpu| {
        let model = model("autoenc", Preset::Tiny, None);
        let mut session = Session::new(gpu, 1);
        let program = session.compile(model.as_ref(), Mode::Train, &Options::default())?;
        session.run(&program, 1)?;
        gpu.wait()
    };
    let slow = common::open(Restriction::default()).unwrap();
    // The driver compiles the step's kernels for seconds.
    let slow = slow.with_wait_limit(Duration::from_millis(1));
    let stuck = common::open(Restriction::default()).unwrap();
    stuck.hang(1);
    for gpu in [slow, stuck] {
        let error = run(&gpu).unwrap_err();
        assert!(matches!(error, Error::Hung(_)), "{error:?}");
        assert_eq!(error.exit_code(), 6);
        assert!(error.to_string().contains("did not end its work within"), "{error}");
        assert!(gpu.is_lost());
        // What has hung is given an hour by default: this test ends only where nothing waits for it once more.
        assert!(gpu.wait().is_err());
        drop(gpu);
    }
}

/// A hang is found out by the first wait, and nothing is waited for before the queue is full.
#[test]
fn no_more_steps_are_in_flight_than_the_queue_is_deep() {
    let model = model("memnet", Preset::Tiny, Some(4));
    let mut samples = model.samples(&DataSource { seed: 1, ..DataSource::default() }).unwrap();
    let batch = samples.batch(Split::Train, 0).unwrap().tensors();
    for depth in [1, 3, 8] {
        let gpu = common::open(Restriction::default()).unwrap();
        let mut session = Session::new(&gpu, 1);
        let program = session.compile(model.as_ref(), Mode::Infer, &Options::default()).unwrap();
        let fed = Fed { gpu: &gpu, session: &session, program: &program, batch: &batch };
        let steps = || fed.flight(depth, Duration::from_millis(1), 1e6, &Restart::never());
        let flight = steps().unwrap();
        assert!(flight.overlapped > 0.0 && flight.latency > 0.0, "{flight:?}");
        let before = gpu.submitted_so_far();
        gpu.hang(1);
        assert!(matches!(steps(), Err(Error::Hung(_))));
        assert_eq!(gpu.submitted_so_far() - before, depth as u64);
    }
}
