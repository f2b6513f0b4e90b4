//! Shapes, element types and the host arrays that the f64 references work on: no GPU here.

use std::fmt;

use half::f16;

use crate::host::parallel::*;

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer.
    U32,
    /// 32-bit signed integer.
    I32,
    /// 8-bit unsigned integer, four to a 32-bit word on the GPU.
    U8,
    /// 16-bit float.
    F16,
    /// 16-bit float that holds [`DType::SCALE`] times the value: gradients of losses that are means are small.
    ScaledF16,
}

impl DType {
    /// What a scaled f16 multiplies by: values of 6e-8 to 64 keep all bits, down to 6e-11 some.
    pub const SCALE: f32 = 1024.0;

    /// Bytes an element takes.
    pub const fn size(self) -> usize {
        match self {
            Self::F32 | Self::U32 | Self::I32 => 4,
            Self::F16 | Self::ScaledF16 => 2,
            Self::U8 => 1,
        }
    }

    /// Whether it is one of the floats.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::ScaledF16)
    }

    /// Whether it is one of the 16-bit floats.
    pub const fn is_half(self) -> bool {
        matches!(self, Self::F16 | Self::ScaledF16)
    }

    /// What a value is multiplied by to become what is kept.
    pub const fn scale(self) -> f32 {
        if matches!(self, Self::ScaledF16) { Self::SCALE } else { 1.0 }
    }

    /// A value rounded to the nearest of this type.
    pub fn rounded(self, value: f64) -> f64 {
        let scale = f64::from(self.scale());
        match self {
            Self::F32 => f64::from(value as f32),
            Self::F16 | Self::ScaledF16 => f16::from_f64(value * scale).to_f64() / scale,
            Self::U32 | Self::I32 | Self::U8 => value,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U8 => "u8",
            Self::F16 => "f16",
            Self::ScaledF16 => "scaled f16",
        })
    }
}

/// The lengths of a tensor's axes, row-major; a scalar has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// The axes' lengths.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of the last axis; 1 for a scalar.
    pub fn last(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }

    /// Number of rows when all axes but the last are taken as one.
    pub fn rows(&self) -> usize {
        self.0[..self.0.len().saturating_sub(1)].iter().product()
    }

    /// The shape both broadcast to under numpy's rule, if there is one.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let axis = |s: &Shape, i: usize| (i + s.rank()).checked_sub(rank).map_or(1, |j| s.0[j]);
        (0..rank)
            .map(|i| match (axis(self, i), axis(other, i)) {
                (a, b) if a == b => Some(a),
                (1, b) => Some(b),
                (a, 1) => Some(a),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Shape)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self(dims.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Self(dims)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Self(dims.to_vec())
    }
}

/// Shape and element type: all that is known of a tensor before the program runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorSpec {
    /// Lengths of the axes.
    pub shape: Shape,
    /// Element type.
    pub dtype: DType,
}

impl TensorSpec {
    /// A tensor of `dtype`.
    pub fn new(shape: impl Into<Shape>, dtype: DType) -> Self {
        Self { shape: shape.into(), dtype }
    }

    /// An f32 tensor.
    pub fn f32(shape: impl Into<Shape>) -> Self {
        Self::new(shape, DType::F32)
    }

    /// A u32 tensor.
    pub fn u32(shape: impl Into<Shape>) -> Self {
        Self::new(shape, DType::U32)
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape.is_empty()
    }

    /// Bytes on the GPU: whole 32-bit words.
    pub fn bytes(&self) -> u64 {
        (self.len() * self.dtype.size()).next_multiple_of(4) as u64
    }

    /// The axes' lengths.
    pub fn dims(&self) -> &[usize] {
        self.shape.dims()
    }

    /// Whether they are the same but for how floats are stored.
    pub fn is_like(&self, other: &Self) -> bool {
        let types = self.dtype == other.dtype || self.dtype.is_float() && other.dtype.is_float();
        types && self.shape == other.shape
    }

    /// The same tensor with so many rows: another length of its first axis, where it has one.
    pub fn with_rows(&self, rows: usize) -> Self {
        let mut dims = self.dims().to_vec();
        if let Some(first) = dims.first_mut() {
            *first = rows;
        }
        Self::new(dims, self.dtype)
    }
}

impl fmt::Display for TensorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}

/// Elements that a thread converts in a row.
const PART: usize = 1 << 16;

/// A tensor's values on the host as f64, which holds every f32 and u32 exactly.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Shape and the type the values have on the GPU.
    pub spec: TensorSpec,
    /// Values, row-major.
    pub data: Vec<f64>,
}

