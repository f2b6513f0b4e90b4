//! What rayon does on all of the machine's threads, on the one that a page has.

use std::slice::{ChunksMut, Iter, IterMut};

/// Whatever can be gone through, one after the other.
pub trait IntoSerial: IntoIterator + Sized {
    /// As rayon's.
    fn into_par_iter(self) -> Self::IntoIter {
        self.into_iter()
    }
}

impl<T: IntoIterator> IntoSerial for T {}

/// Slices, by their elements or in parts.
pub trait SerialSlice<T> {
    /// As rayon's.
    fn par_iter(&self) -> Iter<'_, T>;
    /// As rayon's.
    fn par_iter_mut(&mut self) -> IterMut<'_, T>;
    /// As rayon's.
    fn par_chunks_mut(&mut self, length: usize) -> ChunksMut<'_, T>;
}

impl<T> SerialSlice<T> for [T] {
    fn par_iter(&self) -> Iter<'_, T> {
        self.iter()
    }

    fn par_iter_mut(&mut self) -> IterMut<'_, T> {
        self.iter_mut()
    }

    fn par_chunks_mut(&mut self, length: usize) -> ChunksMut<'_, T> {
        self.chunks_mut(length)
    }
}
