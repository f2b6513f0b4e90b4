"""An end-to-end memory network (Sukhbaatar 2015): three hops over a story, adjacent weights.

The sections and equations are the paper's. B stories of M sentences of S words, d dimensions, V words; word 0
is nil. The softmax of every hop is on: the linear start (section 4.2) is a schedule, not another step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from layout import Sizes, Spec, floats, integers
from optim import SGD

OPTIMIZER = SGD(rate=0.01, clip=40.0)
HOPS = 3

SIZES = {
    "full": dict(batch=32, memory=50, sentence=11, dimension=50, vocabulary=180),
    "tiny": dict(batch=32, memory=10, sentence=6, dimension=20, vocabulary=22),
}


def names(mode: str) -> dict[str, Spec]:
    specs = {}
    for k in range(HOPS + 1):
        specs[f"param/embedding{k}"] = floats("vocabulary dimension")
        specs[f"param/temporal{k}"] = floats("memory dimension")
    specs["input/story"] = integers("batch memory sentence")
    specs["input/question"] = integers("batch sentence")
    specs["input/answer"] = integers("batch")
    specs["output/logits"] = floats("batch vocabulary")
    if mode == "train":
        specs["output/loss"] = floats("")
    else:
        specs["input/answer"] = specs["input/answer"]._replace(optional=True)
    return specs


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    embedding, temporal = ([p[f"{name}{k}"] for k in range(HOPS + 1)] for name in ("embedding", "temporal"))
    # A nil word's row is zero and receives nothing, also where the last embedding is the output's matrix.
    word = (torch.arange(embedding[0].shape[0], device=embedding[0].device) > 0)[:, None]
    embedding = [torch.where(word, e, 0.0) for e in embedding]
    position = position_encoding(inputs["question"].shape[1], embedding[0])

    def sentence(words: Tensor, e: Tensor) -> Tensor:
        """Position encoding (section 4.1): sum over j of l_j * E[x_j]."""
        return (position * F.embedding(words.long(), e)).sum(-2)

    # Adjacent weights (section 2.2): B = A^1, A^(k+1) = C^k, W' = C^K; so a memory is made once for two hops.
    memories = [sentence(inputs["story"], e) + t for e, t in zip(embedding, temporal)]
    u = sentence(inputs["question"], embedding[0])
    for m, c in zip(memories, memories[1:]):
        weights = torch.softmax((m @ u[..., None])[..., 0], dim=1)  # eq. 1
        o = (weights[:, None] @ c)[:, 0]  # eq. 2
        u = u + o  # eq. 4
    logits = u @ embedding[-1].T  # eq. 3

    outputs = {"logits": logits}
    if mode == "train":
        # Summed over the batch (section 4.2), not the mean.
        outputs["loss"] = F.cross_entropy(logits, inputs["answer"].long(), reduction="sum")
    return outputs


def position_encoding(length: int, like: Tensor) -> Tensor:
    """l[j, n] = (1 - j/S) - (n/d)(1 - 2j/S), counted from 1 (section 4.1); S is of all sentences, nil or not."""
    dimension = like.shape[1]
    j = torch.arange(1, length + 1, dtype=like.dtype, device=like.device)[:, None] / length
    n = torch.arange(1, dimension + 1, dtype=like.dtype, device=like.device) / dimension
    return (1 - j) - n * (1 - 2 * j)


def initial(name: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Larger than the paper's 0.1, with which attention is all but even."""
    w = 0.5 * torch.randn(shape, generator=generator)
    if name.startswith("embedding"):
        w[0] = 0
    return w


def example(sizes: Sizes, generator: Generator) -> dict[str, Tensor]:
    """Sentences of any length, nil behind; stories that end before the memory does, nil behind as well."""
    batch, memory, sentence = sizes["batch"], sizes["memory"], sizes["sentence"]

    def uniform(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high + 1, shape, generator=generator).int()

    def words(lengths: Tensor) -> Tensor:
        some = uniform(1, sizes["vocabulary"] - 1, *lengths.shape, sentence)
        return some.masked_fill(torch.arange(sentence) >= lengths[..., None], 0)

    told = uniform((memory + 1) // 2, memory, batch)
    told[0] = memory
    lengths = uniform(1, sentence, batch, memory).masked_fill(torch.arange(memory) >= told[:, None], 0)
    return {
        "story": words(lengths),
        "question": words(uniform(1, sentence, batch)),
        "answer": uniform(1, sizes["vocabulary"] - 1, batch),
    }


def draws(sizes: Sizes, mode: str, generator: Generator) -> dict[str, Tensor]:
    return {}
