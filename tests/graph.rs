//! The passes: memory plans in which nothing alive is overwritten, fused programs that compute the same,
//! gradients in the middle of a graph.

use std::collections::BTreeSet;
use std::sync::Arc;

use fathom::gpu::{Gpu, Selector};
use fathom::graph::by_rows::ByRows;
use fathom::graph::chain::{Chain, Function};
use fathom::graph::op::{Cost, Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use fathom::graph::{Builder, Graph, Init, Tensor};
use fathom::kernel::{Binding, Caps, Dispatch, Kernel, Lowered, Variant, input, output, scratch};
use fathom::measure::verify::verify;
use fathom::op::LIST;
use fathom::op::conv2d::Conv;
use fathom::pass::choose::Choice;
use fathom::pass::pairs::pairs;
use fathom::pass::{OpInstance, Options, compile, compile_op, fused};
use fathom::program::check::check_variant;
use fathom::random::Rng;
use fathom::record::Verified;
use fathom::session::{Session, schedule};
use fathom::tensor::{Array, DType, HostTensor, TensorSpec};
use fathom::terms::{Checks, Class, Mode, Precision, Preset, Speeds};
use fathom::workload::WORKLOADS;
use proptest::prelude::*;

#[path = "common/caps.rs"]
mod caps;
#[path = "common/memory.rs"]
mod memory;

use memory::{assert_memory_is_sound, devices};

fn gpu() -> Gpu {
    let device = std::env::var("FATHOM_TEST_DEVICE").ok();
    let selector = Selector { device, ..Selector::default() };
    Gpu::open(&selector, Checks::Off).unwrap()
}

/// A graph of elementwise ops, products, reductions, picked values, slices and pads over 6 x 6 matrices, chosen by `seed`.
fn random_graph(seed: u64, ops: usize) -> Graph {
    let mut rng = Rng::new(seed);
    let g = Builder::new();
    let mut values: Vec<Tensor> = vec![
        g.input("a", [6, 6], DType::F32),
        g.input("b", [6, 6], DType::F32),
        g.input("row", [6], DType::F32),
    ];
    let index = g.input("index", [6], DType::U32);
    for _ in 0..ops {
        let x = values[rng.below(2.max(values.len() - 1))];
        let y = values[rng.below(values.len())];
        let wide = |t: Tensor| t.spec().shape.rank() == 2;
        let value = match rng.below(12) {
            0 if wide(x) && wide(y) => x.matmul(y).scale(0.3),
            1 => x.tanh(),
            2 => x * y,
            3 => (x + y).relu(),
            4 if wide(x) => x.sum_to(&[6].into()).scale(0.2),
            5 if wide(x) && wide(y) => x.matmul(y).reshape([36]).tanh().reshape([6, 6]),
            6 if wide(x) => x.slice(0, 1, 4).slice(1, 2, 3).pad(0, 2, 0).pad(1, 1, 2),
            7 if wide(x) && wide(y) => {
                x.slice(0, 0, 2).pad(0, 0, 4)
                    + y.pad(1, 2, 0).slice(1, 0, 6).slice(0, 1, 3).pad(0, 3, 0)
            }
            8 if wide(x) => x.max(1),
            9 if wide(x) => x.gather(index),
            10 => (x + y).tanh().mean_all(),
            _ => x - y.scale(0.5),
        };
        values.push(value);
    }
    let last = *values.last().unwrap();
    g.output("last", last);
    g.output("middle", values[values.len() / 2]);
    g.finish().unwrap()
}

fn feed(name: &str) -> Array {
    let mut rng = Rng::new(name.bytes().map(u64::from).sum());
    if name == "index" {
        let data = (0..6).map(|_| rng.below(6) as f64).collect();
        return Array::new(TensorSpec::u32([6]), data);
    }
    let spec = TensorSpec::f32(if name == "row" { vec![6] } else { vec![6, 6] });
    let data = (0..spec.len()).map(|_| f64::from(rng.range(-1.0, 1.0) as f32)).collect();
    Array::new(spec, data)
}

#[test]
fn temporary_values_take_at_most_a_tenth_more_than_are_alive_at_once() {
    let mut over = Vec::new();
    for caps in devices() {
        for (info, preset) in WORKLOADS.iter().flat_map(|info| Preset::ALL.map(|p| (info, p))) {
            let model = (info.configure)(preset, None);
            for mode in Mode::ALL {
                let step = schedule(model.as_ref(), mode, &caps, &Options::default()).unwrap();
                assert_memory_is_sound(&step);
                let (slots, least) = (step.memory.slot_bytes(), step.memory.live_bytes);
                if 10 * slots > 11 * least {
                    let ratio = slots as f64 / least as f64;
                    over.push(format!("{} {mode} {preset}: {ratio:.3}", info.name));
                }
            }
        }
    }
    assert!(over.is_empty(), "{over:?}");
}

/// The largest value of a small model stays while three others need three buffers, none of which it may be: the plan
/// has a dispatch read one range of a buffer and write another.
#[test]
fn what_reads_and_writes_one_buffer_computes_the_same() {
    let gpu = gpu();
    let g = Builder::new();
    let x = g.input("x", [64, 64], DType::F32);
    let wide = g.input("wide", [64, 512], DType::F32);
    let narrow = g.input("narrow", [512, 64], DType::F32);
    let mut x = x.matmul(wide).tanh().matmul(narrow).tanh();
    let w = g.input("w", [64, 64], DType::F32);
    for _ in 0..2 {
        x = x.matmul(w).tanh().matmul(w) + x;
    }
    g.output("y", x.sum_all());
    let options = Options::default();
    let mut session = Session::new(&gpu, 1);
    let program = session.compile_graph(g.finish().unwrap(), &options).unwrap();
    let dispatches = program.schedule.ops.iter().flat_map(|op| &op.lowered.dispatches);
    assert!(dispatches.map(|dispatch| dispatch.kernel.writable.len()).sum::<usize>() > 0);
    assert_memory_is_sound(&program.schedule);
    let inputs = program.schedule.inputs();
    let input = |(name, spec): &(&str, &TensorSpec)| {
        let values = Distribution::Uniform.array(spec, 1, &mut Rng::new(name.len() as u64));
        let values = values.data.iter().map(|value| value / 8.0).collect();
        HostTensor::from(&Array::new((*spec).clone(), values))
    };
    let batch: Vec<_> = inputs.iter().map(|one| (one.0, input(one))).collect();
    session.feed(&program, &batch).unwrap();
    for verdict in session.check(&program).unwrap() {
        assert!(verdict.passed(), "{verdict:?}");
    }
}

proptest! {
    #[test]
    fn plans_share_no_live_memory(seed in any::<u64>(), ops in 1usize..40, fuse in any::<bool>()) {
        let options = Options { fuse, ..Options::default() };
        for caps in devices() {
            assert_memory_is_sound(&compile(random_graph(seed, ops), &caps, &options).unwrap());
        }
    }

    #[test]
    fn fusion_keeps_the_meaning(seed in any::<u64>(), ops in 1usize..25) {
        let nodes = random_graph(seed, ops);
        let (plain, fused) = (nodes.evaluate(&feed), fused(nodes.clone()).evaluate(&feed));
        for (_, output) in &nodes.outputs {
            let (a, b) = (plain[output.0].as_ref().unwrap(), fused[output.0].as_ref().unwrap());
            for (x, y) in a.data.iter().zip(&b.data) {
                prop_assert!((x - y).abs() <= 1e-9 * x.abs().max(1.0));
            }
        }
    }
}

#[test]
fn programs_compute_what_the_references_say() {
    let gpu = gpu();
    for (seed, fuse) in [(1, true), (1, false), (2, true), (3, true), (4, false)] {
        let nodes = random_graph(seed, 20);
        let options = Options { fuse, ..Options::default() };
        let mut session = Session::new(&gpu, 1);
        let program = session.compile_graph(nodes, &options).unwrap();
        let inputs = ["a", "b", "row", "index"].map(|name| (name, HostTensor::from(&feed(name))));
        session.feed(&program, &inputs).unwrap();
        for verdict in session.check(&program).unwrap() {
            assert!(verdict.passed(), "seed {seed}: {verdict:?}");
        }
    }
}

/// d/dw of 2.5 * sum(tanh(x w)) + sum((x w)^2): the product's gradient arrives from two losses, with a
/// coefficient.
#[test]
fn gradients_in_the_middle_of_a_graph_are_summed_and_scaled() {
    let g = Builder::new();
    let x = g.input("a", [6, 6], DType::F32);
    let w = g.input("b", [6, 6], DType::F32);
    let h = x.matmul(w);
    let loss = h.tanh().sum_all().scale(2.5) + h.square().sum_all();
    let dw = g.gradients(loss, &[w])[0];
    g.output("loss", loss);
    g.output("dw", dw);
    let nodes = g.finish().unwrap();
    let value = |shift: Option<(usize, f64)>, output: usize| {
        let shifted = |name: &str| {
            let mut array = if name == "one" { Array::f32([], vec![1.0]) } else { feed(name) };
            if let ("b", Some((at, by))) = (name, shift) {
                array.data[at] += by;
            }
            array
        };
        nodes.evaluate(&shifted)[nodes.outputs[output].1.0].clone().unwrap()
    };
    let rule = value(None, 1);
    for at in 0..36 {
        let above = value(Some((at, 1e-6)), 0).data[0];
        let below = value(Some((at, -1e-6)), 0).data[0];
        let difference = (above - below) / 2e-6;
        assert!((rule.data[at] - difference).abs() < 1e-7, "{at}: {} {difference}", rule.data[at]);
    }
}

/// A step of two layers whose gradients are made in pairs, on a device by whose estimates small layers go by Winograd's products:
/// it means what it did, and this device computes it.
#[test]
fn both_gradients_of_a_convolution_are_one_op_and_what_they_were() {
    let arithmetic_alone =
        Speeds { products_per_us: 1_000, bytes_per_us: u32::MAX, dispatch_ns: 0, ..Speeds::GPU };
    let caps = Caps { speeds: arithmetic_alone, ..Caps::portable() };
    let g = Builder::new();
    let x = g.input("x", [2, 9, 8, 16], DType::F32);
    let [v, w] = ["v", "w"].map(|name| g.input(name, [3, 3, 16, 16], DType::F32));
    let settings = Conv { pad: 1, ..Conv::default() };
    let h = x.conv2d(v, settings).relu();
    let loss = (h.conv2d(w, settings) + h).relu().square().sum_all();
    for (name, gradient) in ["dx", "dv", "dw"].into_iter().zip(g.gradients(loss, &[x, v, w])) {
        g.output(name, gradient);
    }
    let graph = fused(g.finish().unwrap());
    let paired = pairs(graph.clone(), &caps, &Choice::default());
    assert_eq!(paired.nodes.len() + 2, graph.nodes.len());
    let feed = |name: &str| {
        let (shape, seed) = match name {
            "x" => ([2, 9, 8, 16], 1),
            name => ([3, 3, 16, 16], name.as_bytes()[0].into()),
        };
        Distribution::Uniform.array(&TensorSpec::f32(shape), 1, &mut Rng::new(seed))
    };
    let (apart, together) = (graph.evaluate(&feed), paired.evaluate(&feed));
    for (_, output) in &graph.outputs {
        assert_eq!(apart[output.0], together[output.0]);
    }
    let gpu = gpu();
    let mut session = Session::new(&gpu, 1);
    let schedule = compile(graph, &caps, &Options::default()).unwrap();
    let together = schedule.ops.iter().filter(|op| op.op.kind().name == "conv2d_grads");
    assert_eq!(together.count(), 2);
    assert_memory_is_sound(&schedule);
    let program = session.build(schedule).unwrap();
    let inputs = ["x", "v", "w"].map(|name| (name, HostTensor::from(&feed(name))));
    session.feed(&program, &inputs).unwrap();
    for verdict in session.check(&program).unwrap() {
        assert!(verdict.passed(), "{verdict:?}");
    }
}

#[test]
fn an_intermediate_that_is_an_output_is_not_fused_away() {
    let g = Builder::new();
    let x = g.input("a", [6, 6], DType::F32);
    let middle = x.scale(2.0);
    g.output("middle", middle);
    g.output("last", middle.tanh());
    let fused = fused(g.finish().unwrap());
    let values = fused.evaluate(&feed);
    assert!(fused.outputs.iter().all(|(_, v)| values[v.0].is_some()));
}

#[test]
fn a_shape_error_names_the_layer_and_both_shapes() {
    let g = Builder::new();
    let x = g.input("x", [2, 3], DType::F32);
    g.scoped("fc9", || {
        let w = g.weight("weight", [4, 5], Init::Constant(0.0));
        g.output("y", x.matmul(w));
    });
    let error = g.finish().unwrap_err().to_string();
    assert!(error.contains("fc9.matmul: inner dimensions differ: [2, 3] x [4, 5]"), "{error}");
}

#[test]
fn nothing_is_computed_of_no_elements() {
    let g = Builder::new();
    let x = g.input("x", [2, 0], DType::F32);
    g.scoped("answer", || g.output("y", x.softmax()));
    let error = g.finish().unwrap_err().to_string();
    assert!(error.contains("answer.softmax: f32[2, 0] has no elements"), "{error}");
}

#[test]
fn packed_gradients_lie_in_the_parameters_layout() {
    let g = Builder::new();
    let bias = g.parameter("bias", [3], Init::Constant(1.0));
    let weight = g.weight("weight", [2, 70], Init::Constant(2.0));
    // A gradient that is an input, one used twice, and one that is computed.
    let given = g.input("given", [3], DType::F32);
    let packed = g.pack("param", &[given, weight.scale(3.0)])[0];
    g.output("packed", packed);
    let (flat, layout) = g.flat("param").remove(0);
    g.output("flat", flat.copy());
    g.output("bias", bias.copy());
    // Members that decay come first.
    assert_eq!((layout.offsets, layout.decayed, layout.len), (vec![192, 0], 192, 256));
    let gpu = gpu();
    let mut session = Session::new(&gpu, 1);
    let program = session.compile_graph(g.finish().unwrap(), &Options::default()).unwrap();
    let given = HostTensor::f32([3], &[7.0, 8.0, 9.0]);
    session.feed(&program, &[("given", given)]).unwrap();
    session.run(&program, 1).unwrap();
    let packed = session.output(&program, "packed").unwrap();
    assert_eq!(packed.data[..140], [6.0; 140]);
    assert_eq!(packed.data[140..192], [0.0; 52]);
    assert_eq!(packed.data[192..195], [7.0, 8.0, 9.0]);
    let flat = session.output(&program, "flat").unwrap();
    assert_eq!((flat.data[0], flat.data[192]), (2.0, 1.0));
}

/// What is wrong with a copy of 64 values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Faulty {
    Nothing,
    WritesTooFar,
    WritesTooLittle,
    FillsScratchTooFar,
    ReadsScratchUnfilled,
}

