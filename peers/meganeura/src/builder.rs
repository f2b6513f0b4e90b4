//! A model's graph while it is built, with what is to be uploaded for it.

use meganeura::{Graph, NodeId};

use crate::values::{Floats, Values};

pub enum Data {
    Parameter(Vec<f32>),
    Input(Vec<f32>),
    Indices(Vec<u32>),
}

pub struct Output {
    pub name: &'static str,
    pub node: NodeId,
    pub shape: Vec<usize>,
}

pub struct Builder<'a> {
    pub graph: Graph,
    pub values: &'a Values,
    pub train: bool,
    pub data: Vec<(String, Data)>,
    /// The loss is the first, where there is one.
    pub outputs: Vec<Output>,
    pub decided: Option<usize>,
}

impl<'a> Builder<'a> {
    pub fn new(values: &'a Values, train: bool) -> Self {
        let (data, outputs) = (Vec::new(), Vec::new());
        Self { graph: Graph::new(), values, train, data, outputs, decided: None }
    }

    pub fn param(&mut self, name: &str) -> NodeId {
        let Floats { shape, values } = self.values.floats(&format!("param/{name}"));
        self.made_param(name, values.clone(), shape)
    }

    /// A parameter that is made of others before the step.
    pub fn made_param(&mut self, name: &str, values: Vec<f32>, shape: &[usize]) -> NodeId {
        self.data.push((name.into(), Data::Parameter(values)));
        self.graph.parameter(name, shape)
    }

    /// `group/NAME`, an input or draw.
    pub fn input(&mut self, name: &str) -> NodeId {
        let Floats { shape, values } = self.values.floats(name);
        self.made_input(name, values.clone(), shape)
    }

    pub fn made_input(&mut self, name: &str, values: Vec<f32>, shape: &[usize]) -> NodeId {
        self.data.push((name.into(), Data::Input(values)));
        self.graph.input(name, shape)
    }

    pub fn indices(&mut self, name: &str, values: Vec<u32>) -> NodeId {
        let node = self.graph.input_u32(name, &[values.len()]);
        self.data.push((name.into(), Data::Indices(values)));
        node
    }

    pub fn output(&mut self, name: &'static str, node: NodeId, shape: &[usize]) {
        self.outputs.push(Output { name, node, shape: shape.to_vec() });
    }

    pub fn shape(&self, node: NodeId) -> Vec<usize> {
        self.graph.node(node).ty.shape.clone()
    }

    /// Of x's shape.
    pub fn filled(&mut self, x: NodeId, value: f32) -> NodeId {
        let shape = self.shape(x);
        self.graph.constant(vec![value; shape.iter().product()], &shape)
    }

    pub fn scaled(&mut self, x: NodeId, factor: f32) -> NodeId {
        let factor = self.filled(x, factor);
        self.graph.mul(x, factor)
    }

    pub fn less(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let b = self.graph.neg(b);
        self.graph.add(a, b)
    }

    /// x W + b, of two dimensions.
    pub fn dense(&mut self, x: NodeId, name: &str) -> NodeId {
        let weight = self.param(&format!("{name}.weight"));
        self.biased(x, weight, name)
    }

    pub fn biased(&mut self, x: NodeId, weight: NodeId, name: &str) -> NodeId {
        let bias = self.param(&format!("{name}.bias"));
        let y = self.graph.matmul(x, weight);
        self.graph.bias_add(y, bias)
    }
}
