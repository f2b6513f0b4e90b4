//! Groups: many variables in one flat buffer, so that an optimiser is one dispatch over all of them.

use crate::tensor::{Shape, TensorSpec};

use super::{Builder, Graph, Init, Node, NodeKind, PARAMETERS, Tensor};

/// Elements a member's start is aligned to: 256 bytes, the largest alignment a device asks for.
pub const ALIGNMENT: usize = 64;

/// One variable of a group.
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
pub struct ParamGroup {
    /// `param`, `target`.
    pub name: String,
    /// In order of declaration.
    pub members: Vec<Member>,
}

/// Where a group's members lie in its flat tensor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// First element of each member, in order of declaration.
    pub offsets: Vec<usize>,
    /// Elements that weight decay applies to: the first so many.
    pub decayed: usize,
    /// Elements in all, gaps included.
    pub len: usize,
}

impl ParamGroup {
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

impl Builder {
    /// A variable of group `group` without weight decay, named `scope.name`.
    pub fn member(
        &self,
        group: &str,
        name: &str,
        shape: impl Into<Shape>,
        init: Init,
    ) -> Tensor<'_> {
        let member = Member { name: name.into(), shape: shape.into(), init, decays: false };
        self.whole(group, member)
    }

    /// A parameter without weight decay: a member of [`PARAMETERS`], or of the group that is being built in
    /// its place.
    pub fn parameter(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'_> {
        self.member(&self.parameter_group(), name, shape, init)
    }

    /// A parameter that weight decay applies to.
    pub fn weight(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'_> {
        let member = Member { name: name.into(), shape: shape.into(), init, decays: true };
        self.whole(&self.parameter_group(), member)
    }

    /// A weight as parts of `rows` of its first axis each; the last may have fewer. A part's elements must
    /// be a multiple of [`ALIGNMENT`].
    pub fn weight_rows(
        &self,
        name: &str,
        shape: impl Into<Shape>,
        rows: usize,
        init: Init,
    ) -> Vec<Tensor<'_>> {
        let member = Member { name: name.into(), shape: shape.into(), init, decays: true };
        self.parts(&self.parameter_group(), member, rows)
    }

    /// Parameters of one shape, with or without decay, as one tensor [n, elements of one and a gap], so that
    /// a kernel binds them all: each lies where it would alone, and they are declared one behind the other.
    pub fn parameter_stack(
        &self,
        names: &[String],
        shape: impl Into<Shape>,
        init: Init,
        decays: bool,
    ) -> Tensor<'_> {
        let shape = shape.into();
        let group = self.parameter_group();
        let stride = shape.len().next_multiple_of(ALIGNMENT);
        let declared = names.iter().map(|name| {
            let (name, shape, init) = (name.clone(), shape.clone(), init.clone());
            self.declare(&group, Member { name, shape, init, decays })
        });
        let declared: Vec<_> = declared.collect();
        let (group, member) = declared.first().copied().unwrap_or_default();
        let kind = NodeKind::Member { group, member, first: 0 };
        self.add(kind, &[], vec![TensorSpec::f32([names.len(), stride])])[0]
    }

    fn whole(&self, group: &str, member: Member) -> Tensor<'_> {
        let rows = member.shape.dims().first().copied().unwrap_or(1);
        self.parts(group, member, rows)[0]
    }

    fn parts(&self, group: &str, member: Member, rows: usize) -> Vec<Tensor<'_>> {
        let dims = member.shape.dims().to_vec();
        let (group, member) = self.declare(group, member);
        let part = |first: usize| {
            let mut part = dims.clone();
            if let Some(length) = part.first_mut() {
                *length = rows.min(*length - first);
            }
            let row: usize = dims.iter().skip(1).product();
            let first = first * row;
            let kind = NodeKind::Member { group, member, first };
            self.add(kind, &[], vec![TensorSpec::f32(part)])[0]
        };
        let length = dims.first().copied().unwrap_or(1);
        (0..length).step_by(rows.max(1)).map(part).collect()
    }

    /// Adds a member, under the scope's name, to a group; the index of both.
    fn declare(&self, group: &str, mut member: Member) -> (usize, usize) {
        let scope = self.scope();
        if !scope.is_empty() {
            member.name = format!("{scope}.{}", member.name);
        }
        // `target/conv1.weight`, also where the scope says `target.conv1`.
        if let Some(other) = self.other_parameters().filter(|other| other == group) {
            let prefix = format!("{other}.");
            let name = member.name.strip_prefix(&prefix).unwrap_or(&member.name);
            member.name = format!("{other}/{name}");
        }
        self.with_graph(|graph| {
            let at = graph.group(group).unwrap_or_else(|| {
                graph.groups.push(ParamGroup { name: group.to_string(), members: vec![] });
                graph.groups.len() - 1
            });
            graph.groups[at].members.push(member);
            (at, graph.groups[at].members.len() - 1)
        })
    }

    /// Builds a network whose parameters lie in group `name` and are called `name/..`: a second set of
    /// parameters that starts like the first and is not trained.
    pub fn with_parameters_in<T>(&self, name: &str, build: impl FnOnce() -> T) -> T {
        let before = self.replace_parameter_group(Some(name.to_string()));
        let built = build();
        self.replace_parameter_group(before);
        built
    }

    /// The parameters so far, in order of declaration; one that is cut into parts is several.
    pub fn parameters(&self) -> Vec<Tensor<'_>> {
        let ids: Vec<_> = self.with_graph(|graph| {
            let parts = graph.parts(graph.group(PARAMETERS).unwrap_or(usize::MAX));
            parts.map(|(node, _)| node.outputs[0]).collect()
        });
        ids.into_iter().map(|id| self.tensor(id)).collect()
    }

    /// A group as one flat tensor, with its layout. All its members must have been declared.
    pub fn flat(&self, group: &str) -> (Tensor<'_>, Layout) {
        let (group, layout) = self.group(group);
        let spec = TensorSpec::f32([layout.len]);
        (self.add(NodeKind::Group { group }, &[], vec![spec])[0], layout)
    }

    /// One value for each member of a group, or for each of its parts, in order of declaration, as a flat
    /// tensor in the group's layout. Gaps are zero.
    pub fn pack<'g>(&'g self, group: &str, values: &[Tensor<'g>]) -> Tensor<'g> {
        let (group, layout) = self.group(group);
        let spec = TensorSpec::f32([layout.len]);
        self.add(NodeKind::Flat { group }, values, vec![spec])[0]
    }

    fn group(&self, name: &str) -> (usize, Layout) {
        let known = self.with_graph(|graph| {
            let at = graph.group(name)?;
            Some((at, graph.groups[at].layout()))
        });
        known.unwrap_or_else(|| {
            self.fail(format!("there is no group '{name}'"));
            let layout = ParamGroup::default().layout();
            (0, layout)
        })
    }
}

impl Graph {
    /// The index of the group `name`.
    fn group(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name == name)
    }

    /// The nodes that are members of a group or parts of them, in order, with their first element in the
    /// group.
    pub(crate) fn parts(&self, group: usize) -> impl Iterator<Item = (&Node, usize)> {
        let layout = self.groups.get(group).map(ParamGroup::layout).unwrap_or_default();
        self.nodes.iter().filter_map(move |node| match node.kind {
            NodeKind::Member { group: of, member, first } if of == group => {
                Some((node, layout.offsets[member] + first))
            }
            _ => None,
        })
    }
}
