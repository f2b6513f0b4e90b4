//! What the models of images share, for inference: images are flat, channels first, and know their sizes.
//!
//! For training meganeura lacks what they need: the gradient of its max-pooling is that of an average ("approximate
//! backward" in its source), and none of its optimisers is momentum or centred RMSProp.

use meganeura::NodeId;

use crate::builder::Builder;
use crate::values::Floats;

#[derive(Clone, Copy)]
pub struct Image {
    pub node: NodeId,
    pub batch: usize,
    pub channels: usize,
    /// Of both sides.
    pub size: usize,
}

/// A filter [N, C, R, R], and a bias of N.
pub struct Filter {
    pub weight: Floats,
    pub bias: Vec<f32>,
}

impl Filter {
    pub fn of(b: &Builder, name: &str) -> Self {
        let Floats { shape, values } = b.values.floats(&format!("param/{name}.weight"));
        let bias = b.values.floats(&format!("param/{name}.bias")).values.clone();
        Self { weight: Floats { shape: shape.clone(), values: values.clone() }, bias }
    }

    /// The outputs from `first` on, `count` of them.
    pub fn part(&self, first: usize, count: usize) -> Self {
        let each = self.weight.values.len() / self.bias.len();
        let shape = [&[count], &self.weight.shape[1..]].concat();
        let values = self.weight.values[first * each..][..count * each].to_vec();
        Self { weight: Floats { shape, values }, bias: self.bias[first..][..count].to_vec() }
    }
}

impl Image {
    pub fn len(&self) -> usize {
        self.channels * self.size * self.size
    }

    fn spatial(&self) -> u32 {
        (self.size * self.size) as u32
    }

    /// An input, which must have been handed over with channels first.
    pub fn input(b: &mut Builder, shape: &[usize], values: Vec<f32>) -> Self {
        let &[batch, channels, size, _] = shape else { panic!("an image has four dimensions") };
        let node = b.made_input("image", values, &[batch * channels * size * size]);
        Self { node, batch, channels, size }
    }

    fn became(self, node: NodeId) -> Self {
        Self { node, ..self }
    }

    pub fn conv(
        self,
        b: &mut Builder,
        name: &str,
        filter: Filter,
        stride: usize,
        pad: usize,
    ) -> Self {
        let [outs, ins, window, _] = filter.weight.shape[..] else { panic!("no filter: {name}") };
        assert_eq!(ins, self.channels, "{name}");
        let count = filter.weight.values.len();
        let weight = b.made_param(&format!("{name}.weight"), filter.weight.values, &[count]);
        let bias = b.made_param(&format!("{name}.bias"), filter.bias, &[outs]);
        let size = (self.size + 2 * pad - window) / stride + 1;
        let [batch, ins, side, to, window, stride, pad] =
            [self.batch, ins, self.size, outs, window, stride, pad].map(|x| x as u32);
        let node = b
            .graph
            .conv2d(self.node, weight, batch, ins, side, side, to, window, window, stride, pad);
        let made = Self { node, channels: outs, size, ..self };
        made.became(b.graph.add_per_channel(node, bias, made.channels as u32, made.spatial()))
    }

    pub fn relu(self, b: &mut Builder) -> Self {
        self.became(b.graph.relu(self.node))
    }

    pub fn max_pool(self, b: &mut Builder, window: usize, stride: usize, pad: usize) -> Self {
        let size = (self.size + 2 * pad - window) / stride + 1;
        let [batch, channels, side, window, stride, pad] =
            [self.batch, self.channels, self.size, window, stride, pad].map(|x| x as u32);
        let node = b
            .graph
            .max_pool_2d(self.node, batch, channels, side, side, window, window, stride, pad);
        Self { node, size, ..self }
    }

    /// Every value times one factor.
    pub fn scaled(self, b: &mut Builder, factor: f32) -> Self {
        let count = self.batch * self.channels;
        let gate = b.graph.constant(vec![factor; count], &[count]);
        self.became(b.graph.mul_per_channel(self.node, gate, self.channels as u32, self.spatial()))
    }