impl Array {
    /// An array of `spec` holding `data`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn new(spec: TensorSpec, data: Vec<f64>) -> Self {
        assert_eq!(spec.len(), data.len(), "{spec} does not match the data");
        Self { spec, data }
    }

    /// An f32 array.
    pub fn f32(shape: impl Into<Shape>, data: Vec<f64>) -> Self {
        Self::new(TensorSpec::f32(shape), data)
    }

    /// All zeros.
    pub fn zeros(spec: TensorSpec) -> Self {
        let data = vec![0.0; spec.len()];
        Self { spec, data }
    }

    /// The axes' lengths.
    pub fn dims(&self) -> &[usize] {
        self.spec.dims()
    }

    /// The bytes the GPU holds for these values.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = match self.spec.dtype {
            DType::F32 => self.to_words(|x| (x as f32).to_le_bytes()),
            DType::U32 => self.to_words(|x| (x as u32).to_le_bytes()),
            DType::I32 => self.to_words(|x| (x as i32).to_le_bytes()),
            DType::U8 => self.data.iter().map(|&x| x as u8).collect(),
            half @ (DType::F16 | DType::ScaledF16) => {
                let scale = f64::from(half.scale());
                self.to_words(|x| f16::from_f64(x * scale).to_le_bytes())
            }
        };
        bytes.resize(self.spec.bytes() as usize, 0);
        bytes
    }

    fn to_words<const N: usize>(&self, word: impl Fn(f64) -> [u8; N] + Sync) -> Vec<u8> {
        let mut bytes = vec![0; N * self.data.len()];
        bytes.par_chunks_mut(N * PART).enumerate().for_each(|(part, bytes)| {
            for (bytes, &value) in bytes.chunks_exact_mut(N).zip(&self.data[part * PART..]) {
                bytes.copy_from_slice(&word(value));
            }
        });
        bytes
    }

    /// The values that `bytes`, read from the GPU, hold.
    ///
    /// # Panics
    /// If there are too few.
    pub fn from_bytes(spec: TensorSpec, bytes: &[u8]) -> Self {
        let count = spec.len();
        let data = match spec.dtype {
            DType::F32 => of_words(bytes, count, |word| f32::from_le_bytes(word) as f64),
            DType::U32 => of_words(bytes, count, |word| u32::from_le_bytes(word) as f64),
            DType::I32 => of_words(bytes, count, |word| i32::from_le_bytes(word) as f64),
            DType::U8 => bytes[..count].iter().map(|&b| b as f64).collect(),
            half @ (DType::F16 | DType::ScaledF16) => {
                let scale = f64::from(half.scale());
                of_words(bytes, count, |word| f16::from_le_bytes(word).to_f64() / scale)
            }
        };
        Self::new(spec, data)
    }

    /// The same values rounded to what the GPU holds.
    pub fn rounded(&self) -> Self {
        Self::from_bytes(self.spec.clone(), &self.to_bytes())
    }
}

/// The first `count` words as numbers.
fn of_words<const N: usize>(
    bytes: &[u8],
    count: usize,
    number: impl Fn([u8; N]) -> f64 + Sync,
) -> Vec<f64> {
    let bytes = &bytes[..N * count];
    let mut data = vec![0.0; count];
    data.par_chunks_mut(PART).enumerate().for_each(|(part, data)| {
        for (value, word) in data.iter_mut().zip(bytes[N * part * PART..].as_chunks().0) {
            *value = number(*word);
        }
    });
    data
}

/// A tensor's bytes as the GPU takes them: what data loaders hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTensor {
    /// Shape and type.
    pub spec: TensorSpec,
    /// Little-endian values, row-major, padded to whole 32-bit words.
    pub bytes: Vec<u8>,
}

impl HostTensor {
    /// f32 values of `shape`.
    ///
    /// # Panics
    /// If there are more or fewer values than `shape` says.
    pub fn f32(shape: impl Into<Shape>, values: &[f32]) -> Self {
        Self::new(TensorSpec::f32(shape), values.len(), bytemuck::cast_slice(values))
    }

    /// u32 values of `shape`.
    ///
    /// # Panics
    /// If there are more or fewer values than `shape` says.
    pub fn u32(shape: impl Into<Shape>, values: &[u32]) -> Self {
        Self::new(TensorSpec::u32(shape), values.len(), bytemuck::cast_slice(values))
    }

    fn new(spec: TensorSpec, len: usize, bytes: &[u8]) -> Self {
        assert_eq!(spec.len(), len, "{spec} does not match the data");
        let bytes = bytes.to_vec();
        Self { spec, bytes }
    }

    /// The values as f64.
    pub fn array(&self) -> Array {
        Array::from_bytes(self.spec.clone(), &self.bytes)
    }
}

impl From<&Array> for HostTensor {
    fn from(array: &Array) -> Self {
        let (spec, bytes) = (array.spec.clone(), array.to_bytes());
        Self { spec, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let s = |d: &[usize]| Shape::from(d);
        assert_eq!(s(&[4, 1, 3]).broadcast(&s(&[5, 1])), Some(s(&[4, 5, 3])));
        assert_eq!(s(&[]).broadcast(&s(&[2])), Some(s(&[2])));
        assert_eq!(s(&[2, 3]).broadcast(&s(&[2])), None);
    }

    #[test]
    fn halves_keep_eleven_bits_of_what_lies_in_their_range() {
        let third = 1.0 / 3.0;
        for (dtype, least, most) in [(DType::F16, 6e-5, 65_504.0), (DType::ScaledF16, 6e-8, 63.9)] {
            for value in [third * least * 10.0, third, third * most] {
                let error = (dtype.rounded(value) - value).abs() / value;
                assert!(error <= 2_f64.powi(-11) && error > 0.0, "{dtype} {value}: {error}");
            }
            assert_eq!(dtype.rounded(2.0 * most), f64::INFINITY);
        }
        let array = Array::new(TensorSpec::new([2], DType::ScaledF16), vec![third, -1e-7]);
        assert_eq!(
            array.rounded().data,
            array.data.iter().map(|&x| DType::ScaledF16.rounded(x)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn bytes_round_trip_for_every_type() {
        use DType::{F16, F32, I32, ScaledF16, U8, U32};
        for dtype in [F32, U32, I32, U8, F16, ScaledF16] {
            let array = Array::new(TensorSpec::new([3], dtype), vec![0.0, 7.0, 50.0]);
            assert_eq!(array.rounded(), array);
            assert_eq!(array.to_bytes().len() % 4, 0);
        }
    }
}
