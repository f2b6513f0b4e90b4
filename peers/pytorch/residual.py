"""ResNet-34 with projection shortcuts (He, Zhang, Ren & Sun 2015)."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from image import conv, dense, finish, max_pool, shared_names
from image import example as image_example
from image import initial as image_initial
from layout import Sizes, Spec, floats
from optim import Momentum, Optimizer

OPTIMIZER = Momentum(rate=0.1, momentum=0.9, decay=1e-4)  # at a batch of 256 (section 3.4)

BLOCKS = (3, 4, 6, 3)  # table 1, 34-layer
EPSILON = 1e-5

SIZES = {
    "full": dict(batch=16, size=224, classes=1000, w1=64, w2=128, w3=256, w4=512),
    "tiny": dict(batch=4, size=32, classes=10, w1=8, w2=16, w3=32, w4=64),
}


def optimizer(batch: int) -> Optimizer:
    return replace(OPTIMIZER, rate=OPTIMIZER.rate * batch / 256)


def blocks() -> list[tuple[str, str, str, int]]:
    """Name, channels before and after, stride of each block."""
    found, before = [], "w1"
    for stage, count in enumerate(BLOCKS, 1):
        for at in range(1, count + 1):
            stride = 2 if stage > 1 and at == 1 else 1
            found.append((f"stage{stage}.block{at}", before, f"w{stage}", stride))
            before = f"w{stage}"
    return found


def names(mode: str) -> dict[str, Spec]:
    specs = {"param/conv1.weight": floats("7 7 3 w1")}
    norms = {"bn1": "w1"}
    for name, before, after, stride in blocks():
        specs[f"param/{name}.conv1.weight"] = floats(f"3 3 {before} {after}")
        specs[f"param/{name}.conv2.weight"] = floats(f"3 3 {after} {after}")
        norms |= {f"{name}.bn1": after, f"{name}.bn2": after}
        if stride == 2:
            specs[f"param/{name}.shortcut.conv.weight"] = floats(f"1 1 {before} {after}")
            norms[f"{name}.shortcut.bn"] = after
    for name, channels in norms.items():
        specs |= {f"param/{name}.{part}": floats(channels) for part in ("scale", "shift")}
        specs |= {f"param/{name}.{part}": floats(channels)._replace(trained=False) for part in ("mean", "var")}
    specs |= {"param/fc.weight": floats("w4 classes"), "param/fc.bias": floats("classes")}
    return specs | shared_names(mode)


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    running = {}

    def norm(x: Tensor, name: str) -> Tensor:
        """Batch norm (Ioffe & Szegedy 2015), over the batch in training and the running values else."""
        scale, shift = p[f"{name}.scale"], p[f"{name}.shift"]
        mean, var = p[f"{name}.mean"].clone(), p[f"{name}.var"].clone()  # which torch updates in place
        training = mode == "train"
        if training and x[..., 0].numel() == 1:  # one value is its own mean; torch refuses it
            y = (x - x.flatten(0, 2)) * scale + shift
            mean, var = 0.9 * mean + 0.1 * x.detach().flatten(0, 2)[0], 0.9 * var
        else:
            y = F.batch_norm(x.permute(0, 3, 1, 2), mean, var, scale, shift, training, 0.1, EPSILON)
            y = y.permute(0, 2, 3, 1)
        if training:
            running[f"after/{name}.mean"], running[f"after/{name}.var"] = mean, var
        return y

    h = torch.relu(norm(conv(inputs["image"], p["conv1.weight"], stride=2, pad=3), "bn1"))
    h = max_pool(h, 3, 2, 1)
    for name, _, _, stride in blocks():
        shortcut = h
        h = torch.relu(norm(conv(h, p[f"{name}.conv1.weight"], stride=stride, pad=1), f"{name}.bn1"))
        h = norm(conv(h, p[f"{name}.conv2.weight"], pad=1), f"{name}.bn2")
        if stride == 2:
            projected = conv(shortcut, p[f"{name}.shortcut.conv.weight"], stride=2)
            shortcut = norm(projected, f"{name}.shortcut.bn")
        h = torch.relu(h + shortcut)
    return finish(dense(p, h.mean((1, 2)), "fc"), inputs, mode) | running


def initial(name: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    if name.endswith((".scale", ".var")):
        return 0.5 + torch.rand(shape, generator=generator)
    return image_initial(name, shape, generator)


example = image_example


def draws(sizes: Sizes, mode: str, generator: Generator) -> dict[str, Tensor]:
    return {}
