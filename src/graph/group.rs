//! Groups: many variables in one flat buffer, so that an optimiser is one dispatch over all of them.
//!
//! What belongs together is a set: `param`. It is one group, unless it is larger than the device lets a buffer be:
//! then it is several, one after the other, and a variable that is declared in parts may begin in one and end in the
//! next.

use std::ops::Range;

use crate::tensor::{Shape, TensorSpec};

use super::{Builder, Graph, Init, Node, NodeKind, PARAMETERS, Tensor};

/// Elements a member's start is aligned to: 256 bytes, the largest alignment a device asks for.
pub const ALIGNMENT: usize = 64;

/// One variable of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// As in a snapshot: `dense1.weight`.
    pub name: String,
    /// Shape of the whole variable; always f32.
    pub shape: Shape,
    /// The rows of its first axis that lie here: all of them, unless it is spread over several groups.
    pub rows: Range<usize>,
    /// Its start.
    pub init: Init,
    /// Whether weight decay applies: weights, not biases.
    pub decays: bool,
}

impl Member {
    /// The whole of a variable that decays or does not.
    fn new(name: &str, shape: impl Into<Shape>, init: Init, decays: bool) -> Self {
        let shape = shape.into();
        let rows = 0..shape.dims().first().copied().unwrap_or(1);
        Self { name: name.into(), shape, rows, init, decays }
    }

    /// Elements of one row.
    fn row(&self) -> usize {
        self.shape.dims().iter().skip(1).product()
    }

    /// Elements of the variable that lie in groups before this one.
    pub fn first(&self) -> usize {
        self.rows.start * self.row()
    }

    /// Elements that lie here.
    pub fn len(&self) -> usize {
        self.rows.len() * self.row()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the variable begins here: each does once.
    pub fn begins(&self) -> bool {
        self.rows.start == 0
    }
}

/// A set of variables, or the part of one that a buffer holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParamGroup {
    /// The set: `param`, `target`.
    pub set: String,
    /// Its own name, and its buffer's: that of the set, then `param.2` and so on.
    pub name: String,
    /// In order of declaration.
    pub members: Vec<Member>,
}

/// Where a group's members lie in its flat tensor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// First element of each member, in order of declaration.
    pub offsets: Vec<usize>,
    /// Elements that weight decay applies to, counted from the first.
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
                    at = (at + member.len()).next_multiple_of(ALIGNMENT);
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
        self.members.iter().map(Member::len).sum()
    }

    /// Elements that it takes in its buffer, gaps included.
    fn aligned(&self) -> usize {
        self.members.iter().map(|member| member.len().next_multiple_of(ALIGNMENT)).sum()
    }
}

/// The name of the `at`-th of several that are one thing: `velocity`, `velocity.2`.
pub fn numbered(name: &str, at: usize) -> String {
    if at == 0 { name.to_string() } else { format!("{name}.{}", at + 1) }
}

impl Builder {
    /// A variable of set `set` without weight decay, named `scope.name`.
    pub fn member(&self, set: &str, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'_> {
        self.whole(set, Member::new(name, shape, init, false))
    }

    /// A parameter without weight decay: a member of [`PARAMETERS`], or of the group that is being built in
    /// its place.
    pub fn parameter(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'_> {
        self.member(&self.parameter_group(), name, shape, init)
    }

    /// A parameter that weight decay applies to.
    pub fn weight(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'_> {
        self.whole(&self.parameter_group(), Member::new(name, shape, init, true))
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
        self.parts(&self.parameter_group(), Member::new(name, shape, init, true), rows)
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
        let set = self.parameter_group();
        let stride = shape.len().next_multiple_of(ALIGNMENT);
        let group = self.group_for(&set, names.len() * stride);
        let declared = names.iter().map(|name| {
            self.declare(group, Member::new(name, shape.clone(), init.clone(), decays))
        });
        let declared: Vec<_> = declared.collect();
        let member = declared.first().copied().unwrap_or_default();
        let kind = NodeKind::Member { group, member, first: 0 };
        self.add(kind, &[], vec![TensorSpec::f32([names.len(), stride])])[0]
    }