impl Op for Faulty {
    fn kind(&self) -> Kind {
        Kind::new("faulty", Class::Movement)
    }

    fn problem(&self, _: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let facts = Facts::new([TensorSpec::f32([64])], Cost::default(), Tolerance::EXACT);
        Ok(Box::new(FaultyCopy { fault: *self, facts }))
    }
}

#[derive(Debug)]
struct FaultyCopy {
    fault: Faulty,
    facts: Facts,
}

impl Problem for FaultyCopy {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _: &Caps) -> Vec<Variant> {
        vec![Variant::new("copy", [])]
    }

    fn lower(&self, _: &Variant, _: &Caps) -> Lowered {
        let copy = |from: Binding, to: Binding, values: usize| {
            let kernel = Kernel::new("peak/copy").with_text("T", "f32");
            let dispatch = Dispatch::new(kernel, [2, 1, 1]).bind("x", from.read()).bind("y", to);
            dispatch.param("groups", values)
        };
        let through = |first: Vec<Dispatch>| {
            let last = copy(scratch(0), output(0), 64);
            let dispatches = first.into_iter().chain([last]).collect();
            Lowered { dispatches, scratch: vec![TensorSpec::f32([64])] }
        };
        match self.fault {
            Faulty::Nothing => through(vec![copy(input(0), scratch(0), 64)]),
            Faulty::WritesTooFar => Lowered::one(copy(input(0), output(0), 65)),
            Faulty::WritesTooLittle => Lowered::one(copy(input(0), output(0), 63)),
            Faulty::FillsScratchTooFar => through(vec![copy(input(0), scratch(0), 65)]),
            Faulty::ReadsScratchUnfilled => through(vec![]),
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }
}

