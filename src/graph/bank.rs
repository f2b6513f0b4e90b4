//! Banks: many variables in one flat buffer, so that an optimiser is one dispatch over all of them.

use crate::tensor::{Shape, TensorSpec};

use super::{Graph, Init, Kind, Node, Nodes, Tensor};

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
        Layout { offsets, decayed, len: at }
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
        let shape = shape.into();
        let rows = shape.dims().first().copied().unwrap_or(1);
        self.member_rows(bank, name, shape, rows, init)[0]
    }

    /// Adds a member to a bank; the index of both.
    fn declare(&self, bank: &str, name: &str, shape: Shape, init: Init) -> (usize, usize) {
        let scope = self.scope();
        let name = if scope.is_empty() { name.to_string() } else { format!("{scope}.{name}") };
        // `target/conv1.weight`, also where the scope says `target.conv1`.
        let name = match self.other_parameters().filter(|other| other == bank) {
            Some(other) => {
                let own = name.strip_prefix(&format!("{other}.")).unwrap_or(&name);
                format!("{other}/{own}")
            }
            None => name,
        };
        let member = Member { decays: name.ends_with("weight"), name, shape, init };
        self.with_nodes(|nodes| {
            let found = nodes.banks.iter().position(|b| b.name == bank);
            let at = found.unwrap_or(nodes.banks.len());
            if found.is_none() {
                nodes.banks.push(Bank { name: bank.to_string(), members: vec![] });
            }
            nodes.banks[at].members.push(member);
            (at, nodes.banks[at].members.len() - 1)
        })
    }

    /// A variable as parts of `rows` of its first axis each; the last may have fewer. A part's elements
    /// must be a multiple of 64.
    pub fn member_rows(
        &self,
        bank: &str,
        name: &str,
        shape: impl Into<Shape>,
        rows: usize,
        init: Init,
    ) -> Vec<Tensor<'_>> {
        let shape = shape.into();
        let dims = shape.dims().to_vec();
        let (bank, member) = self.declare(bank, name, shape, init);
        let part = |first: usize| {
            let mut part = dims.clone();
            if let Some(all) = part.first_mut() {
                *all = rows.min(*all - first);
            }
            let row: usize = dims.iter().skip(1).product();
            let first = first * row;
            let kind = Kind::Member { bank, member, first };
            self.add(kind, &[], vec![TensorSpec::f32(part)])[0]
        };
        let all = dims.first().copied().unwrap_or(1);
        (0..all).step_by(rows.max(1)).map(part).collect()
    }

    /// A parameter: a member of bank `param`, or of the bank that is being built in its place.
    pub fn parameter(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'_> {
        self.member(&self.parameter_bank(), name, shape, init)
    }

    /// A parameter in parts: see [`Graph::member_rows`].
    pub fn parameter_rows(
        &self,
        name: &str,
        shape: impl Into<Shape>,
        rows: usize,
        init: Init,
    ) -> Vec<Tensor<'_>> {
        self.member_rows(&self.parameter_bank(), name, shape, rows, init)
    }

    /// Parameters of one shape as one tensor [n, elements of one and a gap], so that a kernel binds them all:
    /// each lies where it would alone, and they are declared one behind the other.
    pub fn parameter_stack(
        &self,
        names: &[String],
        shape: impl Into<Shape>,
        init: Init,
    ) -> Tensor<'_> {
        let shape = shape.into();
        let bank = self.parameter_bank();
        let stride = shape.len().next_multiple_of(ALIGNMENT);
        let members =
            names.iter().map(|name| self.declare(&bank, name, shape.clone(), init.clone()));
        let members: Vec<_> = members.collect();
        let (bank, member) = members.first().copied().unwrap_or_default();
        let kind = Kind::Member { bank, member, first: 0 };
        self.add(kind, &[], vec![TensorSpec::f32([names.len(), stride])])[0]
    }

    /// Builds a network whose parameters lie in bank `name` and are called `name/..`: a second set of
    /// parameters that starts like the first and is not trained.
    pub fn with_parameters_in<T>(&self, name: &str, build: impl FnOnce() -> T) -> T {
        let before = self.replace_parameter_bank(Some(name.to_string()));
        let built = build();
        self.replace_parameter_bank(before);
        built
    }

    /// The parameters so far, in order of declaration; one that is cut into parts is several.
    pub fn parameters(&self) -> Vec<Tensor<'_>> {
        let ids: Vec<_> = self.with_nodes(|nodes| {
            let param = nodes.banks.iter().position(|b| b.name == "param");
            let parts = nodes.parts(param.unwrap_or(usize::MAX));
            parts.map(|(node, _)| node.outputs[0]).collect()
        });
        ids.into_iter().map(|id| self.tensor(id)).collect()
    }

    /// A bank as one flat tensor, with its layout. All its members must have been declared.
    pub fn flat(&self, bank: &str) -> (Tensor<'_>, Layout) {
        let (bank, layout) = self.bank(bank);
        let spec = TensorSpec::f32([layout.len]);
        (self.add(Kind::Bank { bank }, &[], vec![spec])[0], layout)
    }

    /// One value for each member of a bank, or for each of its parts, in order of declaration, as a flat
    /// tensor in the bank's layout. Gaps are zero.
    pub fn pack<'g>(&'g self, bank: &str, values: &[Tensor<'g>]) -> Tensor<'g> {
        let (bank, layout) = self.bank(bank);
        let spec = TensorSpec::f32([layout.len]);
        self.add(Kind::Pack { bank }, values, vec![spec])[0]
    }

    fn bank(&self, name: &str) -> (usize, Layout) {
        let found = self.with_nodes(|nodes| {
            let at = nodes.banks.iter().position(|b| b.name == name)?;
            Some((at, nodes.banks[at].layout()))
        });
        found.unwrap_or_else(|| {
            self.fail(format!("there is no bank '{name}'"));
            let layout = Bank::default().layout();
            (0, layout)
        })
    }
}

impl Nodes {
    /// The nodes that are members of a bank or parts of them, in order, with their first element in the
    /// bank.
    pub(super) fn parts(&self, bank: usize) -> impl Iterator<Item = (&Node, usize)> {
        let layout = self.banks.get(bank).map(Bank::layout).unwrap_or_default();
        self.nodes.iter().filter_map(move |node| match node.kind {
            Kind::Member { bank: own, member, first } if own == bank => {
                Some((node, layout.offsets[member] + first))
            }
            _ => None,
        })
    }
}
