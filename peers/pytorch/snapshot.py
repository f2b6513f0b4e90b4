"""Reading and writing snapshots: one step's numbers in a safetensors file.

Tensors are named group/NAME; the groups are param, input, random, output, grad, after and state. The
configuration is JSON under the metadata key `fathom`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

SCHEMA = "fathom.snapshot/1"


class SnapshotError(Exception):
    """The file cannot be used; the text says why."""


@dataclass
class Snapshot:
    """The tensors by full name, as stored, and the configuration."""

    tensors: dict[str, Tensor]
    config: dict

    @property
    def workload(self) -> str:
        return self.config["workload"]

    @property
    def mode(self) -> str:
        return self.config["mode"]

    @property
    def step(self) -> int:
        """Updates that were made before this one."""
        step = self.tensors.get("state/step")
        return 0 if step is None else int(step.reshape(-1)[0])

    def group(self, group: str) -> dict[str, Tensor]:
        """The tensors of a group by NAME, floats in f64."""
        return {
            name.removeprefix(f"{group}/"): tensor.double() if tensor.is_floating_point() else tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{group}/")
        }


def grouped(group: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under their full names."""
    return {f"{group}/{name}": tensor for name, tensor in tensors.items()}


def read(path: Path) -> Snapshot:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (OSError, SafetensorError) as error:
        raise SnapshotError(f"cannot read it as safetensors: {error}") from error
    try:
        config = json.loads(metadata["fathom"])
    except KeyError:
        raise SnapshotError("no metadata key 'fathom': not a snapshot") from None
    except json.JSONDecodeError as error:
        raise SnapshotError(f"the metadata key 'fathom' is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise SnapshotError("the metadata key 'fathom' holds no JSON object")
    if config.get("schema") != SCHEMA:
        raise SnapshotError(f"schema is {config.get('schema')!r}; expected '{SCHEMA}'")
    if not isinstance(config.get("workload"), str):
        raise SnapshotError("the metadata names no workload")
    if config.get("mode") not in ("train", "infer"):
        raise SnapshotError(f"mode is {config.get('mode')!r}; expected 'train' or 'infer'")
    return Snapshot(tensors, config)


def stored(tensor: Tensor) -> Tensor:
    """As it is written: floats in f32, u8 as it is, other integers in i32."""
    if tensor.is_floating_point():
        tensor = tensor.float()
    elif tensor.dtype != torch.uint8:
        tensor = tensor.int()
    return tensor.detach().contiguous().clone()


def write(path: Path, snapshot: Snapshot) -> None:
    tensors = {name: stored(tensor) for name, tensor in snapshot.tensors.items()}
    save_file(tensors, path, metadata={"fathom": json.dumps(snapshot.config)})