    /// The first and the second half of the channels.
    pub fn halves(self, b: &mut Builder) -> [Self; 2] {
        let (half, spatial) = (self.channels / 2, self.spatial());
        let (batch, channels) = (self.batch as u32, half as u32);
        let a = b.graph.split_a(self.node, batch, channels, channels, spatial);
        let c = b.graph.split_b(self.node, batch, channels, channels, spatial);
        [a, c].map(|node| Self { node, channels: half, ..self })
    }

    /// The channels of both, one after the other.
    pub fn joined(self, b: &mut Builder, other: Self) -> Self {
        let [batch, first, second] = [self.batch, self.channels, other.channels].map(|x| x as u32);
        let node = b.graph.concat(self.node, other.node, batch, first, second, self.spatial());
        Self { node, channels: self.channels + other.channels, ..self }
    }

    /// Response normalisation over five neighbouring channels (Krizhevsky 2012, section 3.3). Their sum is a convolution.
    pub fn lrn(self, b: &mut Builder) -> Self {
        let channels = self.channels;
        let band = (0..channels * channels)
            .map(|at| if (at / channels).abs_diff(at % channels) <= 2 { 1e-4 } else { 0.0 })
            .collect();
        let weight = Floats { shape: vec![channels, channels, 1, 1], values: band };
        let filter = Filter { weight, bias: vec![2.0; channels] };
        let squares = self.became(b.graph.mul(self.node, self.node));
        let name = format!("lrn of {channels}");
        let sum = squares.conv(b, &name, filter, 1, 0);
        let power = sum.became(b.graph.log(sum.node)).scaled(b, -0.75);
        let power = b.graph.exp(power.node);
        self.became(b.graph.mul(self.node, power))
    }

    /// x W + b of the image, whose rows of W are in the order rows, columns, channels: they are moved before the step.
    pub fn dense(self, b: &mut Builder, name: &str) -> NodeId {
        let Floats { shape, values } = b.values.floats(&format!("param/{name}.weight"));
        let (outs, spatial) = (shape[1], self.size * self.size);
        let row =
            |at: usize| &values[(at % spatial * self.channels + at / spatial) * outs..][..outs];
        let moved = (0..self.len()).flat_map(|at| row(at).to_vec()).collect();
        let weight = b.made_param(&format!("{name}.weight"), moved, &[self.len(), outs]);
        let flat = b.graph.reshape(self.node, &[self.batch, self.len()]);
        b.biased(flat, weight, name)
    }
}

/// A convolution with its bias and rectifier; of two groups each sees half of the channels.
pub fn layer(
    b: &mut Builder,
    x: Image,
    name: &str,
    stride: usize,
    pad: usize,
    groups: usize,
) -> Image {
    let filter = Filter::of(b, name);
    let y = if groups == 2 {
        let count = filter.bias.len() / 2;
        let [first, second] = x.halves(b);
        let first = first.conv(b, &format!("{name}a"), filter.part(0, count), stride, pad);
        let second = second.conv(b, &format!("{name}b"), filter.part(count, count), stride, pad);
        first.joined(b, second)
    } else {
        x.conv(b, name, filter, stride, pad)
    };
    y.relu(b)
}

pub fn image(b: &mut Builder) -> Image {
    let Floats { shape, values } = b.values.floats("input/image");
    Image::input(b, shape, values.clone())
}

/// The three dense layers at the end.
pub fn head(b: &mut Builder, h: Image) {
    let h = h.dense(b, "fc6");
    let h = b.graph.relu(h);
    let h = b.dense(h, "fc7");
    let h = b.graph.relu(h);
    finish(b, h, "fc8");
}

pub fn finish(b: &mut Builder, h: NodeId, name: &str) {
    let logits = b.dense(h, name);
    let shape = b.shape(logits);
    b.output("logits", logits, &shape);
}
