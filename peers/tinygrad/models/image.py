"""How the classifiers of images end."""

from __future__ import annotations

from tinygrad import Tensor

from .layers import Tensors, cross_entropy, dense, dropout


def head(p: Tensors, h: Tensor, inputs: Tensors, draws: Tensors) -> Tensors:
    """Three dense layers, of whose hidden units half are dropped."""
    h = h.flatten(1)  # rows, columns, channels
    for name in ("fc6", "fc7"):
        h = dropout(dense(p, h, name).relu(), name, draws, 0.5)
    return finish(dense(p, h, "fc8"), inputs)


def finish(logits: Tensor, inputs: Tensors) -> Tensors:
    return {"logits": logits, "loss": cross_entropy(logits, inputs["label"]).mean()}
