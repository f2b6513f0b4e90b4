"""An end-to-end memory network (Sukhbaatar 2015): three hops over a story, adjacent weights."""

from __future__ import annotations

from tinygrad import Tensor

from .layers import Tensors, cross_entropy

HOPS = 3


def position_encoding(length: int, dimension: int) -> Tensor:
    """l[j, n] = (1 - j/S) - (n/d)(1 - 2j/S), counted from 1 (section 4.1)."""
    j = (Tensor.arange(length) + 1).float()[:, None] / length
    n = (Tensor.arange(dimension) + 1).float() / dimension
    return (1 - j) - n * (1 - 2 * j)


def forward(p: Tensors, inputs: Tensors, draws: Tensors) -> Tensors:
    vocabulary, dimension = p["embedding0"].shape
    # A nil word's row is zero and receives nothing, also where the last embedding is the output's matrix.
    word = (Tensor.arange(vocabulary) > 0)[:, None]
    embedding = [word.where(p[f"embedding{k}"], 0) for k in range(HOPS + 1)]
    position = position_encoding(inputs["question"].shape[1], dimension)

    def sentence(words: Tensor, e: Tensor) -> Tensor:
        """Position encoding (section 4.1): sum over j of l_j * E[x_j]."""
        return (position * e[words]).sum(-2)

    # Adjacent weights (section 2.2): B = A^1, A^(k+1) = C^k, W' = C^K; so a memory is made once for two hops.
    memories = [sentence(inputs["story"], e) + p[f"temporal{k}"] for k, e in enumerate(embedding)]
    u = sentence(inputs["question"], embedding[0])
    for m, c in zip(memories, memories[1:]):
        weights = (m @ u[..., None])[..., 0].softmax(1)  # eq. 1
        u = u + (weights[:, None] @ c)[:, 0]  # eq. 2 and 4
    logits = u @ embedding[-1].T  # eq. 3
    # Summed over the batch (section 4.2), not the mean.
    return {"logits": logits, "loss": cross_entropy(logits, inputs["answer"]).sum()}
