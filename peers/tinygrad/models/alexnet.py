"""Five convolutions and three dense layers (Krizhevsky, Sutskever & Hinton 2012)."""

from __future__ import annotations

from tinygrad import Tensor

from .image import head
from .layers import Tensors, conv, max_pool


def lrn(x: Tensor) -> Tensor:
    """Response normalisation over five neighbouring channels (section 3.3).

    Kept on both ways: else tinygrad fuses it into every product that reads it, and computes its roots there once per window.
    """
    x = x.contiguous_backward()
    squares = x.square().pad((None, None, None, (2, 2)))
    total = sum(squares[..., j : j + x.shape[-1]] for j in range(5))
    return (x / (2 + 1e-4 * total).pow(0.75)).contiguous().contiguous_backward()


def forward(p: Tensors, inputs: Tensors, draws: Tensors) -> Tensors:
    def layer(x: Tensor, name: str, **settings: int) -> Tensor:
        return (conv(x, p[f"{name}.weight"], **settings) + p[f"{name}.bias"]).relu()

    h = max_pool(lrn(layer(inputs["image"], "conv1", stride=4, pad=2)), 3, 2)
    h = max_pool(lrn(layer(h, "conv2", pad=2, groups=2)), 3, 2)
    h = layer(h, "conv3", pad=1)
    h = layer(h, "conv4", pad=1, groups=2)
    h = max_pool(layer(h, "conv5", pad=1, groups=2), 3, 2)
    return head(p, h, inputs, draws)
