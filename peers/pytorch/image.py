"""What the models of images share: convolution and pooling over NHWC, their inputs and starting values."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from layout import Sizes, Spec, floats, integers, layers

Tensors = dict[str, Tensor]

DROPPED = ("fc6", "fc7")  # of a classifier of three dense layers, each of as many units as its size of that name


def channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def conv(x: Tensor, weight: Tensor, stride: int = 1, pad: int = 0, groups: int = 1) -> Tensor:
    """x [B, H, W, C] with a filter [R, S, C/groups, N]."""
    filters = weight.permute(3, 2, 0, 1)
    return channels_last(F.conv2d(channels_first(x), filters, stride=stride, padding=pad, groups=groups))


def max_pool(x: Tensor, window: int, stride: int, pad: int = 0) -> Tensor:
    return channels_last(F.max_pool2d(channels_first(x), window, stride, pad))


def dense(p: Tensors, x: Tensor, name: str) -> Tensor:
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def dropout(x: Tensor, name: str, draws: Tensors, training: bool) -> Tensor:
    """Half is dropped, the rest doubled."""
    if not training:
        return x
    if not draws:
        return F.dropout(x, 0.5)
    return x * draws[f"{name}.dropout"] / 0.5


def shared_names(mode: str, logits: str = "batch classes") -> dict[str, Spec]:
    label = integers("batch")._replace(optional=mode == "infer")
    specs = {"input/image": floats("batch size size 3"), "input/label": label, "output/logits": floats(logits)}
    return specs | {"output/loss": floats("")} if mode == "train" else specs


def finish(logits: Tensor, inputs: Tensors, mode: str) -> Tensors:
    outputs = {"logits": logits}
    if mode == "train":
        outputs["loss"] = F.cross_entropy(logits, inputs["label"].long())
    return outputs


def initial(name: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator)
    if not name.endswith("weight"):
        return 0.1 * noise  # not 0: a bias left out must show
    fan_in = torch.Size(shape[:-1]).numel()
    return (2 / fan_in) ** 0.5 * noise


def example(sizes: Sizes, generator: Generator) -> Tensors:
    image = torch.randn(sizes["batch"], sizes["size"], sizes["size"], 3, generator=generator)
    label = torch.randint(0, sizes["classes"], (sizes["batch"],), generator=generator).int()
    return {"image": image, "label": label}


def classifier_names(mode: str) -> dict[str, Spec]:
    """What a model that ends in `classify` holds beside its convolutions."""
    specs = layers({"fc6": "features fc6", "fc7": "fc6 fc7", "fc8": "fc7 classes"})
    if mode == "train":
        specs |= {f"random/{layer}.dropout": floats(f"batch {layer}") for layer in DROPPED}
    return specs | shared_names(mode)


def classify(p: Tensors, h: Tensor, inputs: Tensors, draws: Tensors, mode: str) -> Tensors:
    h = h.flatten(1)  # rows, columns, channels
    for layer in DROPPED:
        h = dropout(torch.relu(dense(p, h, layer)), layer, draws, mode == "train")
    return finish(dense(p, h, "fc8"), inputs, mode)


def masks(sizes: Sizes, mode: str, generator: Generator) -> Tensors:
    """Dropout of a classifier."""
    if mode == "infer":
        return {}
    draw = {layer: torch.rand(sizes["batch"], sizes[layer], generator=generator) for layer in DROPPED}
    return {f"{name}.dropout": (value >= 0.5).float() for name, value in draw.items()}
