//! The WGSL of a chain: as the body of the map kernel, or as another kernel's epilogue.

use crate::kernel::vector;
use crate::tensor::{Shape, TensorSpec};

use super::{Chain, Read, broadcast_strides};

/// How an input lies under the output's elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Element i at i.
    Full,
    /// One value for all.
    Scalar,
    /// A vector of this length along the last axes: i % n.
    Suffix(usize),
    /// One value for each run of this length: i / n.
    Prefix(usize),
    /// Anything else: a sum over axes of (i / inner % length) * stride.
    Axes(Vec<(usize, usize, usize)>),
}

impl Place {
    /// The place of `from` under `to`.
    pub(crate) fn of(from: &Shape, to: &Shape) -> Self {
        let (n, total) = (from.len(), to.len());
        let kept: Vec<usize> = from.dims().iter().copied().skip_while(|&d| d == 1).collect();
        let lead: Vec<usize> = from.dims().iter().rev().copied().skip_while(|&d| d == 1).collect();
        if n == total {
            Self::Full
        } else if n == 1 {
            Self::Scalar
        } else if to.dims().ends_with(&kept) {
            Self::Suffix(n)
        } else if from.rank() == to.rank()
            && to.dims().iter().rev().skip(to.rank() - lead.len()).eq(&lead)
        {
            Self::Prefix(total / n)
        } else {
            let strides = broadcast_strides(from, to);
            let mut inner = 1;
            let mut axes = Vec::new();
            for (&length, &stride) in to.dims().iter().zip(&strides).rev() {
                if stride > 0 {
                    axes.push((inner, length, stride));
                }
                inner *= length;
            }
            Self::Axes(axes)
        }
    }

    /// Whether groups of four elements can be read at once.
    pub(crate) fn allows_vec4(&self) -> bool {
        match self {
            Self::Full | Self::Scalar => true,
            Self::Suffix(n) | Self::Prefix(n) => n.is_multiple_of(4),
            Self::Axes(_) => false,
        }
    }

    /// Whether the binding is an array of vec4 in a kernel that works on four elements at once.
    fn is_wide(&self, width: usize) -> bool {
        width == 4 && matches!(self, Self::Full | Self::Suffix(_))
    }

    fn index(&self, width: usize) -> String {
        match self {
            Self::Full => "i".into(),
            Self::Scalar => "0u".into(),
            Self::Suffix(n) => format!("i % {}u", n / width),
            Self::Prefix(n) => format!("i / {}u", n / width),
            Self::Axes(axes) => {
                let term = |&(inner, length, stride): &(usize, usize, usize)| {
                    format!("i / {inner}u % {length}u * {stride}u")
                };
                axes.iter().map(term).collect::<Vec<_>>().join(" + ")
            }
        }
    }
}

/// What a chain's text calls its input `at`. Every device has eight storage bindings, one of them the
/// result's.
pub(crate) fn operand_name(at: usize) -> &'static str {
    const NAMES: [&str; 8] = ["in0", "in1", "in2", "in3", "in4", "in5", "in6", "in7"];
    NAMES[at]
}

/// Declarations from binding `first` on and the loads, for inputs from `skip` on.
fn loads(
    chain: &Chain,
    inputs: &[TensorSpec],
    shape: &Shape,
    width: usize,
    (skip, first): (usize, usize),
) -> (String, String) {
    let (mut declarations, mut body) = (String::new(), String::new());
    for (i, input) in inputs.iter().enumerate().take(chain.inputs).skip(skip) {
        let (binding, name) = (first + i - skip, operand_name(i));
        let place = Place::of(&chain.seen(i, input), shape);
        let at = place.index(width);
        let (element, value) = match chain.read(i) {
            Read::Clock => ("vec4<u32>", format!("{name}[0]")),
            Read::Index => ("u32", format!("{name}[{at}]")),
            // Where the row begins: its function reads from there on.
            Read::Row(length) => ("f32", format!("({at}) * {length}u")),
            Read::Value if place.is_wide(width) => (vector(width), format!("T({name}[{at}])")),
            Read::Value => ("f32", format!("T({name}[{at}])")),
        };
        declarations += &format!(
            "@group(0) @binding({binding}) var<storage, read> {name}: array<{element}>;\n"
        );
        body += &format!("    let v{i} = {value};\n");
    }
    (declarations, body)
}

fn steps(chain: &Chain, width: usize) -> String {
    let element = match chain.first / width {
        0 => "i".to_string(),
        before => format!("i + {before}u"),
    };
    let mut body = String::new();
    for (n, step) in chain.code.iter().enumerate() {
        let arguments: Vec<_> = step.arguments.iter().map(|a| format!("v{a}")).collect();
        let value = match step.function.row() {
            Some(_) => step.function.wgsl_of_row(operand_name(step.arguments[0]), &arguments),
            None => step.function.wgsl(&arguments, &element, width == 4),
        };
        body += &format!("    let v{} = {value};\n", chain.inputs + n);
    }
    body + &format!("    return v{};\n}}\n", chain.inputs + chain.code.len() - 1)
}

/// `fn NAME(i)`, in a kernel that has an alias T for groups of `width` elements: element i of `shape`. All inputs are
/// read from bindings `first` on.
pub(crate) fn function_of(
    name: &str,
    chain: &Chain,
    inputs: &[TensorSpec],
    shape: &Shape,
    first: usize,
    width: usize,
) -> String {
    let (declarations, loads) = loads(chain, inputs, shape, width, (0, first));
    let body = steps(chain, width);
    format!("{declarations}fn {name}(i: u32) -> T {{\n{loads}{body}")
}

/// `fn epilogue(v0, i)`, in a kernel that has an alias T for groups of `width` elements: input 0 is the value
/// about to be stored at element i of an output of `shape`, the others are read from bindings `first` on.
/// `inputs[0]` stands for that value.
pub(crate) fn epilogue_of(
    chain: &Chain,
    inputs: &[TensorSpec],
    shape: &Shape,
    first: usize,
    width: usize,
) -> String {
    let (declarations, loads) = loads(chain, inputs, shape, width, (1, first));
    let body = steps(chain, width);
    format!(
        "// use: common/philox\n{declarations}fn epilogue(v0: T, i: u32) -> T {{\n{loads}{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_recognised() {
        let place = |from: &[usize], to: &[usize]| Place::of(&from.into(), &to.into());
        assert_eq!(place(&[2, 3], &[2, 3]), Place::Full);
        assert_eq!(place(&[1, 1], &[2, 3]), Place::Scalar);
        assert_eq!(place(&[1, 3], &[2, 3]), Place::Suffix(3));
        assert_eq!(place(&[2, 1], &[2, 3]), Place::Prefix(3));
        assert_eq!(place(&[2, 1, 1], &[2, 3, 4]), Place::Prefix(12));
        assert_eq!(place(&[2, 1, 4], &[2, 3, 4]), Place::Axes(vec![(1, 4, 1), (12, 2, 4)]));
    }
}
