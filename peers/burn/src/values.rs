//! Tensors by name: what a step reads, and what of it is compared.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::Result;
use crate::models::Outputs;

/// A float tensor, flat, with its shape: its number of dimensions is known where it is used.
#[derive(Clone)]
pub struct Shaped {
    pub flat: Tensor<1>,
    pub shape: Vec<usize>,
}

impl<const D: usize> From<Tensor<D>> for Shaped {
    fn from(tensor: Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        Self { flat: tensor.flatten(0, D - 1), shape }
    }
}

impl Shaped {
    pub fn get<const D: usize>(&self) -> Tensor<D> {
        let shape: [usize; D] =
            self.shape.as_slice().try_into().expect("the model's number of dimensions");
        self.flat.clone().reshape(shape)
    }

    fn bytes(self) -> Result<(Vec<usize>, Vec<u8>)> {
        let values = self.flat.into_data().try_into_vec::<f32>().map_err(|e| format!("{e:?}"))?;
        Ok((self.shape, values.iter().flat_map(|x| x.to_le_bytes()).collect()))
    }
}

/// Parameters, inputs and draws of a step. Parameters named `fixed/` are not trained.
pub struct Values {
    pub device: Device,
    pub train: bool,
    floats: BTreeMap<String, Shaped>,
    integers: BTreeMap<String, (Tensor<1, Int>, Vec<usize>)>,
}

impl Values {
    pub fn load(path: &Path, device: &Device, train: bool) -> Result<Self> {
        let bytes = std::fs::read(path)?;
        let device = if train { device.clone().autodiff() } else { device.clone() };
        let (mut floats, mut integers) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in SafeTensors::deserialize(&bytes)?.iter() {
            let (shape, words) = (view.shape().to_vec(), view.data().chunks_exact(4));
            let len = shape.iter().product::<usize>();
            match view.dtype() {
                Dtype::F32 => {
                    let values: Vec<f32> =
                        words.map(|w| f32::from_le_bytes(w.try_into().unwrap())).collect();
                    let flat = Tensor::<1>::from_data(TensorData::new(values, [len]), &device);
                    let flat = if train && name.starts_with("param/") {
                        flat.require_grad()
                    } else {
                        flat
                    };
                    floats.insert(name.to_string(), Shaped { flat, shape });
                }
                Dtype::I32 => {
                    let values: Vec<i32> =
                        words.map(|w| i32::from_le_bytes(w.try_into().unwrap())).collect();
                    let flat = Tensor::<1, Int>::from_data(TensorData::new(values, [len]), &device);
                    integers.insert(name.to_string(), (flat, shape));
                }
                other => return Err(format!("{name} is {other:?}").into()),
            }
        }
        Ok(Self { device, train, floats, integers })
    }

    /// A parameter, trained or not.
    pub fn param<const D: usize>(&self, name: &str) -> Tensor<D> {
        let found = self
            .floats
            .get(&format!("param/{name}"))
            .or_else(|| self.floats.get(&format!("fixed/{name}")));
        found.unwrap_or_else(|| panic!("no parameter {name}")).get()
    }

    pub fn input<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.floats[&format!("input/{name}")].get()
    }

    pub fn integers<const D: usize>(&self, name: &str) -> Tensor<D, Int> {
        let (flat, shape) = &self.integers[&format!("input/{name}")];
        let shape: [usize; D] =
            shape.as_slice().try_into().expect("the model's number of dimensions");
        flat.clone().reshape(shape)
    }

    /// What is drawn by that name, if it was handed over.
    pub fn drawn<const D: usize>(&self, name: &str) -> Option<Tensor<D>> {
        self.floats.get(&format!("random/{name}")).map(Shaped::get)
    }

    pub fn drawn_integers(&self, name: &str) -> Option<Tensor<1, Int>> {
        self.integers.get(&format!("random/{name}")).map(|(flat, _)| flat.clone())
    }

    pub fn forget_draws(&mut self) {
        self.floats.retain(|name, _| !name.starts_with("random/"));
        self.integers.retain(|name, _| !name.starts_with("random/"));
    }

    /// A share of `rate` is dropped in training, the rest made larger.
    pub fn dropout<const D: usize>(&self, x: Tensor<D>, name: &str, rate: f64) -> Tensor<D> {
        if !self.train {
            return x;
        }
        let kept = self.drawn(&format!("{name}.dropout"));
        let kept = kept.unwrap_or_else(|| x.random_like(Distribution::Bernoulli(1.0 - rate)));
        x * kept * (1.0 / (1.0 - rate))
    }

    /// What is trained.
    pub fn trained(&self) -> impl Iterator<Item = (&String, &Shaped)> {
        self.floats.iter().filter(|(name, _)| name.starts_with("param/"))
    }

    /// Of all that is trained, by name.
    pub fn gradients(&self, outputs: &Outputs) -> Vec<(String, Tensor<1>)> {
        let loss = outputs.loss.as_ref().expect("a training step has a loss");
        let mut gradients = loss.backward();
        let of = |(name, value): (&String, &Shaped)| {
            let gradient = value.flat.grad_remove(&mut gradients);
            (name.clone(), gradient.unwrap_or_else(|| value.flat.clone().inner().zeros_like()))
        };
        self.trained().map(of).collect()
    }

    /// The new value of a trained parameter, a leaf of the next step's graph.
    pub fn set(&mut self, name: &str, flat: Tensor<1>) {
        self.floats.get_mut(name).expect("a parameter").flat =
            Tensor::from_inner(flat).require_grad();
    }

    /// What running statistics become.
    pub fn follow(&mut self, after: Vec<(String, Tensor<1>)>) {
        for (name, flat) in after {
            self.floats.get_mut(&format!("fixed/{name}")).expect("running statistics").flat =
                flat.detach();
        }
    }

    /// Writes `output/` and `grad/`.
    pub fn save(
        &self,
        path: &Path,
        outputs: Outputs,
        gradients: Vec<(String, Tensor<1>)>,
    ) -> Result<()> {
        let mut stored = Vec::new();
        let loss = outputs.loss.map(|loss| ("loss", Shaped { flat: loss, shape: Vec::new() }));
        for (name, value) in outputs.floats.into_iter().chain(loss) {
            stored.push((format!("output/{name}"), Dtype::F32, value.bytes()?));
        }
        for (name, value) in outputs.integers {
            let shape = value.dims().to_vec();
            let values = value
                .into_data()
                .convert::<i32>()
                .try_into_vec::<i32>()
                .map_err(|e| format!("{e:?}"))?;
            let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            stored.push((format!("output/{name}"), Dtype::I32, (shape, bytes)));
        }
        for (name, flat) in gradients {
            let value = Shaped { flat, shape: self.floats[&name].shape.clone() };
            stored.push((name.replacen("param/", "grad/", 1), Dtype::F32, value.bytes()?));
        }
        let views = stored.iter().map(|(name, dtype, (shape, bytes))| {
            Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        Ok(safetensors::serialize_to_file(views, None, path)?)
    }
}
