//! Banks: many variables in one flat buffer, so that an optimiser is one dispatch over all of them.

use crate::tensor::{Shape, TensorSpec};

use super::{Graph, Init, Kind, Tensor};

/// Elements a member's start is aligned to: 256 bytes, the largest alignment a device asks for.
pub const ALIGNMENT: usize = 64;

/// One variable of a bank.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// As in a snapshot: `dense1.weight`.
    pub name: String,
    /// Shape; always f32.
    pub shape: Shape,
    /// Its start.
    pub init: Init,
    /// Whether weight decay applies: weights, not biases.
    pub decays: bool,
}

/// A named set of variables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bank {
    /// `param`, `target`.
    pub name: String,
    /// In order of declaration.
    pub members: Vec<Member>,
}

/// Where a bank's members lie in its flat tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// First element of each member, in order of declaration.
    pub offsets: Vec<usize>,
    /// Elements that weight decay applies to: the first so many.
    pub decayed: usize,
    /// Elements in all, gaps included.
    pub len: usize,
}

impl Bank {
    /// Members that decay first, each aligned.
    pub fn layout(&self) -> Layout {
        let mut offsets = vec![0; self.members.len()];
        let mut at = 0usize;
        let mut decayed = 0;
        for decays in [true, false] {
            for (offset, member) in offsets.iter_mut().zip(&self.members) {
                if member.decays == decays {
                    *offset = at;
                    at = (at + member.shape.len()).next_multiple_of(ALIGNMENT);
                }
            }
            if decays {
                decayed = at;
            }
        }
        Layout {
            offsets,
            decayed,
            len: at,
        }
    }

    /// Number of values, gaps not counted.
    pub fn parameters(&self) -> usize {
        self.members.iter().map(|m| m.shape.len()).sum()
    }
}

impl Graph {
    /// A variable of bank `bank`, named `scope.name`.
    pub fn member(
        &self,
        bank: &str,
        name: &str,
        shape: impl Into<Shape>,
        init: Init,
    ) -> Tensor<'_> {
        let scope = self.scope();
        let name = if scope.is_empty() {
            name.to_string()
        } else {
            format!("{scope}.{name}")
        };
        let member = Member {
            decays: name.ends_with("weight"),
            name,
            shape: shape.into(),
            init,
        };
        let spec = TensorSpec::f32(member.shape.clone());
        let (bank, index) = self.with_nodes(|nodes| {
            let found = nodes.banks.iter().position(|b| b.name == bank);
            let at = found.unwrap_or(nodes.banks.len());
            if found.is_none() {
                nodes.banks.push(Bank {
                    name: bank.to_string(),
                    members: vec![],
                });
            }
            nodes.banks[at].members.push(member);
            (at, nodes.banks[at].members.len() - 1)
        });
        let kind = Kind::Member {
            bank,
            member: index,
        };
        self.add(kind, &[], vec![spec])[0]
    }

    /// A parameter: a member of bank `param`.
    pub fn parameter(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'_> {
        self.member("param", name, shape, init)
    }

    /// The parameters so far, in order of declaration.
    pub fn parameters(&self) -> Vec<Tensor<'_>> {
        let ids: Vec<_> = self.with_nodes(|nodes| {
            let param = nodes.banks.iter().position(|b| b.name == "param");
            let of_param = |n: &&super::Node| matches!(n.kind, Kind::Member { bank, .. } if Some(bank) == param);
            nodes.nodes.iter().filter(of_param).map(|n| n.outputs[0]).collect()
        });
        ids.into_iter().map(|id| self.tensor(id)).collect()
    }

    /// Bank `param` as one flat tensor, with its layout. All parameters must have been declared.
    pub fn flat_parameters(&self) -> (Tensor<'_>, Layout) {
        let (bank, layout) = self.param_bank();
        let spec = TensorSpec::f32([layout.len]);
        (self.add(Kind::Bank { bank }, &[], vec![spec])[0], layout)
    }

    /// One gradient for each parameter, in order of declaration, as a flat tensor in the parameters'
    /// layout. Gaps are zero.
    pub fn pack<'g>(&'g self, gradients: &[Tensor<'g>]) -> Tensor<'g> {
        let (bank, layout) = self.param_bank();
        let spec = TensorSpec::f32([layout.len]);
        self.add(Kind::Pack { bank }, gradients, vec![spec])[0]
    }

    fn param_bank(&self) -> (usize, Layout) {
        let found = self.with_nodes(|nodes| {
            let at = nodes.banks.iter().position(|b| b.name == "param")?;
            Some((at, nodes.banks[at].layout()))
        });
        found.unwrap_or_else(|| {
            self.fail("there are no parameters".into());
            let layout = Bank::default().layout();
            (0, layout)
        })
    }
}
