"""Sixteen 3 x 3 convolutions and three dense layers (Simonyan & Zisserman 2014, configuration E)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from image import conv, dense, dropout, finish, masks, max_pool, shared_names
from image import example as image_example
from image import initial as image_initial
from layout import Sizes, Spec, floats
from optim import Momentum

OPTIMIZER = Momentum(rate=0.01, momentum=0.9, decay=5e-4)

DEPTHS = (2, 2, 4, 4, 4)  # table 1

SIZES = {
    "full": dict(batch=8, size=224, classes=1000, c1=64, c2=128, c3=256, c4=512, c5=512, features=25088, fc6=4096,
                 fc7=4096),
    "tiny": dict(batch=4, size=32, classes=10, c1=8, c2=16, c3=32, c4=64, c5=64, features=64, fc6=64, fc7=64),
}


def names(mode: str) -> dict[str, Spec]:
    specs = {}
    before = "3"
    for stage, depth in enumerate(DEPTHS, 1):
        for layer in range(1, depth + 1):
            specs[f"param/conv{stage}_{layer}.weight"] = floats(f"3 3 {before} c{stage}")
            specs[f"param/conv{stage}_{layer}.bias"] = floats(f"c{stage}")
            before = f"c{stage}"
    for layer, ins, outs in [("fc6", "features", "fc6"), ("fc7", "fc6", "fc7"), ("fc8", "fc7", "classes")]:
        specs[f"param/{layer}.weight"] = floats(f"{ins} {outs}")
        specs[f"param/{layer}.bias"] = floats(outs)
    if mode == "train":
        specs |= {"random/fc6.dropout": floats("batch fc6"), "random/fc7.dropout": floats("batch fc7")}
    return specs | shared_names(mode)


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    h = inputs["image"]
    for stage, depth in enumerate(DEPTHS, 1):
        for layer in range(1, depth + 1):
            name = f"conv{stage}_{layer}"
            h = torch.relu(conv(h, p[f"{name}.weight"], pad=1) + p[f"{name}.bias"])
        h = max_pool(h, 2, 2)
    h = h.flatten(1)  # rows, columns, channels
    h = dropout(torch.relu(dense(p, h, "fc6")), "fc6", draws, mode == "train")
    h = dropout(torch.relu(dense(p, h, "fc7")), "fc7", draws, mode == "train")
    return finish(dense(p, h, "fc8"), inputs, mode)


initial = image_initial
example = image_example


def draws(sizes: Sizes, mode: str, generator: Generator) -> dict[str, Tensor]:
    return masks(sizes, mode, generator, {"fc6": "fc6", "fc7": "fc7"})
