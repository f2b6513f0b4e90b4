"""Sixteen 3 x 3 convolutions and three dense layers (Simonyan & Zisserman 2014, configuration E)."""

from __future__ import annotations

from .image import head
from .layers import Tensors, conv, max_pool

DEPTHS = (2, 2, 4, 4, 4)  # table 1


def forward(p: Tensors, inputs: Tensors, draws: Tensors) -> Tensors:
    h = inputs["image"]
    for stage, depth in enumerate(DEPTHS, 1):
        for layer in range(1, depth + 1):
            name = f"conv{stage}_{layer}"
            h = (conv(h, p[f"{name}.weight"], pad=1) + p[f"{name}.bias"]).relu()
        h = max_pool(h, 2, 2)
    return head(p, h, inputs, draws)