#[test]
fn guard_words_and_poison_show_what_a_kernel_does_wrong() {
    let gpu = gpu();
    let check = |fault: Faulty| {
        let op: Arc<dyn Op> = Arc::new(fault);
        let inputs = [TensorSpec::f32([64])];
        // Twice: what one check leaves behind must not hide a fault from the next.
        let distributions = [Distribution::Uniform, Distribution::Uniform];
        let variant = Variant::new("copy", []);
        let verdicts =
            check_variant(&gpu, &gpu.caps, &op, &inputs, &[], &variant, &distributions).unwrap();
        assert_eq!(verdicts[0], verdicts[1], "{fault:?}");
        // Behind what is wrong stand the op's shapes.
        let fault = verdicts[0].detail.split("; ").next().unwrap_or_default();
        (verdicts[0].passed(), fault.to_string())
    };
    assert_eq!(check(Faulty::Nothing), (true, String::new()));
    assert_eq!(check(Faulty::WritesTooFar), (false, "wrote past the end of output 0".into()));
    let past_scratch = (false, "wrote past the end of scratch 0".into());
    assert_eq!(check(Faulty::FillsScratchTooFar), past_scratch);
    for (fault, at) in [(Faulty::WritesTooLittle, 63), (Faulty::ReadsScratchUnfilled, 0)] {
        let (passed, detail) = check(fault);
        assert!(!passed && detail.contains(&format!("output 0[{at}] is NaN")), "{detail}");
    }
}

