"""Sixteen 3 x 3 convolutions and three dense layers (Simonyan & Zisserman 2014, configuration E)."""

from __future__ import annotations

import torch
from torch import Tensor

from image import classifier_names, classify, conv, masks, max_pool
from image import example as image_example
from image import initial as image_initial
from layout import Spec, layers
from optim import Momentum

OPTIMIZER = Momentum(rate=0.01, momentum=0.9, decay=5e-4)

DEPTHS = (2, 2, 4, 4, 4)  # table 1

SIZES = {
    "full": dict(batch=8, size=224, classes=1000, c1=64, c2=128, c3=256, c4=512, c5=512, features=25088, fc6=4096,
                 fc7=4096),
    "tiny": dict(batch=4, size=32, classes=10, c1=8, c2=16, c3=32, c4=64, c5=64, features=64, fc6=64, fc7=64),
}


def names(mode: str) -> dict[str, Spec]:
    convolutions = {}
    before = "3"
    for stage, depth in enumerate(DEPTHS, 1):
        for layer in range(1, depth + 1):
            convolutions[f"conv{stage}_{layer}"] = f"3 3 {before} c{stage}"
            before = f"c{stage}"
    return layers(convolutions) | classifier_names(mode)


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    h = inputs["image"]
    for stage, depth in enumerate(DEPTHS, 1):
        for layer in range(1, depth + 1):
            name = f"conv{stage}_{layer}"
            h = torch.relu(conv(h, p[f"{name}.weight"], pad=1) + p[f"{name}.bias"])
        h = max_pool(h, 2, 2)
    return classify(p, h, inputs, draws, mode)


initial = image_initial
example = image_example
draws = masks
