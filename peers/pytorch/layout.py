"""What a snapshot must hold: the kind and shape of each tensor, with dimensions by name.

Sizes come from the tensors themselves: the first one that has a dimension fixes its size, and every other
one must agree. The metadata's sizes are not used.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

Sizes = dict[str, int]


class Spec(NamedTuple):
    """One tensor: its dimensions ("batch time hidden", "batch 4", "4*hidden", "" for a scalar)."""

    dims: str
    integer: bool = False
    optional: bool = False
    trained: bool = True  # of a parameter: running statistics and copies are not


def floats(dims: str) -> Spec:
    return Spec(dims)


def integers(dims: str) -> Spec:
    return Spec(dims, integer=True)


def layers(weights: dict[str, str], prefix: str = "param/") -> dict[str, Spec]:
    """The weight of each layer, and its bias: a value for each step of the weight's last dimension."""
    specs = {}
    for layer, dims in weights.items():
        specs[f"{prefix}{layer}.weight"] = floats(dims)
        specs[f"{prefix}{layer}.bias"] = floats(dims.split()[-1])
    return specs


def parts(dim: str) -> tuple[int, str]:
    """A dimension as a number times a size, or times none."""
    if dim.isdigit():
        return int(dim), ""
    factor, _, name = dim.rpartition("*")
    return int(factor or 1), name


def shape_of(spec: Spec, sizes: Sizes) -> tuple[int, ...]:
    return tuple(factor * (sizes[name] if name else 1) for factor, name in map(parts, spec.dims.split()))


class Problem(NamedTuple):
    """Why a tensor cannot be compared."""

    name: str
    verdict: str
    text: str

    @property
    def blocks(self) -> bool:
        """Whether the step cannot be repeated for it."""
        return self.name.split("/")[0] in ("param", "input", "random", "state")


def bind(specs: dict[str, Spec], tensors: dict[str, Tensor]) -> tuple[Sizes, list[Problem]]:
    """The sizes, and everything that is missing, unexpected, of the wrong kind or of the wrong shape."""
    sizes: Sizes = {}
    origin: dict[str, str] = {}
    problems = []
    for name, spec in specs.items():
        if name not in tensors:
            if not spec.optional:
                problems.append(Problem(name, "MISSING", f"expected [{spec.dims.replace(' ', ', ')}]"))
            continue
        tensor = tensors[name]
        kinds = (torch.int32, torch.uint8) if spec.integer else (torch.float32,)
        if name == "state/step":
            kinds = (torch.int32, torch.float32)
        if tensor.dtype not in kinds:
            wanted = " or ".join(str(k).removeprefix("torch.") for k in kinds)
            problems.append(Problem(name, "TYPE", f"is {str(tensor.dtype).removeprefix('torch.')}; expected {wanted}"))
        dims = spec.dims.split()
        if not dims and tensor.numel() == 1:
            continue  # a scalar may be stored as [] or [1]
        shape = list(tensor.shape)
        if len(shape) != len(dims):
            problems.append(Problem(name, "SHAPE", f"is {shape}; expected [{', '.join(dims)}]"))
            continue
        for dim, size in zip(dims, shape):
            factor, base = parts(dim)
            wanted = factor * (sizes.setdefault(base, size // factor) if base else 1)
            origin.setdefault(base, name)
            if size != wanted:
                where = f" ({base} is {sizes[base]} in {origin[base]})" if base else ""
                problems.append(Problem(name, "SHAPE", f"is {shape}; expected [{', '.join(dims)}]{where}"))
                break
    for name in tensors:
        if name not in specs:
            problems.append(Problem(name, "UNEXPECTED", "the model has no such tensor"))
    return sizes, problems
