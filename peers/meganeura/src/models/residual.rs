//! ResNet-34 with projection shortcuts (He, Zhang, Ren & Sun 2015), its norms within the convolutions before them.

use super::image::{Filter, Image, finish, image};
use crate::builder::Builder;
use crate::values::Floats;

/// Table 1, 34-layer.
const BLOCKS: [usize; 4] = [3, 4, 6, 3];
const EPSILON: f32 = 1e-5;

/// A convolution whose outputs are normalised by running statistics (Ioffe & Szegedy 2015): that is another filter and a bias.
fn conv(b: &mut Builder, x: Image, name: &str, norm: &str, stride: usize, pad: usize) -> Image {
    let Floats { shape, values } = b.values.floats(&format!("param/{name}.weight"));
    let of = |place: &str, part: &str| &b.values.floats(&format!("{place}/{norm}.{part}")).values;
    let (scale, shift) = (of("param", "scale"), of("param", "shift"));
    let (mean, var) = (of("fixed", "mean"), of("fixed", "var"));
    let factors: Vec<f32> = scale.iter().zip(var).map(|(s, v)| s / (v + EPSILON).sqrt()).collect();
    let each = values.len() / factors.len();
    let values = values.iter().enumerate().map(|(at, w)| w * factors[at / each]).collect();
    let bias = shift.iter().zip(mean).zip(&factors).map(|((s, m), f)| s - m * f).collect();
    let filter = Filter { weight: Floats { shape: shape.clone(), values }, bias };
    x.conv(b, name, filter, stride, pad)
}

pub fn forward(b: &mut Builder) {
    let h = image(b);
    let mut h = conv(b, h, "conv1", "bn1", 2, 3).relu(b).max_pool(b, 3, 2, 1);
    for (stage, count) in (1..).zip(BLOCKS) {
        for at in 1..=count {
            let name = format!("stage{stage}.block{at}");
            let stride = if stage > 1 && at == 1 { 2 } else { 1 };
            let mut shortcut = h;
            h = conv(b, h, &format!("{name}.conv1"), &format!("{name}.bn1"), stride, 1).relu(b);
            h = conv(b, h, &format!("{name}.conv2"), &format!("{name}.bn2"), 1, 1);
            if stride == 2 {
                let projected = (format!("{name}.shortcut.conv"), format!("{name}.shortcut.bn"));
                shortcut = conv(b, shortcut, &projected.0, &projected.1, 2, 0);
            }
            let sum = b.graph.add(h.node, shortcut.node);
            h = Image { node: b.graph.relu(sum), ..h };
        }
    }
    let [batch, channels, spatial] = [h.batch, h.channels, h.size * h.size].map(|x| x as u32);
    let pooled = b.graph.global_avg_pool(h.node, batch, channels, spatial);
    finish(b, pooled, "fc");
}
