//! Tensors by name, as `peer.py` hands them over.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors};

use crate::turns::Result;

#[derive(Clone)]
pub struct Floats {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

pub struct Integers {
    pub shape: Vec<usize>,
    pub values: Vec<i32>,
}

/// Parameters, inputs and draws of a step. Parameters named `fixed/` are not trained.
#[derive(Default)]
pub struct Values {
    floats: BTreeMap<String, Floats>,
    integers: BTreeMap<String, Integers>,
}

impl Values {
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)?;
        let mut all = Self::default();
        for (name, view) in SafeTensors::deserialize(&bytes)?.iter() {
            let (shape, words) = (view.shape().to_vec(), view.data().chunks_exact(4));
            let words = words.map(|w| <[u8; 4]>::try_from(w).expect("four bytes"));
            match view.dtype() {
                Dtype::F32 => {
                    let values = words.map(f32::from_le_bytes).collect();
                    all.floats.insert(name.to_string(), Floats { shape, values });
                }
                Dtype::I32 => {
                    let values = words.map(i32::from_le_bytes).collect();
                    all.integers.insert(name.to_string(), Integers { shape, values });
                }
                other => return Err(format!("{name} is {other:?}").into()),
            }
        }
        Ok(all)
    }

    pub fn floats(&self, name: &str) -> &Floats {
        self.floats.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    pub fn integers(&self, name: &str) -> &Integers {
        self.integers.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.floats(name).shape.clone()
    }
}
