//! The backward pass of the hops, except for the answer's weight.

use crate::graph::op::{Facts, Kind, Op, Problem, Sampler};
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{MemoryHops, Network, WELL_CONDITIONED, dot};

/// The gradient with respect to the question and the memories: dlogits, memories, embeddings, states and
/// attention to dquestion [B, d] and dmemories [K, B, M, d].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryHopsGrad(pub MemoryHops);

impl Op for MemoryHopsGrad {
    fn kind(&self) -> Kind {
        Kind::new("memory_hops_grad", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let network = Network::of(self.0, &inputs[1], &inputs[2])?;
        if inputs[0] != network.logits() || inputs[3..] != network.saved() {
            return Err(format!(
                "{}, {} and {} are not of the forward pass over {}",
                inputs[0], inputs[3], inputs[4], inputs[1]
            ));
        }
        let outputs = [network.question(), network.memories()];
        let facts = Facts::moving(network.flops(2), inputs, outputs, network.tolerance())
            .drawn_from(WELL_CONDITIONED);
        Ok(Box::new(MemoryHopsGradProblem { network, facts }))
    }
}

#[derive(Debug)]
struct MemoryHopsGradProblem {
    network: Network,
    /// Outputs: dquestion and dmemories.
    facts: Facts,
}

impl Problem for MemoryHopsGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.network.variants("backward", "stories_back", caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let dispatch = self.network.dispatch(variant, caps);
        Lowered::one(
            dispatch
                .bind("d_logits", input(0))
                .bind("memories", input(1))
                .bind("embedding", input(2))
                .bind("states", input(3))
                .bind("attention", input(4))
                .bind("d_asked", output(0))
                .bind("d_memories", output(1)),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let network = self.network;
        let Network { op, batch, memories: m, dimension: d, hops, stride } = network;
        let [mut d_question, mut d_memories] = self.facts.zeros();
        for b in 0..batch {
            let memory = |k: usize, i: usize| &inputs[1].data[network.memory(k, b, i)..][..d];
            let d_logits = &inputs[0].data[b * op.vocabulary..][..op.vocabulary];
            let mut du = vec![0.0; d];
            for (word, d_logit) in d_logits.iter().enumerate().skip(1) {
                let row = &inputs[2].data[hops * stride + word * d..][..d];
                du.iter_mut().zip(row).for_each(|(du, e)| *du += d_logit * e);
            }
            for k in (0..hops).rev() {
                let p = &inputs[4].data[(b * hops + k) * m..][..m];
                let u = &inputs[3].data[(b * (hops + 1) + k) * d..][..d];
                let dp: Vec<f64> = (0..m).map(|i| dot(&du, memory(k + 1, i))).collect();
                let mean = if op.linear { 0.0 } else { dot(p, &dp) };
                let mut du_before = du.clone();
                for i in 0..m {
                    let d_score = if op.linear { dp[i] } else { p[i] * (dp[i] - mean) };
                    for n in 0..d {
                        d_memories.data[network.memory(k + 1, b, i) + n] += p[i] * du[n];
                        d_memories.data[network.memory(k, b, i) + n] += d_score * u[n];
                        du_before[n] += d_score * memory(k, i)[n];
                    }
                }
                du = du_before;
            }
            d_question.data[b * d..][..d].copy_from_slice(&du);
        }
        vec![d_question, d_memories]
    }

    /// States and attention that belong to the memories.
    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let draw = |spec| self.network.sample(spec, sampler);
        let mut arrays: Vec<_> = x.iter().chain([&self.network.question()]).map(draw).collect();
        let question = arrays.remove(x.len());
        let forward = self.network.forward(&[&question, &arrays[1], &arrays[2]]);
        for (array, saved) in arrays[3..].iter_mut().zip(&forward[1..]) {
            *array = saved.rounded();
        }
        arrays
    }
}