/// What stands for a problem too large for its reference is checked by running kernels that are timed. Not always
/// all of them: parts of a sum that only the whole problem splits are added up by one more.
#[test]
fn a_reduced_problem_runs_kernels_of_the_whole_one() {
    let subgroups = Caps { subgroup: Some(32), ..Caps::portable() };
    let kernels = |op: &OpInstance| {
        let dispatches = op.lowered.dispatches.iter();
        dispatches.map(|d| (d.kernel.shader.clone(), d.kernel.entry)).collect::<BTreeSet<_>>()
    };
    let devices = [
        (Caps::portable(), Precision::F32),
        (Caps::portable_software(), Precision::F32),
        (subgroups, Precision::F32),
        (Caps::portable_matrices(), Precision::F16),
    ];
    let mut reduced = 0;
    for (caps, precision) in devices {
        for entry in WORKLOADS {
            let model = (entry.configure)(Preset::Full, None);
            for mode in Mode::ALL {
                let options = Options { precision, ..Options::default() };
                let whole = schedule(model.as_ref(), mode, &caps, &options).unwrap();
                for op in &whole.ops {
                    let Some(inputs) = op.reduced_inputs() else {
                        continue;
                    };
                    let stored = op.stored();
                    let part =
                        compile_op(&op.op, &inputs, &stored, &op.variant, &caps, true).unwrap();
                    let (part, whole) = (kernels(&part.ops[0]), kernels(op));
                    assert!(part.is_subset(&whole), "{}: {part:?} {whole:?}", op.label);
                    reduced += 1;
                }
            }
        }
    }
    assert!(reduced > 0);
}