    fn whole(&self, set: &str, member: Member) -> Tensor<'_> {
        let rows = member.rows.len();
        self.parts(set, member, rows)[0]
    }

    /// Declares a variable, and makes a node for each part of `rows` rows. A part lies in one group.
    fn parts(&self, set: &str, member: Member, rows: usize) -> Vec<Tensor<'_>> {
        let row = member.row();
        let mut known: Option<(usize, usize)> = None; // group, member
        let part = |first: usize| {
            let rows = first..(first + rows).min(member.rows.end);
            let len = rows.len() * row;
            let group = self.group_for(set, len);
            let (group, at) = match known.filter(|(before, _)| *before == group) {
                Some((group, at)) => {
                    self.with_graph(|graph| graph.groups[group].members[at].rows.end = rows.end);
                    (group, at)
                }
                None => {
                    let piece = Member { rows: rows.clone(), ..member.clone() };
                    (group, self.declare(group, piece))
                }
            };
            known = Some((group, at));
            let mut dims = member.shape.dims().to_vec();
            if let Some(length) = dims.first_mut() {
                *length = rows.len();
            }
            let first =
                self.with_graph(|graph| rows.start - graph.groups[group].members[at].rows.start);
            let kind = NodeKind::Member { group, member: at, first: first * row };
            self.add(kind, &[], vec![TensorSpec::f32(dims)])[0]
        };
        (0..member.rows.end).step_by(rows.max(1)).map(part).collect()
    }

    /// The group of a set that takes `len` more elements: its last, or a new one where that would be longer than the
    /// device lets a buffer be.
    fn group_for(&self, set: &str, len: usize) -> usize {
        let most = self.max_buffer() / 4;
        self.with_graph(|graph| {
            let fits = |group: &ParamGroup| {
                (group.aligned() + len.next_multiple_of(ALIGNMENT)) as u64 <= most
            };
            let last = graph.groups_of(set).next_back().filter(|(_, group)| fits(group));
            if let Some(at) = last.map(|(at, _)| at) {
                return at;
            }
            let name = numbered(set, graph.groups_of(set).count());
            graph.groups.push(ParamGroup { set: set.to_string(), name, members: vec![] });
            graph.groups.len() - 1
        })
    }

    /// Adds a member, under the scope's name, to a group; its index there.
    fn declare(&self, group: usize, mut member: Member) -> usize {
        let scope = self.scope();
        if !scope.is_empty() {
            member.name = format!("{scope}.{}", member.name);
        }
        let set = self.with_graph(|graph| graph.groups[group].set.clone());
        // `target/conv1.weight`, also where the scope says `target.conv1`.
        if let Some(other) = self.other_parameters().filter(|other| *other == set) {
            let prefix = format!("{other}.");
            let name = member.name.strip_prefix(&prefix).unwrap_or(&member.name);
            member.name = format!("{other}/{name}");
        }
        self.with_graph(|graph| {
            graph.groups[group].members.push(member);
            graph.groups[group].members.len() - 1
        })
    }

    /// Builds a network whose parameters lie in set `name` and are called `name/..`: a second set of
    /// parameters that starts like the first and is not trained.
    pub fn with_parameters_in<T>(&self, name: &str, build: impl FnOnce() -> T) -> T {
        let before = self.replace_parameter_group(Some(name.to_string()));
        let built = build();
        self.replace_parameter_group(before);
        built
    }

    /// The parameters so far, in order of declaration; one that is cut into parts is several.
    pub fn parameters(&self) -> Vec<Tensor<'_>> {
        let ids = self.with_graph(|graph| {
            let parts =
                graph.nodes.iter().filter(|node| graph.group_of(node, PARAMETERS).is_some());
            parts.map(|node| node.outputs[0]).collect::<Vec<_>>()
        });
        ids.into_iter().map(|id| self.tensor(id)).collect()
    }

    /// A set as flat tensors with their layouts, one a group. All its members must have been declared.
    pub fn flat(&self, set: &str) -> Vec<(Tensor<'_>, Layout)> {
        let flat = |(group, layout): (usize, Layout)| {
            let spec = TensorSpec::f32([layout.len]);
            (self.add(NodeKind::Group { group }, &[], vec![spec])[0], layout)
        };
        self.groups(set).into_iter().map(flat).collect()
    }

    /// One value for each member of a set, or for each of its parts, in order of declaration, as flat tensors in the
    /// layouts of the set's groups. Gaps are zero.
    pub fn pack<'g>(&'g self, set: &str, values: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
        let groups: Vec<usize> = self.with_graph(|graph| {
            graph.nodes.iter().filter_map(|node| graph.group_of(node, set)).collect()
        });
        let flat = |(group, layout): (usize, Layout)| {
            let spec = TensorSpec::f32([layout.len]);
            let inside = values.iter().zip(&groups).filter(|(_, of)| **of == group);
            let inside: Vec<_> = inside.map(|(value, _)| *value).collect();
            self.add(NodeKind::Flat { group }, &inside, vec![spec])[0]
        };
        self.groups(set).into_iter().map(flat).collect()
    }

    fn groups(&self, set: &str) -> Vec<(usize, Layout)> {
        let known: Vec<_> = self.with_graph(|graph| {
            graph.groups_of(set).map(|(at, group)| (at, group.layout())).collect()
        });
        if known.is_empty() {
            self.fail(format!("there is no group '{set}'"));
            return vec![(0, Layout::default())];
        }
        known
    }
}

impl Graph {
    /// The groups of a set, in order, with their indices.
    fn groups_of(&self, set: &str) -> impl DoubleEndedIterator<Item = (usize, &ParamGroup)> {
        self.groups.iter().enumerate().filter(move |(_, group)| group.set == set)
    }

    /// The group of set `set` that a node is a member of.
    fn group_of(&self, node: &Node, set: &str) -> Option<usize> {
        match node.kind {
            NodeKind::Member { group, .. } if self.groups[group].set == set => Some(group),
            _ => None,
        }
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
