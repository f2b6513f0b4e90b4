use super::*;
use crate::terms::Speeds;

fn variants(planned: Vec<Planned>) -> Vec<Variant> {
    planned.into_iter().map(|planned| planned.variant).collect()
}

fn first(m: usize, n: usize, k: usize, caps: &Caps) -> Variant {
    variants(plan(Sizes { batch: 1, m, n, k }, caps)).remove(0)
}

#[test]
fn a_gpu_gets_large_tiles_for_large_products_and_the_rest_what_suits_it() {
    let gpu = Caps::portable();
    let large = first(4096, 4096, 4096, &gpu);
    assert_eq!((large.name, large.get("BM"), large.get("BN")), ("tile", 128, 128));
    assert_eq!(first(1, 4096, 4096, &gpu).name, "vector");
    assert_eq!(first(64, 64, 1 << 16, &gpu).name, "split_k");
}

#[test]
fn a_filter_gradient_of_a_wave_and_a_bit_is_split_until_its_waves_are_full() {
    // vgg's 512 x 3 x 3 to 512 at 14 x 14, batch 32: 144 tiles of 128 x 128 on 132 processors are two waves.
    let p = Sizes { batch: 1, m: 9 * 512, n: 512, k: 32 * 14 * 14 };
    let planned = plan(p, &Caps::portable());
    let whole = planned.iter().find(|planned| planned.variant == TILES[4].variant()).unwrap();
    let best = &planned[0];
    assert_eq!(best.variant.name, "split_k");
    // By hand: two waves of 6,272 steps of a tile at 0.69 of 33.5 / 132 products a picosecond.
    let wave = 128.0 * 128.0 * 6272.0 / (0.69 * 33.5e12 / 132.0) * 1e9;
    assert!((whole.ns - 2.0 * wave - 1800.0).abs() < 1.0, "{whole:?}, a wave is {wave}");
    assert!(best.ns < 0.65 * whole.ns, "{best:?} against {whole:?}");
}

#[test]
fn a_small_product_is_summed_in_slices_of_a_workgroup_and_needs_no_second_dispatch() {
    // Layers of autoenc at batch 128, forward and both gradients.
    for (m, n, k) in [(128, 20, 500), (128, 784, 500), (500, 20, 128)] {
        let p = Sizes { batch: 1, m, n, k };
        assert_eq!(plan(p, &Caps::portable())[0].variant.name, "sliced", "{p:?}");
        let cpu = plan(p, &Caps::portable_software());
        assert!(cpu.iter().all(|planned| planned.variant.name != "sliced"));
    }
}

#[test]
fn fewer_processors_need_fewer_parts() {
    let p = Sizes { batch: 1, m: 64, n: 64, k: 1 << 16 };
    let splits = |processors| {
        let speeds = Speeds { processors, ..Speeds::GPU };
        let gpu = Caps { speeds, ..Caps::portable() };
        let planned = plan(p, &gpu).into_iter();
        planned.map(|p| p.variant).find(|v| v.name == "split_k").unwrap().get("SPLITS")
    };
    assert!(splits(8) < splits(132), "{} {}", splits(8), splits(132));
}

#[test]
fn a_cpu_adapter_gets_subgroups_where_it_has_them() {
    let cpu = Caps::portable_software();
    assert_eq!(first(512, 512, 512, &cpu).name, "subgroup");
    let none = Caps { subgroup: None, ..cpu };
    let other = variants(plan(Sizes { batch: 1, m: 512, n: 512, k: 512 }, &none));
    assert!(other.iter().all(|v| v.name != "subgroup"));
}

#[test]
fn a_short_sum_is_of_outer_products_on_a_cpu_adapter() {
    let cpu =
        Caps { speeds: Speeds { processors: 1, ..Speeds::SOFTWARE }, ..Caps::portable_software() };
    // Gradients of autoenc's weights at batch 8; then rows too few to keep B for, and a longer sum.
    assert_eq!(first(64, 784, 8, &cpu).name, "outer");
    assert_eq!(first(784, 64, 8, &cpu).to_string(), "outer[W=8,ROWS=64,DEPTH=8]");
    assert_eq!(first(8, 784, 64, &cpu).name, "subgroup");
    let longer = variants(plan(Sizes { batch: 1, m: 64, n: 784, k: 65 }, &cpu));
    assert!(longer.iter().all(|variant| variant.name != "outer"));
}

#[test]
fn a_cpu_adapter_pays_for_the_trees_of_matrix_vector_products() {
    let cpu = Caps::portable_software();
    let none = Caps { subgroup: None, ..cpu.clone() };
    for caps in [cpu, none] {
        for (batch, m, n, k) in
            [(66_000, 1, 2, 3), (1, 8, 8, 64), (1, 8, 64, 8), (1, 8, 784, 64), (1, 8, 64, 784)]
        {
            let planned = plan(Sizes { batch, m, n, k }, &caps);
            assert_ne!(planned[0].variant.name, "vector", "{batch} of {m}x{n}x{k}");
        }
    }
}

#[test]
fn naive_is_always_there() {
    for caps in [Caps::portable(), Caps::portable_software()] {
        for (m, n, k) in [(1, 1, 1), (3, 70_000, 2), (129, 65, 1000)] {
            let planned = variants(plan(Sizes { batch: 2, m, n, k }, &caps));
            assert!(planned.iter().any(|variant| variant.name == "naive"));
        }
    }
}