/// What stands for a whole reference at some places is that reference there, in every case that has it.
#[test]
fn sampled_values_of_a_reference_are_its_values() {
    let mut checked = BTreeSet::new();
    for family in LIST {
        for case in family.cases() {
            let problem = case.problem();
            if problem.reference_at(0, &[], &[]).is_none() || problem.cost().flops > 1 << 22 {
                continue;
            }
            let distribution = Distribution::Uniform;
            let inputs = problem.sample(&case.inputs, &mut Sampler::new(distribution, 3));
            let inputs: Vec<_> = inputs.iter().collect();
            for (output, whole) in problem.reference(&inputs).iter().enumerate() {
                let places: Vec<usize> = (0..whole.data.len()).collect();
                let Some(sampled) = problem.reference_at(output, &inputs, &places) else {
                    continue;
                };
                for (place, (value, expected)) in sampled.iter().zip(&whole.data).enumerate() {
                    // The reference is rounded to what an f32 tensor holds nowhere: only the order of sums differs.
                    let most = 1e-9 * expected.abs().max(value.scale);
                    let near = (value.value - expected).abs() <= most;
                    assert!(near, "{} {output}[{place}]: {value:?}, {expected}", case.name);
                }
                checked.insert(family.name());
            }
        }
    }
    assert_eq!(checked.into_iter().collect::<Vec<_>>(), ["conv2d", "matmul"]);
}

