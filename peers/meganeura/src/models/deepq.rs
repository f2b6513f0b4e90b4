//! A deep Q-network (Mnih 2015): three convolutions and two dense layers over stacks of four frames.

use super::image::{Image, layer};
use crate::builder::Builder;
use crate::values::Integers;

pub fn forward(b: &mut Builder) {
    let Integers { shape, values } = b.values.integers("input/state");
    let mut h = Image::input(b, shape, values.iter().map(|&x| x as f32).collect());
    h = h.scaled(b, 1.0 / 255.0);
    for (name, stride) in [("conv1", 4), ("conv2", 2), ("conv3", 1)] {
        h = layer(b, h, name, stride, 0, 1);
    }
    let h = h.dense(b, "fc4");
    let h = b.graph.relu(h);
    let q = b.dense(h, "fc5");
    let shape = b.shape(q);
    b.decided = Some(b.outputs.len());
    b.output("q", q, &shape);
}
