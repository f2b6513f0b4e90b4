"""ResNet-34 with projection shortcuts (He, Zhang, Ren & Sun 2015)."""

from __future__ import annotations

from tinygrad import Tensor

from .image import finish
from .layers import Tensors, conv, dense, max_pool

BLOCKS = (3, 4, 6, 3)  # table 1, 34-layer
EPSILON = 1e-5
MOMENTUM = 0.1  # of the running statistics


def forward(p: Tensors, inputs: Tensors, draws: Tensors) -> Tensors:
    running = {}

    def norm(x: Tensor, name: str) -> Tensor:
        """Batch norm (Ioffe & Szegedy 2015), over the batch."""
        mean = x.mean((0, 1, 2))
        centred = x - mean
        var = centred.square().mean((0, 1, 2))
        count = x.shape[0] * x.shape[1] * x.shape[2]
        unbiased = var * (count / max(count - 1, 1))
        for part, now in (("mean", mean), ("var", unbiased)):
            running[f"after/{name}.{part}"] = (1 - MOMENTUM) * p[f"{name}.{part}"] + MOMENTUM * now.detach()
        return centred * (var + EPSILON).rsqrt() * p[f"{name}.scale"] + p[f"{name}.shift"]

    h = norm(conv(inputs["image"], p["conv1.weight"], stride=2, pad=3), "bn1").relu()
    h = max_pool(h, 3, 2, 1)
    for stage, count in enumerate(BLOCKS, 1):
        for at in range(1, count + 1):
            name, stride = f"stage{stage}.block{at}", 2 if stage > 1 and at == 1 else 1
            shortcut = h
            h = norm(conv(h, p[f"{name}.conv1.weight"], stride=stride, pad=1), f"{name}.bn1").relu()
            h = norm(conv(h, p[f"{name}.conv2.weight"], pad=1), f"{name}.bn2")
            if stride == 2:
                projected = conv(shortcut, p[f"{name}.shortcut.conv.weight"], stride=2)
                shortcut = norm(projected, f"{name}.shortcut.bn")
            h = (h + shortcut).relu()
    return finish(dense(p, h.mean((1, 2)), "fc"), inputs) | running