/// A product whose reference would take too long is checked in small, and at its real shape at some values.
#[test]
fn what_is_checked_in_small_is_sampled_at_its_real_shape() {
    let gpu = gpu();
    let g = Builder::new();
    let a = g.input("a", [2048, 64], DType::F32);
    let b = g.input("b", [64, 2048], DType::F32);
    let c = a.matmul(b).relu();
    g.output("c", c);
    let mut session = Session::new(&gpu, 1);
    let program = session.compile_graph(g.finish().unwrap(), &Options::default()).unwrap();
    let values = |specs: [usize; 2], seed| {
        let spec = TensorSpec::f32(specs);
        HostTensor::from(&Distribution::Uniform.array(&spec, 1, &mut Rng::new(seed)))
    };
    let batch = [("a", values([2048, 64], 1)), ("b", values([64, 2048], 2))];
    session.feed(&program, &batch).unwrap();
    let verified = verify(&gpu, &program, &|_, _| {}).unwrap();
    assert_eq!((verified.checked, verified.reduced, verified.sampled), (1, 1, Some(1)));
    assert_eq!((verified.passed, verified.program.as_ref()), (1, Some(&program.hash)));
}

/// Two of its rows are copied as they should be, of more only the first 128 values.
#[derive(Debug)]
struct CopiesTooLittle;

impl Op for CopiesTooLittle {
    fn kind(&self) -> Kind {
        Kind::new("faulty", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let facts = Facts::new(inputs.to_vec(), Cost::default(), Tolerance::EXACT);
        Ok(Box::new(CopyOfRows { facts }))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::all(inputs, 1)
    }
}

#[derive(Debug)]
struct CopyOfRows {
    facts: Facts,
}

impl Problem for CopyOfRows {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _: &Caps) -> Vec<Variant> {
        vec![Variant::new("copy", [])]
    }

    fn lower(&self, _: &Variant, _: &Caps) -> Lowered {
        let kernel = Kernel::new("peak/copy").with_text("T", "f32");
        let dispatch = Dispatch::new(kernel, [2, 1, 1]).bind("x", input(0)).bind("y", output(0));
        Lowered::one(dispatch.param("groups", self.facts.spec().len().min(128)))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        Some(vec![TensorSpec::f32([2, 32])])
    }
}

/// A graph over one tensor, verified on the device with values in it.
fn verified(shape: [usize; 2], op: Arc<dyn Op>) -> Verified {
    let gpu = gpu();
    let g = Builder::new();
    let x = g.input("x", shape, DType::F32);
    g.output("y", g.apply_shared(op, &[x])[0]);
    let mut session = Session::new(&gpu, 1);
    let program = session.compile_graph(g.finish().unwrap(), &Options::default()).unwrap();
    let x = Distribution::Uniform.array(&TensorSpec::f32(shape), 1, &mut Rng::new(1));
    session.feed(&program, &[("x", HostTensor::from(&x))]).unwrap();
    verify(&gpu, &program, &|_, _| {}).unwrap()
}

#[test]
fn what_goes_row_by_row_is_checked_in_small_and_in_rows_of_its_real_shape() {
    let tanh = verified([3, 1_500_000], Arc::new(Chain::one(Function::Tanh)));
    assert_eq!((tanh.reduced, tanh.sampled, tanh.passed), (1, Some(1), 1));
    // Right in small, and wrong only where the real shape goes on.
    let faulty = verified([8, 32], Arc::new(CopiesTooLittle));
    assert_eq!((faulty.reduced, faulty.sampled, faulty.passed), (1, Some(1), 0));
    let wrong = faulty.wrong()[0].to_string();
    assert!(wrong.contains("in rows 0 to 8 of its real shape output 0["), "{wrong}");
}
