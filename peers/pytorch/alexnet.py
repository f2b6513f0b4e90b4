"""Five convolutions and three dense layers (Krizhevsky, Sutskever & Hinton 2012)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from image import classifier_names, classify, conv, masks, max_pool
from image import example as image_example
from image import initial as image_initial
from layout import Spec, layers
from optim import Momentum

OPTIMIZER = Momentum(rate=0.01, momentum=0.9, decay=5e-4)

SIZES = {
    "full": dict(batch=64, size=224, classes=1000, c1=96, half1=48, c2=256, c3=384, half3=192, c4=384,
                 half4=192, c5=256, features=9216, fc6=4096, fc7=4096),
    "tiny": dict(batch=4, size=64, classes=10, c1=12, half1=6, c2=32, c3=48, half3=24, c4=48, half4=24, c5=32,
                 features=32, fc6=64, fc7=64),
}


def names(mode: str) -> dict[str, Spec]:
    convolutions = {
        "conv1": "11 11 3 c1", "conv2": "5 5 half1 c2", "conv3": "3 3 c2 c3", "conv4": "3 3 half3 c4",
        "conv5": "3 3 half4 c5",
    }
    return layers(convolutions) | classifier_names(mode)


def lrn(x: Tensor) -> Tensor:
    """Response normalisation over five neighbouring channels (section 3.3)."""
    squares = F.pad(x**2, (2, 2))
    total = sum(squares[..., j : j + x.shape[-1]] for j in range(5))
    return x / (2 + 1e-4 * total) ** 0.75


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    def layer(x: Tensor, name: str, **settings: int) -> Tensor:
        return torch.relu(conv(x, p[f"{name}.weight"], **settings) + p[f"{name}.bias"])

    h = max_pool(lrn(layer(inputs["image"], "conv1", stride=4, pad=2)), 3, 2)
    h = max_pool(lrn(layer(h, "conv2", pad=2, groups=2)), 3, 2)
    h = layer(h, "conv3", pad=1)
    h = layer(h, "conv4", pad=1, groups=2)
    h = max_pool(layer(h, "conv5", pad=1, groups=2), 3, 2)
    return classify(p, h, inputs, draws, mode)


initial = image_initial
example = image_example
draws = masks
