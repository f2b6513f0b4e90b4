use super::map::Function;
use super::reduce::*;
use crate::graph::Tensor;
impl<'g> Tensor<'g> {
    pub fn bernoulli_cross_entropy(self, t: Tensor<'g>) -> Tensor<'g> {
        let a = self.sigmoid().map_with(Function::Log, &[]);
        let b = (-self).sigmoid().map_with(Function::Log, &[]);
        (-(t * a + (-t).offset(1.0) * b)).sum(1)
    }
    pub fn sum(self, axis: usize) -> Tensor<'g> {
        self.graph().apply1(
            Reduce {
                reduction: Reduction::Sum,
                first: axis,
                count: 1,
            },
            &[self],
        )
    }
    pub fn mean_all(self) -> Tensor<'g> {
        let count = self.spec().shape.rank();
        self.graph().apply1(
            Reduce {
                reduction: Reduction::Mean,
                first: 0,
                count,
            },
            &[self],
        )
    }
}
